// What operators and their tools do to a running proxy: broken configs, files that change under it, signals.
// The process is a real one, started as its users start it.

import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { askAdminAt, isOpen, until } from '../e2e/operating.ts';
import { connectWs, type Inbox } from '../e2e/ws-pair.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { folder, PROCESS_MS, portOf, type Running, startRunning } from './command.ts';

function configText(idle: string, more = ''): string {
  return [
    'listeners: [{ name: test, address: "127.0.0.1:0" }]',
    'routes: [{ name: echo, upstream: "builtin:echo" }]',
    `timeouts: { idle: ${idle} }`,
    more,
    '',
  ].join('\n');
}

const start = (text = configText('1h'), args: readonly string[] = [], file?: string): Promise<Running> =>
  startRunning(text, args, file);

async function echoes(client: Inbox, message: string): Promise<void> {
  client.socket.send(message);
  expect(await client.next()).toEqual({ kind: 'text', data: Buffer.from(message) });
}

/** The log's reloads so far: what each changed, or null for one that was rejected. */
function reloadsOf({ cli }: Running): unknown[] {
  const lines = cli.logs.filter(({ event }) => event === 'config.loaded' || event === 'config.rejected');
  return lines.map(({ event, changed }) => (event === 'config.loaded' ? changed : null));
}

async function reloaded(running: Running, count: number): Promise<void> {
  await until(`${count} reloads: ${JSON.stringify(reloadsOf(running))}`, () => reloadsOf(running).length >= count);
}

describe('E12: a reload of a config that cannot be used', () => {
  const folderOfTest = () => folder();

  test.each([
    ['broken YAML', () => 'routes: [', /:1:\d+/],
    ['a failed schema', () => configText('5'), /timeouts\.idle/],
    [
      'a certificate that cannot be read',
      () => configText('1h', 'upstreams: { a: { targets: [{ url: "wss://localhost:1" }], tls: { ca: gone.pem } } }'),
      /ca/,
    ],
    ['a log format that needs a restart', () => configText('1h', 'log: { format: pretty }'), /needs a restart/],
  ])(
    'E12: %s: the old config goes on serving, one line says what is wrong',
    async (_, text, said) => {
      const running = await start(configText('1h'), [], path.join(folderOfTest(), 'config.yaml'));
      const client = await connectWs(running.port);
      writeFileSync(running.file, text());
      running.cli.signal('SIGHUP');
      const line = await running.cli.waitForLog('config.rejected');
      expect(line).toMatchObject({ level: 'error', problems: expect.any(Array) });
      const problems = line.problems as { file: string; line: number; column: number; path: string; message: string }[];
      expect(
        problems.map((one) => `${one.file}:${one.line}:${one.column} ${one.path}: ${one.message}`).join('\n'),
      ).toMatch(said);
      await echoes(client, 'as before');
      await connectWs(running.port);
      running.cli.signal('SIGTERM');
      expect(await running.cli.exit()).toMatchObject({ code: 0 });
    },
    PROCESS_MS,
  );

  test(
    'E12: a port in use: nothing else of the new config holds either, and the admin listener says so',
    async () => {
      const taken = net.createServer().listen(0, '127.0.0.1');
      atTestEnd(() => new Promise<void>((resolve) => taken.close(() => resolve())));
      await once(taken, 'listening');
      const address = taken.address();
      const takenPort = address === null || typeof address === 'string' ? 0 : address.port;
      const admin = 'admin: { address: "127.0.0.1:0" }';
      const running = await start(configText('1h', admin));
      const adminPort = await portOf(running.cli, 'admin');
      const both = configText('2h', admin).replace(
        '"127.0.0.1:0" }]',
        `"127.0.0.1:0" }, { address: "127.0.0.1:${takenPort}" }]`,
      );
      writeFileSync(running.file, both);
      const answer = await askAdminAt(adminPort, 'POST /api/v1/reload');
      expect(answer).toMatchObject({
        status: 422,
        json: { error: 'config_rejected', problems: [{ path: 'listeners[1].address' }] },
      });
      expect((await askAdminAt(adminPort, 'GET /api/v1/status')).json).toMatchObject({
        config: { last_reload: { ok: false } },
      });
      expect((await askAdminAt(adminPort, 'GET /api/v1/config')).body).toContain('idle: 1h');
      taken.close();
      // The same bytes, and this time it can be done: a rejected config is not taken for the one in force.
      await until('the port is free', async () => (await askAdminAt(adminPort, 'POST /api/v1/reload')).status === 200);
      expect((await askAdminAt(adminPort, 'GET /api/v1/config')).body).toContain('idle: 2h');
    },
    PROCESS_MS,
  );
});

test(
  'E13: a reload with many sessions open keeps them all, and their new limits hold at once',
  async () => {
    const running = await start();
    const clients = await crowd(running.port, 200);
    writeFileSync(running.file, configText('1h', 'limits: { from_client: { max_message_size: 10B } }'));
    running.cli.signal('SIGUSR2');
    expect(await running.cli.waitForLog('config.loaded')).toMatchObject({
      changed: expect.arrayContaining(['limits.from_client.max_message_size']),
    });
    await Promise.all(clients.map((client) => echoes(client, '10 bytes..')));
    const [first, ...rest] = clients;
    first?.socket.send('11 bytes...');
    expect(await first?.closed()).toEqual({ code: 1009, reason: 'max_message_size' });
    await Promise.all(rest.map((client) => echoes(client, 'fine')));
  },
  PROCESS_MS,
);

test(
  'E13: a reload ends the sessions whose route is gone, and the timeouts of the others hold from then on',
  async () => {
    const twoRoutes = (second: string, idle: string) =>
      configText(idle, 'drain: { spread: 500ms }').replace(
        'routes: [',
        `routes: [{ name: ${second}, match: { path: /gone }, upstream: "builtin:echo" }, `,
      );
    const running = await start(twoRoutes('gone', '1h'));
    const going = await crowd(running.port, 20, '/gone');
    const staying = await crowd(running.port, 20);
    writeFileSync(running.file, twoRoutes('other', '1h'));
    running.cli.signal('SIGHUP');
    for (const client of going) expect(await client.closed()).toEqual({ code: 1012, reason: 'route removed' });
    await Promise.all(staying.map((client) => echoes(client, 'still here')));
    writeFileSync(running.file, twoRoutes('other', '1s'));
    running.cli.signal('SIGHUP');
    for (const client of staying) expect(await client.closed()).toEqual({ code: 1001, reason: 'idle timeout' });
    const ends = () => running.cli.logs.filter(({ event }) => event === 'session.end');
    await until('all lines', () => ends().length === 40);
    expect(ends().filter(({ reason, clean }) => reason === 'route_removed' && clean)).toHaveLength(20);
    expect(ends().filter(({ reason, clean }) => reason === 'idle' && clean)).toHaveLength(20);
  },
  PROCESS_MS,
);

describe('E14: a file that changes in every way files do', () => {
  test(
    'E14: under --watch it is followed through renames, parts, deletion and floods; the last state wins',
    async () => {
      const running = await start(configText('1h'), ['--watch']);
      const { file } = running;
      writeFileSync(`${file}.new`, configText('2h'));
      renameSync(`${file}.new`, file);
      await reloaded(running, 1);
      expect(reloadsOf(running)).toEqual([['timeouts.idle']]);
      const whole = configText('3h');
      writeFileSync(file, whole.slice(0, 60));
      writeFileSync(file, whole);
      await reloaded(running, 2);
      expect(reloadsOf(running).at(-1)).toEqual(['timeouts.idle']);
      unlinkSync(file);
      writeFileSync(file, configText('4h'));
      await reloaded(running, 3);
      for (let round = 0; round < 100; round += 1) writeFileSync(file, configText(`${round + 1}m`));
      const isLast = () => running.cli.logs.filter(({ event }) => event === 'config.loaded').length >= 4;
      await until('the flood is taken in', isLast);
      expect(reloadsOf(running).length).toBeLessThan(10);
      running.cli.signal('SIGTERM');
      expect(await running.cli.exit()).toMatchObject({ code: 0 });
    },
    PROCESS_MS,
  );

  test(
    'E14: under --watch a symlink that is swapped, as Kubernetes does with mounted files, is followed',
    async () => {
      const base = folder();
      for (const [name, idle] of [
        ['one', '1h'],
        ['two', '2h'],
      ] as const) {
        mkdirSync(path.join(base, name));
        writeFileSync(path.join(base, name, 'config.yaml'), configText(idle));
      }
      symlinkSync('one', path.join(base, '..data'));
      const file = path.join(base, 'config.yaml');
      symlinkSync(path.join('..data', 'config.yaml'), file);
      const running = await start(readFileSync(file, 'utf8'), ['--watch'], file);
      symlinkSync('two', path.join(base, '..next'));
      renameSync(path.join(base, '..next'), path.join(base, '..data'));
      await reloaded(running, 1);
      expect(reloadsOf(running)).toEqual([['timeouts.idle']]);
    },
    PROCESS_MS,
  );

  test(
    'E14: a long list of addresses that it names is followed, all of it or nothing',
    async () => {
      const file = path.join(folder(), 'config.yaml');
      const list = path.join(path.dirname(file), 'proxies.txt');
      const blocks = Array.from(
        { length: 100_000 },
        (_, at) => `${11 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}.0/24`,
      );
      const lines = (...more: readonly string[]) => [...blocks, ...more].join('\n');
      writeFileSync(list, lines());
      const running = await start(configText('1h', 'trusted_proxies: { file: proxies.txt }'), ['--watch'], file);
      writeFileSync(list, lines('127.0.0.0/8', '127.0.0.1/8'));
      await until('it is rejected', () => reloadsOf(running).length === 1);
      expect(reloadsOf(running)).toEqual([null]);
      const { problems } = await running.cli.waitForLog('config.rejected');
      const message = 'line 100002 of this file: bits behind the prefix /8 are set';
      expect(problems).toMatchObject([{ path: 'trusted_proxies.file', message }]);
      writeFileSync(list, lines('127.0.0.0/8'));
      await until('it is taken on', () => reloadsOf(running).length === 2);
      expect(reloadsOf(running)).toEqual([null, ['trusted_proxies']]);
      const client = await RawClient.connect(running.port);
      client.send(upgradeRequest({ path: '//', headers: { 'X-Forwarded-For': '203.0.113.5' } }));
      expect(await running.cli.waitForLog('handshake.refused')).toMatchObject({ client: '203.0.113.5' });
    },
    PROCESS_MS,
  );

  test(
    'E14: bytes that are all the same change nothing',
    async () => {
      const running = await start();
      writeFileSync(running.file, configText('1h'));
      running.cli.signal('SIGHUP');
      expect(await running.cli.waitForLog('config.loaded')).toMatchObject({ changed: [] });
    },
    PROCESS_MS,
  );
});

describe('E15: a signal to end with sessions open', () => {
  const drain = 'drain: { delay: 0s, grace: 0s, spread: 3s, timeout: 20s }';

  test(
    'E15: every client of 200 gets 1012, spread, and what was sent to it before; exit code 0',
    async () => {
      const running = await start(configText('1h', drain));
      const clients = await crowd(running.port, 200);
      for (const client of clients) client.socket.send('on its way');
      const closedAt: number[] = [];
      for (const client of clients) client.socket.once('close', () => closedAt.push(performance.now()));
      await Promise.all(clients.map((client) => client.next()));
      running.cli.signal('SIGTERM');
      for (const client of clients) {
        expect(await client.closed()).toEqual({ code: 1012, reason: 'server restart' });
        expect(client.all[0]).toEqual({ kind: 'text', data: Buffer.from('on its way') });
      }
      const exit = await running.cli.exit();
      expect(exit).toMatchObject({ code: 0, stderr: '' });
      expect(await running.cli.waitForLog('drain.end')).toMatchObject({ level: 'info', closed: 200, cut: 0 });
      // Evenly: each quarter of the time has its share, whatever the jitter.
      const first = closedAt[0] ?? 0;
      const quarters = [0, 1, 2, 3].map(
        (at) => closedAt.filter((time) => Math.floor(Math.min(2999, time - first) / 750) === at).length,
      );
      for (const count of quarters) expect(count).toBeGreaterThan(10);
    },
    PROCESS_MS,
  );

  test(
    'E15: delay, grace, spread and timeout: not ready but accepting, then refusing, then Closes, then the cut; exit 0',
    async () => {
      // Each phase is long enough for what it has to show, whatever else keeps the machine busy.
      const times = 'drain: { delay: 3s, grace: 3s, spread: 500ms, timeout: 8s }';
      const running = await start(configText('1h', `${times}\nadmin: { address: "127.0.0.1:0" }`));
      const adminPort = await portOf(running.cli, 'admin');
      const client = await connectWs(running.port);
      // Answers no Close, and so is there at the end.
      const deaf = await RawClient.connect(running.port, { deadlineMs: 20_000 });
      await deaf.upgrade();
      const inFlight = await RawClient.connect(running.port, { deadlineMs: 20_000 });
      inFlight.send('GET / HTTP/1.1\r\n');
      running.cli.signal('SIGTERM');
      await running.cli.waitForLog('drain.begin');
      expect(await askAdminAt(adminPort, 'GET /readyz')).toMatchObject({ status: 503, json: { status: 'draining' } });
      await echoes(await connectWs(running.port), 'delay: still accepting');
      await until('grace: nobody is accepted', async () => !(await isOpen(running.port)));
      inFlight.send(upgradeRequest().subarray('GET / HTTP/1.1\r\n'.length));
      expect((await inFlight.readResponse()).json()).toMatchObject({ status: 503, error: 'draining' });
      await echoes(client, 'grace: sessions go on');
      expect(await client.closed()).toEqual({ code: 1012, reason: 'server restart' });
      expect(await deaf.nextClose()).toEqual({ code: 1012, reason: 'server restart' });
      expect(await running.cli.exit()).toMatchObject({ code: 0, stderr: '' });
      expect(await running.cli.waitForLog('drain.end')).toMatchObject({ level: 'warn', closed: 2, cut: 1 });
      await deaf.closed;
    },
    PROCESS_MS,
  );

  test(
    'E15: a second signal cuts at once, exit code 3',
    async () => {
      const running = await start(configText('1h', drain.replace('grace: 0s', 'grace: 10s')));
      const clients = await crowd(running.port, 20);
      running.cli.signal('SIGTERM');
      await running.cli.waitForLog('drain.begin');
      running.cli.signal('SIGTERM');
      for (const client of clients) expect(await client.closed()).toMatchObject({ code: 1006 });
      expect(await running.cli.exit()).toMatchObject({ code: 3 });
      expect(running.cli.logs.filter(({ reason }) => reason === 'forced')).toHaveLength(20);
    },
    PROCESS_MS,
  );

  test(
    'E15: POST /api/v1/drain ends the process as TERM does; a TERM then cuts nothing short twice',
    async () => {
      const running = await start(configText('1h', 'drain: { spread: 0s }\nadmin: { address: "127.0.0.1:0" }'));
      const adminPort = await portOf(running.cli, 'admin');
      const client = await connectWs(running.port);
      expect(await askAdminAt(adminPort, 'POST /api/v1/drain')).toMatchObject({ status: 202 });
      expect(await client.closed()).toEqual({ code: 1012, reason: 'server restart' });
      expect(await running.cli.exit()).toMatchObject({ code: 0 });
      expect(await running.cli.waitForLog('drain.begin')).toMatchObject({ why: 'admin' });
    },
    PROCESS_MS,
  );
});

describe('E16: signals', () => {
  test(
    'E16: INT ends as TERM does; HUP and USR2 reload; USR1 and PIPE do nothing',
    async () => {
      const running = await start();
      const client = await RawClient.connect(running.port);
      await client.upgrade();
      for (const [index, name] of (['SIGHUP', 'SIGUSR2'] as const).entries()) {
        running.cli.signal('SIGUSR1');
        running.cli.signal('SIGPIPE');
        running.cli.signal(name);
        await reloaded(running, index + 1);
      }
      expect(reloadsOf(running)).toEqual([[], []]);
      running.cli.signal('SIGINT');
      expect(await client.nextClose()).toEqual({ code: 1012, reason: 'server restart' });
      client.destroy();
      expect(await running.cli.exit()).toMatchObject({ code: 0, stderr: '' });
    },
    PROCESS_MS,
  );
});

test(
  "E30: a fault in nobody's session: the process says why, tells every client to come back, and ends with 1",
  async () => {
    const code = "process.on('SIGWINCH', () => { throw new Error('made up'); })";
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` };
    const text = configText('1h', 'drain: { spread: 0s }');
    const running = await startRunning(text, [], undefined, { env });
    const clients = await crowd(running.port, 5);
    running.cli.signal('SIGWINCH');
    for (const client of clients) expect(await client.closed()).toEqual({ code: 1012, reason: 'server restart' });
    const exit = await running.cli.exit();
    expect(exit).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('framegate: internal error, ending: Error: made up'),
    });
    expect(await running.cli.waitForLog('drain.begin')).toMatchObject({ why: 'internal error', sessions: 5 });
  },
  PROCESS_MS,
);

async function crowd(port: number, count: number, path = '/'): Promise<Inbox[]> {
  const clients: Inbox[] = [];
  while (clients.length < count) clients.push(await connectWs(port, { path, perMessageDeflate: false }));
  expect(clients.every(({ socket }) => socket.readyState === WebSocket.OPEN)).toBe(true);
  return clients;
}
