// What befalls a process from outside: descriptors that run out, a log that nobody takes, being stopped, being killed.

import { closeSync, existsSync, openSync } from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { askAdminAt, until } from '../e2e/operating.ts';
import { atTestEnd } from '../support/cleanup.ts';
import type { CliProcess } from '../support/cli-process.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { Opcode, pong, text, upgradeRequest } from '../support/wire.ts';
import { folder, launch, PROCESS_MS, portIn, portOf, startRunning } from './command.ts';
import { expectRefusal, requestOf, withFields } from './harness.ts';
import { closeCleanly } from './pair.ts';

interface Ends {
  readonly client: RawClient;
  readonly server: BackendConnection;
}

/** One listener, one route to `url`, an admin listener. */
function configTo(url: string, more = '', address = '127.0.0.1:0', admin = '127.0.0.1:0'): string {
  return [
    `listeners: [{ name: test, address: "${address}" }]`,
    `routes: [{ name: test, upstream: "${url}" }]`,
    `admin: { address: "${admin}" }`,
    more,
    '',
  ].join('\n');
}

async function openThrough(where: number | string, backend: RawBackend): Promise<Ends> {
  const client = await RawClient.connect(where, { deadlineMs: 20_000 });
  const opened = client.upgrade();
  const server = await backend.nextSession();
  expect((await opened).status).toBe(101);
  return { client, server };
}

/** A message each way. */
async function expectEcho({ client, server }: Ends, words: string): Promise<void> {
  client.send(text(words, { mask: true }));
  expect((await server.nextFrame()).payload.toString()).toBe(words);
  server.send(text(`${words}!`));
  expect((await client.nextFrame()).payload.toString()).toBe(`${words}!`);
}

async function metricOf(admin: number | string, name: string): Promise<number> {
  const { body } = await askAdminAt(admin, 'GET /metrics');
  return parseMetrics(body).get(name)?.samples[0]?.value ?? Number.NaN;
}

function isAnswering(where: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(where);
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => resolve(false));
    socket.once('close', (failed) => resolve(!failed));
  });
}

async function descriptorsAre(cli: CliProcess, count: number): Promise<void> {
  await until(`${count} descriptors again: ${cli.openDescriptors()}`, () => cli.openDescriptors() <= count);
}

/** Node and the modules that it loads at once take less than seventy. */
const OPEN_FILES = 80;
/** floor((80 - 32) / 2) */
const SESSIONS_MAX = 24;

describe.runIf(process.platform === 'linux')('descriptors run out', () => {
  const limits = { openFiles: OPEN_FILES } as const;

  test(
    'E17: a flood on a full house: each client is accepted and told, or cut off, by us; descriptors are left over',
    async () => {
      const backend = await RawBackend.listen();
      const { cli, port } = await startRunning(
        configTo(backend.url, 'timeouts: { close: 100ms }'),
        [],
        undefined,
        limits,
      );
      const admin = await portOf(cli, 'admin');
      expect(await cli.waitForLog('max_sessions.lowered')).toMatchObject({ max_sessions: SESSIONS_MAX });
      const before = cli.openDescriptors();
      const sessions: Ends[] = [];
      while (sessions.length < SESSIONS_MAX) sessions.push(await openThrough(port, backend));
      const flood = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(port)));
      await Promise.all(flood.map((client) => client.ended.catch(() => client.closed)));
      const told = flood.filter((client) => client.unread.length > 0);
      expect(told.length).toBeGreaterThan(0);
      for (const client of told) expectRefusal(await client.readResponse(), '503 too_many_sessions');
      // One that libuv drops for want of a descriptor is never seen, nor counted, by us.
      expect(await metricOf(admin, 'framegate_connections_accepted_total')).toBe(SESSIONS_MAX + flood.length);
      expect(await metricOf(admin, 'process_max_fds')).toBe(OPEN_FILES);
      expect(await metricOf(admin, 'process_open_fds')).toBeLessThan(OPEN_FILES);
      for (const session of sessions) await expectEcho(session, 'still here');
      for (const { client } of [...sessions, ...flood.map((client) => ({ client }))]) client.destroy();
      await descriptorsAre(cli, before);
      await closeCleanly(await openThrough(port, backend));
    },
    PROCESS_MS,
  );

  /** How a request ended: a session, one answer, or a FIN without a byte. */
  async function outcomeOf(port: number, backend: RawBackend, clients: RawClient[]): Promise<string> {
    const client = await RawClient.connect(port);
    const dials = backend.connections;
    client.send(upgradeRequest());
    await until('a dial, an answer or the end', () => {
      return backend.connections > dials || client.bytesReceived > 0 || client.finSeen || client.isClosed;
    });
    if (backend.connections > dials) {
      clients.push(client);
      await backend.nextConnection();
      return 'dialed';
    }
    const answer = client.bytesReceived > 0 ? await client.readResponse() : null;
    client.destroy();
    if (answer === null) return 'cut off';
    expectRefusal(answer, '503 no_descriptor');
    return 'refused';
  }

  test(
    'E18: none for a dial is 503, no target is blamed; none for an accept is the end, and no time is burnt',
    async () => {
      const backend = await RawBackend.listen({ deadlineMs: 20_000 });
      const config = configTo(backend.url, 'timeouts: { close: 100ms }');
      const options = { openFiles: OPEN_FILES + 48, idleDescriptors: 40 };
      const { cli, port } = await startRunning(config, [], undefined, options);
      const admin = await portOf(cli, 'admin');
      const session = await openThrough(port, backend);
      const before = cli.openDescriptors();
      const clients = [await RawClient.connect(port)];
      const attempt = () => outcomeOf(port, backend, clients);
      let first = 'dialed';
      while (first === 'dialed') first = await attempt();
      // Each session takes two: one more or one less is the other case.
      if (first === 'refused') clients.push(await RawClient.connect(port));
      else clients.shift()?.destroy();
      const second: string[] = [];
      await until('the other outcome', async () => second.push(await attempt()) > 0 && second.at(-1) !== first);
      expect([first, second.at(-1)].sort()).toEqual(['cut off', 'refused']);
      await expectEcho(session, 'still here');
      const cpuMs = cli.cpuMs();
      const fullSince = performance.now();
      await until('a second without a free descriptor', () => performance.now() - fullSince > 1000);
      expect(cli.cpuMs() - cpuMs).toBeLessThan(500);
      for (const client of clients) client.destroy();
      await descriptorsAre(cli, before);
      expect(await cli.waitForLog('handshake.refused')).toMatchObject({ error: 'no_descriptor', cause: 'EMFILE' });
      expect(await metricOf(admin, 'framegate_target_up')).toBe(1);
      await closeCleanly(await openThrough(port, backend));
      await expectEcho(session, 'and still');
    },
    PROCESS_MS,
  );
});

const DROPPED = 'framegate_log_lines_dropped_total';

/** Refusals whose lines are as long as lines get, of many kinds, until one is lost: at some 2 MiB a second. */
async function fillLog(port: number, adminPath: string): Promise<void> {
  const long = '\xff'.repeat(256);
  const heads = [
    withFields(`User-Agent: ${long}`),
    requestOf({ omit: ['upgrade'], fields: [`User-Agent: ${long}`] }),
    requestOf({ omit: ['connection'], fields: [`User-Agent: ${long}`] }),
    requestOf({ omit: ['sec-websocket-key'], fields: [`User-Agent: ${long}`] }),
    requestOf({ omit: ['sec-websocket-version'], fields: [`User-Agent: ${long}`] }),
    withFields(`User-Agent: ${long}`, 'Expect: 100-continue'),
    withFields(`User-Agent: ${long}`, 'Transfer-Encoding: chunked'),
    withFields(`User-Agent: ${long}`, 'Content-Length: 1'),
    withFields(`User-Agent: ${long}`, `Origin: ${'o'.repeat(300)}`, 'Sec-WebSocket-Extensions: ;'),
    withFields(`User-Agent: ${long}`, 'Sec-WebSocket-Protocol: ,'),
  ];
  for (let round = 0; round % 50 !== 0 || (await metricOf(adminPath, DROPPED)) === 0; round += 1) {
    if (round > 2_000) throw new Error('none is lost');
    await Promise.all(
      heads.map(async (head) => {
        const client = await RawClient.connect(port);
        client.send(head.replace('GET / ', `GET /none/${'p'.repeat(300)} `));
        await client.readResponse();
        client.destroy();
      }),
    );
  }
}

describe('a log that nobody takes', () => {
  /** A process whose log says nothing of where it listens: its admin listener, on a unix socket, does. */
  async function silent(url: string, stdout?: number) {
    const adminPath = path.join(folder(), 'admin.sock');
    const text = configTo(url, 'timeouts: { close: 100ms }', '127.0.0.1:0', `unix:${adminPath}`);
    // One exact path: all others are refused.
    const oneRoute = text.replace('{ name: test, upstream', '{ name: test, match: { path: / }, upstream');
    const cli = launch(oneRoute, [], undefined, stdout === undefined ? {} : { stdout });
    await until('the admin listener is there', () => isAnswering(adminPath));
    const { json } = await askAdminAt(adminPath, 'GET /api/v1/status');
    const { listeners } = json as { listeners: { address: string }[] };
    return { cli, adminPath, port: portIn(listeners[0]?.address) };
  }

  async function expectServing(cli: CliProcess, port: number, backend: RawBackend, before: number): Promise<void> {
    expect(cli.isRunning).toBe(true);
    await closeCleanly(await openThrough(port, backend));
    await descriptorsAre(cli, before);
    cli.signal('SIGTERM');
    expect(await cli.exit()).toMatchObject({ code: 0, stderr: '' });
  }

  test.runIf(existsSync('/dev/full'))(
    'E20: a full disk: sessions go on, lines wait up to a bound, then are dropped and counted; exit 0',
    async () => {
      const backend = await RawBackend.listen();
      const full = openSync('/dev/full', 'w');
      atTestEnd(() => closeSync(full));
      const { cli, adminPath, port } = await silent(backend.url, full);
      const session = await openThrough(port, backend);
      const before = cli.openDescriptors();
      expect(await metricOf(adminPath, DROPPED)).toBe(0);
      await fillLog(port, adminPath);
      await expectEcho(session, 'still here');
      expect(await metricOf(adminPath, DROPPED)).toBeGreaterThan(0);
      await expectServing(cli, port, backend, before);
    },
    PROCESS_MS,
  );

  test(
    'E20: a closed pipe: sessions go on, every line is dropped and counted; exit 0',
    async () => {
      const backend = await RawBackend.listen();
      const { cli, adminPath, port } = await silent(backend.url);
      const session = await openThrough(port, backend);
      const before = cli.openDescriptors();
      cli.child.stdout?.destroy();
      const dropped = async () => (await metricOf(adminPath, DROPPED)) > 0;
      await until('a line is lost', async () => {
        await closeCleanly(await openThrough(port, backend));
        return dropped();
      });
      await expectEcho(session, 'still here');
      await expectServing(cli, port, backend, before);
    },
    PROCESS_MS,
  );

  test(
    'E21: a reader that stalls: nobody waits for it; what it takes later is whole lines, and says what is missing',
    async () => {
      const backend = await RawBackend.listen();
      const { cli, adminPath, port } = await silent(backend.url);
      const session = await openThrough(port, backend);
      const before = cli.openDescriptors();
      cli.child.stdout?.pause();
      await fillLog(port, adminPath);
      await expectEcho(session, 'still here');
      const dropped = await metricOf(adminPath, DROPPED);
      expect(dropped).toBeGreaterThan(0);
      cli.child.stdout?.resume();
      await until('the end of a session is told again', async () => {
        await closeCleanly(await openThrough(port, backend));
        return cli.logs.some(({ event }) => event === 'session.end');
      });
      // Held were 4 MiB and what pipes hold, not all that was to be written.
      expect(cli.stdout.length).toBeLessThan(4.5 * 2 ** 20);
      expect(cli.faults).toEqual([]);
      await expectEcho(session, 'and still');
      await expectServing(cli, port, backend, before);
    },
    PROCESS_MS,
  );
});

describe('stopped and killed', () => {
  test(
    'E23: SIGSTOP for longer than every timeout: who spoke meanwhile is alive, nobody is cut off for our silence',
    async () => {
      const backend = await RawBackend.listen({ deadlineMs: 20_000 });
      const stalls = 'idle: 3s, message_stall: 2s, write_stall: 2s, handshake: 2s, pong: 2s';
      const config = `timeouts: { ${stalls}, client_ping_interval: 1s, backend_ping_interval: 1s }`;
      const { cli, port } = await startRunning(configTo(backend.url, config));
      const sessions: Ends[] = [];
      while (sessions.length < 10) sessions.push(await openThrough(port, backend));
      // Pinged, and the pongs are on their way when the process stops.
      const pings = await Promise.all(
        sessions.flatMap(({ client, server }) => [client.nextFrame(), server.nextFrame()]),
      );
      expect(new Set(pings.map(({ opcode }) => opcode))).toEqual(new Set([Opcode.Ping]));
      const before = cli.openDescriptors();
      const late = await RawClient.connect(port);
      await until('it is accepted', () => cli.openDescriptors() > before);
      const messages = sessions.map((_, index) => text(`from ${index}`, { mask: true }));
      for (const [index, { client, server }] of sessions.entries()) {
        client.send(messages[index]?.subarray(0, 9) ?? '');
        await server.readBytes(9);
      }
      cli.signal('SIGSTOP');
      for (const [index, { client, server }] of sessions.entries()) {
        client.send(messages[index]?.subarray(9) ?? '', pong(pings[2 * index]?.payload ?? '', { mask: true }));
        server.send(pong(pings[2 * index + 1]?.payload ?? ''));
      }
      late.send(upgradeRequest());
      const stoppedAt = performance.now();
      await until('it was stopped for 4 s', () => performance.now() - stoppedAt > 4000);
      cli.signal('SIGCONT');
      for (const [index, { server }] of sessions.entries()) {
        const rest = messages[index]?.subarray(9) ?? Buffer.alloc(0);
        expect(await server.readBytes(rest.length)).toEqual(rest);
      }
      const server = await backend.nextSession();
      expect((await late.readHead()).status).toBe(101);
      for (const session of [...sessions, { client: late, server }]) await closeCleanly(session);
      await until('all ends are told', () => endsOf(cli).length === sessions.length + 1);
      expect(new Set(endsOf(cli))).toEqual(new Set(['client_close']));
      await descriptorsAre(cli, before - 2 * sessions.length);
    },
    PROCESS_MS,
  );

  test.each(['a port', 'a unix socket'])(
    'E35: kill -9: both ends of a session see the end; the next process binds %s at once',
    async (where) => {
      const backend = await RawBackend.listen();
      const base = folder();
      const file = path.join(base, 'a.yaml');
      const socket = path.join(base, 'data.sock');
      const admin = `unix:${path.join(base, 'admin.sock')}`;
      const isPort = where === 'a port';
      const first = launch(configTo(backend.url, '', isPort ? '127.0.0.1:0' : `unix:${socket}`, admin), [], file);
      const { address } = await first.waitForLog('listening', (line) => line.listener === 'test');
      const sessions = [];
      const target = isPort ? portIn(address) : socket;
      while (sessions.length < 5) sessions.push(await openThrough(target, backend));
      const waiting = await RawClient.connect(target);
      first.signal('SIGKILL');
      expect(await first.exit()).toMatchObject({ signal: 'SIGKILL' });
      for (const { client, server } of sessions) await Promise.all([client.closed, server.closed]);
      await waiting.closed;
      const again = launch(configTo(backend.url, '', String(address), admin), [], file);
      expect(await again.waitForLog('listening', (line) => line.listener === 'test')).toMatchObject({ address });
      const session = await openThrough(target, backend);
      await expectEcho(session, 'here again');
      await closeCleanly(session);
      again.signal('SIGTERM');
      expect(await again.exit()).toMatchObject({ code: 0, stderr: '' });
    },
    PROCESS_MS,
  );
});

function endsOf({ logs }: CliProcess): unknown[] {
  return logs.filter(({ event }) => event === 'session.end').map(({ reason }) => reason);
}
