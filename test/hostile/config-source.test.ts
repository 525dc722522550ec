// A config on its way: a file cut short while it is written, and pipes that nobody writes to.

import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync, writeSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../e2e/operating.ts';
import { type CliProcess, startCli } from '../support/cli-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { text, upgradeRequest } from '../support/wire.ts';
import { folder, PROCESS_MS, startRunning } from './command.ts';

const EMPTY = 'the file is empty: a config has at least routes';
const CONFIG = [
  'log: { level: debug }',
  'listeners: [{ name: test, address: "127.0.0.1:0" }]',
  'timeouts: { close: 100ms }',
  'routes:',
  '  - { name: echo, upstream: "builtin:echo" }',
  '',
];

test(
  'F41: a file cut short at the end of any line, and an empty one: the old config stays, and every session',
  async () => {
    const { cli, file, port } = await startRunning(CONFIG.join('\n'));
    const client = await RawClient.connect(port);
    client.send(upgradeRequest());
    await client.readHead();
    for (let lines = 0; lines < CONFIG.length - 1; lines += 1) {
      writeFileSync(file, CONFIG.slice(0, lines).join('\n'));
      cli.signal('SIGHUP');
      const isNext = () => cli.logs.filter(({ event }) => event === 'config.rejected').length > lines;
      await until(`a config of ${lines} lines is rejected`, isNext);
    }
    // An empty one may be on its way to the next: it is looked at again before it is judged.
    const whats = [expect.objectContaining({ path: 'routes' }), expect.objectContaining({ message: EMPTY })];
    for (const { problems } of cli.logs.filter(({ event }) => event === 'config.rejected')) {
      expect(problems).toEqual([expect.objectContaining({ line: expect.any(Number) })]);
      expect(whats).toContainEqual((problems as unknown[])[0]);
    }
    client.send(text('still here', { mask: true }));
    expect((await client.nextFrame()).payload.toString()).toBe('still here');
    client.destroy();
  },
  PROCESS_MS,
);

/** The handler of HUP is the last that it sets (Linux). Node itself catches INT and TERM, and dies of them. */
async function hears(cli: CliProcess): Promise<void> {
  await until('its handlers are there', () => {
    const status = readFileSync(`/proc/${cli.child.pid}/status`, 'latin1');
    return (BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`) & 1n) === 1n;
  });
}

/** A process that blocks while it opens a file has not opened it (Linux). */
function hasOpen(cli: CliProcess, file: string): boolean {
  const folder = `/proc/${cli.child.pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return readlinkSync(path.join(folder, fd)) === file;
    } catch {
      return false; // closed meanwhile
    }
  });
}

test.each([
  ['stdin', 'SIGTERM'],
  ['stdin', 'SIGINT'],
  ['a pipe', 'SIGTERM'],
  ['a pipe', 'SIGINT'],
] as const)(
  'F42: while it waits for a config from %s, %s ends it',
  async (source, name) => {
    const pipe = path.join(folder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const cli = startCli(['run', '-c', source === 'stdin' ? '-' : pipe], { inputStaysOpen: true });
    await hears(cli);
    if (source === 'a pipe') await until('it waits for the pipe', () => hasOpen(cli, pipe));
    cli.signal(name);
    expect(await cli.exit()).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  },
  PROCESS_MS,
);

test(
  'F42: a running proxy serves on while it waits for its config to come through a pipe again',
  async () => {
    const pipe = path.join(folder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const cli = startCli(['run', '-c', pipe], { deadlineMs: 30_000 });
    const write = (config: string): void => {
      const fd = openSync(pipe, 'w');
      writeSync(fd, config);
      closeSync(fd);
    };
    write(CONFIG.join('\n'));
    const port = await cli.port();
    cli.signal('SIGHUP');
    const client = await RawClient.connect(port);
    client.send(upgradeRequest());
    await client.readHead();
    write(CONFIG.join('\n').replace('100ms', '200ms'));
    expect(await cli.waitForLog('config.loaded')).toMatchObject({ changed: ['timeouts.close'] });
    client.send(text('served', { mask: true }));
    expect((await client.nextFrame()).payload.toString()).toBe('served');
    client.destroy();
  },
  PROCESS_MS,
);
