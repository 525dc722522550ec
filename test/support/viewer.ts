// Somebody who looks at the page: a stream of events of an admin listener, as it comes.

import { connect, type Socket } from 'node:net';
import { atTestEnd } from './cleanup.ts';

export interface Viewer {
  readonly socket: Socket;
  /** Everything that came so far. */
  text(): string;
  /** Resolves with all of it once it fits; rejects when the connection is over before that. */
  until(what: RegExp): Promise<string>;
  /** Resolves when the connection is over. */
  readonly over: Promise<void>;
}

/** `fields`: further header lines. */
export function watchPage(port: number, fields: readonly string[] = [], line = 'GET /api/v1/events'): Viewer {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  const checks = new Set<() => void>();
  const check = () => {
    for (const one of checks) one();
  };
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
    check();
  });
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  atTestEnd(() => {
    socket.destroy();
  });
  socket.write(`${[`${line} HTTP/1.1`, 'Host: localhost', ...fields].join('\r\n')}\r\n\r\n`);
  const until = (what: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const one = () => {
        const text = unframed(received);
        if (what.test(text)) resolve(text);
        else if (socket.destroyed) reject(new Error(`over before ${what}: ${text.slice(-500)}`));
        else return;
        checks.delete(one);
      };
      checks.add(one);
      socket.once('close', one);
      one();
    });
  return { socket, text: () => unframed(received), until, over };
}

/** The head, and behind it what its chunks hold that came whole. */
function unframed(received: string): string {
  const end = received.indexOf('\r\n\r\n') + 4;
  if (end < 4 || !/^transfer-encoding: chunked/im.test(received.slice(0, end))) return received;
  let text = received.slice(0, end);
  for (let at = end; ; ) {
    const line = received.indexOf('\r\n', at);
    const size = Number.parseInt(received.slice(at, line), 16);
    if (line < 0 || size === 0 || line + 4 + size > received.length) return text;
    text += received.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}

/** The data of the events of that name that came whole, in their order. */
export function eventsIn(text: string, name: string): unknown[] {
  return [...text.matchAll(new RegExp(`event: ${name}\\ndata: (.*)\\n\\n`, 'g'))].map(([, data = '']) =>
    JSON.parse(data),
  );
}
