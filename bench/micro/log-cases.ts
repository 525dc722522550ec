// The line that is logged at the end of every session, down to the text that would be written.

import { Log } from '../../src/observe/log.ts';
import type { MicroCase } from './micro-case.ts';

/** As many as one window lets through. */
const LINES = 100;
const WINDOW_MS = 1_000;

export function cases(): readonly MicroCase[] {
  const time = { now: 0 };
  let written = 0;
  let bytes = 0;
  let last = '';
  const destination = {
    write(line: string): void {
      written += 1;
      bytes += line.length;
      last = line;
    },
  };
  const log = new Log({
    level: 'info',
    format: 'json',
    lines_per_second: Number.POSITIVE_INFINITY,
    clock: { now: () => time.now },
    wallClock: () => 1_700_000_000_000 + time.now,
    destination,
  });
  const run = () => {
    const before = written;
    time.now += WINDOW_MS;
    for (let i = 0; i < LINES; i++) log.event('info', 'session.end', fieldsOf(i));
    return JSON.parse(last).id === `0123456789abcdef-${LINES - 1}` ? written - before : -1;
  };
  run();
  return [{ name: 'log line', unit: 'line', operations: LINES, bytes, run, expected: LINES }];
}

function fieldsOf(i: number) {
  return {
    id: `0123456789abcdef-${i}`,
    route: 'chat',
    target: '127.0.0.1:9001',
    client: '203.0.113.7',
    host: 'chat.example.com',
    path: '/chat/room-42',
    cause: 'client_closed',
    code: 1000,
    ms: 61_234 + i,
    client_messages: 1_234,
    client_bytes: 123_456,
    backend_messages: 4_321,
    backend_bytes: 7_654_321,
  };
}
