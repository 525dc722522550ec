// Time that goes wrong: peers that are silent for ever, clocks that jump, an event loop that stands still, delays
// longer than a Node timer can be.

import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { askAdmin } from '../e2e/operating.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { closeFrame, Opcode, pong, text, upgradeRequest } from '../support/wire.ts';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  openPair,
  openSession,
  openTimed,
  otherOf,
  type Pair,
} from './pair.ts';

const HOUR_MS = 3_600_000;

/** A message each way. */
async function expectAlive({ client, server }: Pick<Pair, 'client' | 'server'>): Promise<void> {
  client.send(text('up', { mask: true }));
  server.send(text('down'));
  expect((await server.nextFrame()).payload.toString()).toBe('up');
  expect((await client.nextFrame()).payload.toString()).toBe('down');
}

describe.each(bothSides)('a %s that is gone without a FIN', (side) => {
  const told = { client: { code: 1001, reason: 'pong' }, backend: { code: 1012, reason: 'backend lost' } } as const;

  test('D7: our ping is unanswered for timeouts.pong: it is destroyed, the other side gets its Close', async () => {
    const timeouts = { [`${side}_ping_interval`]: '10s', pong: '5s' };
    const { pair, pass } = await openTimed({ timeouts });
    const { culprit: gone, other } = endsOf(pair, side);
    await pass(9_999);
    expect(gone.unread).toHaveLength(0);
    await pass(1);
    const asked = await gone.nextFrame();
    expect([asked.opcode, asked.payload.length]).toEqual([Opcode.Ping, 16]);
    await pass(2_000);
    // That the kernel takes what is sent to it shows nothing.
    other.send(text('is it there?', as(otherOf(side))));
    expect((await gone.nextFrame()).payload.toString()).toBe('is it there?');
    await pass(2_900);
    expect([other.unread.length, gone.finSeen]).toEqual([0, false]);
    await pass(200);
    expect((await other.nextClose()).code).toBe(told[side].code);
    other.send(closeFrame(told[side].code, '', as(otherOf(side))));
    other.end();
    await Promise.all([gone.closed, other.closed]);
    expect(gone.unread).toHaveLength(0);
    expect(await endLine(pair.running)).toMatchObject({
      by: side,
      reason: `${side}_pong_timeout`,
      limit: 'pong',
      clean: false,
      [`close_code_${side}`]: null,
    });
  });

  test('D7: a ping of ours is no traffic: idle ends the session when it is due', async () => {
    const timeouts = { [`${side}_ping_interval`]: '10s', pong: '20s', idle: '15s' };
    const { pair, pass } = await openTimed({ timeouts });
    await pass(10_000);
    expect((await endsOf(pair, side).culprit.nextFrame()).opcode).toBe(Opcode.Ping);
    await pass(4_999);
    expect(pair.client.unread).toHaveLength(0);
    await pass(1);
    expect(await pair.client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
  });
});

test('E8: with the defaults a client that vanished is noticed after 50 s, not before', async () => {
  const { pair, pass } = await openTimed({});
  const { client, server, running } = pair;
  await pass(29_999);
  expect(client.unread).toHaveLength(0);
  await pass(1);
  expect((await client.nextFrame()).opcode).toBe(Opcode.Ping);
  await pass(19_900);
  expect([server.unread.length, running.logsOf('session.end').length]).toEqual([0, 0]);
  await pass(200);
  expect(await server.nextClose()).toEqual({ code: 1001, reason: 'pong' });
  server.send(closeFrame(1001));
  server.end();
  await Promise.all([client.closed, server.closed]);
  expect(await endLine(running)).toMatchObject({
    by: 'client',
    reason: 'client_pong_timeout',
    close_code_backend: 1001,
  });
});

describe.each([
  ['forward', HOUR_MS],
  ['back', -HOUR_MS],
])('the wall clock jumps an hour %s', (_way, jumpMs) => {
  test('E22: sessions, handshakes, rates and timeouts do not notice; the times in the log follow', async () => {
    // Only Date is made up: the proxy's own clock, Node's timers and its sockets go on as ever.
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const limits = { from_client: { messages_per_second: 0.01, message_burst: 3, on_rate_exceeded: 'close' as const } };
    const timeouts = { idle: '30m', lifetime: '30m', client_ping_interval: '10m', pong: '10s' };
    const pair = await openPair({ route: { limits, timeouts } });
    const neighbour = await openSession(pair.running, pair.backend);
    const late = await RawClient.connect(pair.running.port);
    late.send('GET / HTTP/1.1\r\n');
    pair.client.send(text('1', { mask: true }), text('2', { mask: true }));
    await pair.server.nextFrames(2);
    const before = Date.now();
    vi.setSystemTime(before + jumpMs);
    late.send(upgradeRequest().subarray('GET / HTTP/1.1\r\n'.length));
    const server = await pair.backend.nextSession();
    expect((await late.readHead()).status).toBe(101);
    // What two timers in a row need to fire; nothing of all this is due.
    const short = await openPair({ route: { timeouts: { idle: '200ms' } } });
    expect(await short.client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    await expectAlive(neighbour);
    // One message is left of the burst, whatever the wall says.
    await expectAlive(pair);
    pair.client.send(text('too many', { mask: true }));
    expect(await pair.server.nextClose()).toEqual({ code: 1001, reason: 'messages_per_second' });
    await closeCleanly({ client: late, server });
    const end = await pair.running.waitForLog('session.end');
    expect(end.reason).toBe('client_close');
    expect(end.duration_ms).toBeLessThan(60_000);
    expect(Math.abs(Date.parse(end.time) - before - jumpMs)).toBeLessThan(60_000);
    const jumps = pair.running.logsOf('clock.jumped');
    expect(jumps).toMatchObject([{ level: 'warn', ms: expect.any(Number) }]);
    expect(Math.abs(Number(jumps[0]?.ms) - jumpMs)).toBeLessThan(60_000);
  });
});

test('L41: the process stands still in every turn: a handshake, a session and a drain end all the same', async () => {
  let now = 1_000_000;
  // Over a second has gone by whenever the clock is asked again by what drives the timers.
  const running = await startProxy(
    oneRoute(
      'builtin:echo',
      { timeouts: { idle: '30s' } },
      { timeouts: { handshake: '20s' }, drain: { timeout: '9s' } },
    ),
    { clock: { now: () => now } },
  );
  const standstills = setInterval(() => {
    now += 1_500;
  }, 20);
  onTestFinished(() => clearInterval(standstills));
  const late = await RawClient.connect(running.port);
  late.send('GET / HTTP/1.1\r\n');
  expect((await late.readHead()).status).toBe(408);
  const idle = await RawClient.connect(running.port);
  expect((await idle.upgrade()).status).toBe(101);
  expect(await idle.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
  const deaf = await RawClient.connect(running.port);
  expect((await deaf.upgrade()).status).toBe(101);
  expect(await running.proxy.drain()).toEqual({ closed: expect.any(Number), cut: expect.any(Number) });
  await deaf.closed;
});

describe('the event loop is blocked for 2 s', () => {
  function block(ms: number): void {
    const until = performance.now() + ms;
    while (performance.now() < until);
  }

  test.each([
    [2000, '1500ms'],
    [700, '600ms'],
  ])(
    'E29: for %i ms, longer than pong: who spoke meanwhile is alive, and the lag is a metric',
    async (ms, pongTime) => {
      const timeouts = { client_ping_interval: '1s', backend_ping_interval: '1s', pong: pongTime };
      const backend = await RawBackend.listen();
      const config = { admin: { address: '127.0.0.1:0' }, timeouts: { handshake: '2s' } };
      const running = await startProxy(oneRoute(backend.url, { timeouts }, config), { process });
      const late = await RawClient.connect(running.port);
      const session = await openSession(running, backend);
      const [fromClient, fromBackend] = await Promise.all([session.client.nextFrame(), session.server.nextFrame()]);
      // All of this is in the kernel before the proxy can read it; the handshake is due within the 2 s.
      session.client.send(pong(fromClient.payload, { mask: true }));
      session.server.send(pong(fromBackend.payload));
      late.send(upgradeRequest());
      block(ms);
      const server = await backend.nextSession();
      expect((await late.readHead()).status).toBe(101);
      await expectAlive(session);
      await closeCleanly(session);
      await closeCleanly({ client: late, server });
      const { body } = await askAdmin(running, 'GET /metrics');
      const lag = parseMetrics(body).get('nodejs_eventloop_lag_max_seconds')?.samples[0]?.value;
      expect(lag).toBeGreaterThan((ms / 1000) * 0.9);
    },
  );
});

describe('delays longer than a Node timer can be', () => {
  const keys = ['idle', 'message_stall', 'write_stall', 'slow_reader', 'lifetime', 'client_ping_interval'] as const;
  const sides = ['connect', 'upgrade', 'open', 'close', 'pong', 'backend_ping_interval'] as const;

  test.each(['597h', '2147484s', '87600h'])('L9: every timeout is %s: nothing fires at once', async (longest) => {
    // 2^31 ms are 596.5 hours.
    const timeouts = Object.fromEntries([...keys, ...sides].map((key) => [key, longest]));
    const accepted = await openPair({ route: { timeouts }, config: { timeouts: { handshake: '5m' } } });
    const short = await openPair({ route: { timeouts: { idle: '200ms' } } });
    expect(await short.client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    await expectAlive(accepted);
    await closeCleanly(accepted);
    expect(await endLine(accepted.running)).toMatchObject({ reason: 'client_close' });
  });

  test('L9: an idle timeout of 30 days is 30 days', async () => {
    const { pair, pass } = await openTimed({ timeouts: { idle: '720h', client_ping_interval: 'off' } });
    // Around 2^31 ms, and up to one tick of the timers before it is due.
    for (const ms of [2_147_483_600, 50, 720 * HOUR_MS - 2_147_483_650 - 50]) {
      await pass(ms);
      expect([pair.client.unread.length, pair.server.unread.length]).toEqual([0, 0]);
    }
    await pass(50);
    expect(await pair.client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
  });
});
