// What every command shows in a real terminal, small and large, with colour and without: pictures for people, in
// pictures/. `npx vitest run test/terminal -u` takes new ones; look at them before they are committed.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { startAdmin } from '../support/admin.ts';
import { cliPath } from '../support/cli-process.ts';
import { SampleSubject } from './sample.ts';
import { hasTmux, readable, Terminal } from './tmux.ts';

const TEST_MS = 300_000;

/** Each ends by itself; its exit code. Not `config`, `schema`, `hash-*`, `version`: for files, or new each time. */
const COMMANDS: readonly (readonly [line: string, exit: number])[] = [
  ['help', 0],
  ['help run', 0],
  ['help sessions', 0],
  ['help top', 0],
  ['status @', 0],
  ['upstreams @', 0],
  ['sessions @', 0],
  ['sessions --sort bytes --limit 5 @', 0],
  ['sessions cafe-4 @', 0],
  ['why cafe-1 @', 0],
  ['advise @', 0],
  ['healthcheck @', 0],
  ['close cafe-1 @', 0],
  ['close --route chat @', 0],
  ['drain route chat @', 0],
  ['drain target chat a @', 0],
  ['drain @', 0],
  ['undrain target chat a @', 0],
  ['reload @', 0],
  ['revoke --auth users --key acme @', 0],
  ['extend cafe-1 --until 1800000000 @', 0],
  ['close cafe-9 @', 1],
  ['status --admin 127.0.0.1:1', 69],
  ['sesions', 2],
  ['check bad.yaml', 78],
  ['check good.yaml', 0],
  ['probe %', 0],
];

/** Each goes on until Ctrl-C. */
const WATCHED = ['status --watch @', 'upstreams --watch @', 'sessions --watch @', 'top @', 'top --sort silent @'];

const GOOD = 'routes: [{ upstream: "builtin:echo" }]\n';
const BAD = `listeners: [{ adress: ":8080" }]
routes:
  - { match: { path: chat }, upstream: ws://127.0.0.1:9001 }
timeouts: { idle: 5 }
`;

interface Pictures {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

const SIZES: readonly Pictures[] = [
  { columns: 80, rows: 24, colour: false },
  { columns: 80, rows: 24, colour: true },
  { columns: 200, rows: 50, colour: false },
  { columns: 200, rows: 50, colour: true },
];

/** Ports and times. */
function steady(text: string): string {
  return text
    .replace(/127\.0\.0\.1:[0-9]{4,5}\b/g, '127.0.0.1:PORT')
    .replace(/^( {2}[a-z]+ +)[0-9.]+ ms/gm, (_, name: string) => `${name.trimEnd()} TIME`);
}

/** All pictures of one kind of terminal. */
async function picturesOf(size: Pictures, echoPort: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-terminal-'));
  writeFileSync(join(folder, 'good.yaml'), GOOD);
  writeFileSync(join(folder, 'bad.yaml'), BAD);
  const subject = new SampleSubject();
  const admin = await startAdmin({}, { subject });
  const terminal = await Terminal.start(folder, size, size.colour);
  try {
    const argumentsOf = (line: string) =>
      line.replace('@', `--admin 127.0.0.1:${admin.port}`).replace('%', `ws://127.0.0.1:${echoPort}/`);
    const nameOf = (line: string) => line.replace(' @', '').replace('%', 'ws://...');
    const pictures: string[] = [];
    for (const [line, exit] of COMMANDS) {
      subject.begin();
      await terminal.begin(`${process.execPath} ${cliPath} ${argumentsOf(line)}`);
      expect([line, await terminal.ended()]).toEqual([line, exit]);
      pictures.push(`$ framegate ${nameOf(line)}\n${readable(await terminal.written())}`);
    }
    for (const line of WATCHED) {
      subject.begin();
      const command = `${process.execPath} ${cliPath} ${argumentsOf(line)}`;
      await terminal.begin(`echo before; ${command}; echo "exit code $?"; read -r enter`);
      await subject.drawn;
      const picture = readable(await terminal.shown());
      // In the middle of a question, too.
      await terminal.press('C-c');
      await terminal.says('exit code');
      expect([line, await terminal.shown(), await terminal.isRestored()]).toEqual([line, LEFT, true]);
      await terminal.press('Enter');
      await terminal.ended();
      pictures.push(`$ framegate ${nameOf(line)}\n${picture}`);
    }
    return `${pictures.map(steady).join('\n\n')}\n`;
  } finally {
    await terminal.stop();
    subject.begin();
    rmSync(folder, { recursive: true });
  }
}

const LEFT = 'before\nexit code 0';

if (!hasTmux) console.warn('test/terminal: tmux is not installed, so nobody has looked at a real terminal');

test.skipIf(!hasTmux)('every command in every terminal, and what Ctrl-C leaves', { timeout: TEST_MS }, async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  // All of them end before one that failed is told: a server of tmux outlives whoever started it.
  const ended = await Promise.allSettled(SIZES.map((size) => picturesOf(size, port)));
  const all = ended.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  for (const [index, { columns, rows, colour }] of SIZES.entries()) {
    const name = `${columns}x${rows}${colour ? '-colour' : ''}`;
    const picture = all[index] ?? '';
    await expect(picture).toMatchFileSnapshot(`pictures/${name}.txt`);
    // Colour says what the text says, in the same places.
    if (colour) expect(picture.replace(/\{(?:bold|faint|red|green|yellow|\/)\}/g, '')).toBe(all[index - 1]);
    const lines = picture.split('\n');
    if (!colour) expect(lines.filter((line) => line.length > columns)).toEqual([]);
  }
});
