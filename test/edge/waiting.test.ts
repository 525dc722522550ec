import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { binary, text, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable';
const EARLY = text('early', { mask: true });

const ROUTES = [
  { name: 'echo', match: { path: '/echo' }, upstream: 'one' },
  { name: 'other', match: { path: '/other' }, upstream: 'one' },
];

function configOf(over: Partial<ConfigInput> = {}): Partial<ConfigInput> {
  return {
    routes: ROUTES,
    upstreams: { one: { targets: [{ name: 'a', url: 'ws://192.0.2.1:1' }] } },
    listeners: [{ name: 'in', health_path: '/healthz' }],
    limits: { max_handshakes: 1, max_early_bytes: '1KiB' },
    ...over,
  };
}

/** One handshake under way, and one that waits for its turn. */
async function waiting(config = configOf(), extra: Buffer = EARLY) {
  const rig = new Rig(config);
  const first = rig.connect();
  await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
  const second = rig.connect(Buffer.concat([upgradeRequest({ path: '/echo' }), extra]));
  await rig.turns(5);
  expect([rig.backends.length, figuresOf(rig)]).toEqual([1, [1, 1]]);
  return { rig, first, second };
}

function figuresOf(rig: Rig): [open: number, waiting: number] {
  const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
  return [handshakesOpen, handshakesWaiting];
}

function causesOf(rig: Rig): unknown[] {
  return rig.tap.lines.filter(({ event }) => event === 'handshake.refused').map(({ error, cause }) => [error, cause]);
}

const retryAfterOf = (client: MemoryTransport) => /Retry-After: ([1-5])\r\n/.exec(client.received.toString())?.[1];

describe('a complete head above max_handshakes', () => {
  test('waits, and goes on when one is a session; what it sent meanwhile arrives', async () => {
    const { rig, first, second } = await waiting();
    second.send(EARLY);
    second.pump();
    await rig.switchBackend(0);
    expect(await rig.answer(first)).toBe(SWITCHED);
    const backend = await rig.switchBackend(1);
    expect(await rig.answer(second)).toBe(SWITCHED);
    expect(backend.received.subarray(-2 * EARLY.length)).toEqual(Buffer.concat([EARLY, EARLY]));
    expect(figuresOf(rig)).toEqual([0, 0]);
  });

  test.each(['leaves', 'is refused'])('goes on when one %s', async (how) => {
    const { rig, first } = await waiting();
    if (how === 'leaves') first.fin();
    else rig.backends[0]?.fin();
    first.pump();
    rig.backends[0]?.pump();
    await rig.until(() => rig.backends.length === 2);
    expect(figuresOf(rig)).toEqual([1, 0]);
  });

  test.each(['fin', 'rst'] as const)('is dropped at once when its client leaves (%s)', async (how) => {
    const { rig, second } = await waiting();
    second[how]();
    second.pump();
    expect([second.destroyed, figuresOf(rig), rig.route().sessions]).toEqual([true, [1, 0], 1]);
    expect(causesOf(rig)).toEqual([['client_gone', undefined]]);
  });

  test('is read no more once it has sent max_early_bytes, and gets 503 when timeouts.open has passed', async () => {
    const { rig, second } = await waiting(configOf(), binary(Buffer.alloc(1_024), { mask: true }));
    expect(second.paused).toBe(true);
    second.fin();
    second.pump();
    rig.pass(10_001);
    expect(second.destroyed).toBe(false);
    rig.pass(5_000);
    expect(await rig.answer(second)).toBe(UNAVAILABLE);
    expect(retryAfterOf(second)).toBeDefined();
    expect(causesOf(rig)).toContainEqual(['too_many_handshakes', 'max_handshakes']);
    expect(rig.edge.metrics.route('echo').fromClient.limitHits.of('max_handshakes')).toBe(1);
    expect(figuresOf(rig)[1]).toBe(0);
  });

  test('takes what is left of timeouts.open to its backend', async () => {
    const { rig, first, second } = await waiting(configOf({ timeouts: { open: '4s', upgrade: '60s' } }));
    rig.pass(3_000);
    first.fin();
    first.pump();
    await rig.until(() => rig.backends.length === 2);
    rig.pass(1_001);
    expect(await rig.answer(second)).toBe('HTTP/1.1 504 Gateway Timeout');
  });

  test('is refused when framegate drains', async () => {
    const { rig, second } = await waiting();
    rig.edge.refusing = true;
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    expect(await rig.answer(second)).toBe(UNAVAILABLE);
    expect([figuresOf(rig), causesOf(rig)[1]]).toEqual([
      [0, 0],
      ['draining', undefined],
    ]);
  });

  test('is refused at its turn when its route is drained', async () => {
    const { rig, first, second } = await waiting();
    rig.route().draining = true;
    first.fin();
    first.pump();
    expect(await rig.answer(second)).toBe(UNAVAILABLE);
    expect(causesOf(rig)).toContainEqual(['draining', 'route_drain']);
    expect([rig.backends.length, figuresOf(rig)]).toEqual([1, [0, 0]]);
  });

  test('is refused at once when a reload takes its route away', async () => {
    const { rig, second } = await waiting();
    rig.reload(configOf({ routes: ROUTES.slice(1) }));
    expect(await rig.answer(second)).toBe(UNAVAILABLE);
    expect([causesOf(rig), figuresOf(rig)]).toEqual([[['draining', 'route_removed']], [1, 0]]);
  });

  test('waits for the upstream that a reload gives its route, and goes on when that has room', async () => {
    const upstreams = {
      one: { targets: [{ name: 'a', url: 'ws://192.0.2.1:1' }], max_handshakes: 1 },
      two: { targets: [{ name: 'b', url: 'ws://192.0.2.2:1' }], max_handshakes: 1 },
    };
    const limits = { max_handshakes: 4 };
    const { rig, second } = await waiting(configOf({ limits, upstreams }));
    const third = rig.connect();
    expect(figuresOf(rig)).toEqual([1, 2]);
    rig.reload(configOf({ limits, upstreams, routes: ROUTES.map((route) => ({ ...route, upstream: 'two' })) }));
    await rig.switchBackend(1);
    expect(await rig.answer(second)).toBe(SWITCHED);
    await rig.switchBackend(2);
    expect(await rig.answer(third)).toBe(SWITCHED);
    expect(figuresOf(rig)).toEqual([1, 0]);
  });

  test.each([
    [4_095, false],
    [4_096, true],
  ])('that has sent %i bytes behind it is held back: %s; at its turn it is read on', async (size, isHeld) => {
    const frame = binary(Buffer.alloc(size - 8), { mask: true });
    expect(frame.length).toBe(size);
    const limits = { max_handshakes: 1, max_early_bytes: '64KiB' };
    const { rig, first, second } = await waiting(configOf({ limits }), frame);
    expect(second.paused).toBe(isHeld);
    await rig.switchBackend(0);
    expect(await rig.answer(first)).toBe(SWITCHED);
    await rig.until(() => rig.backends.length === 2);
    expect(second.paused).toBe(false);
  });

  test('is dropped when its client leaves though nothing may be held for it', async () => {
    const limits = { max_handshakes: 1, max_early_bytes: '0B' };
    const { rig, second } = await waiting(configOf({ limits }), Buffer.alloc(0));
    second.fin();
    second.pump();
    expect([second.destroyed, figuresOf(rig)]).toEqual([true, [1, 0]]);
  });

  test('follows a reload: a shorter open, and more slots', async () => {
    const { rig, second } = await waiting();
    rig.connect(upgradeRequest({ path: '/other' }));
    rig.reload(configOf({ limits: { max_handshakes: 2 }, timeouts: { open: '2s' } }));
    await rig.until(() => rig.backends.length === 2);
    rig.pass(2_001);
    expect(await rig.answer(second)).toBe('HTTP/1.1 504 Gateway Timeout');
  });

  test('counts in max_sessions of its route, and as one of its client', async () => {
    const limits = { max_handshakes: 1, max_sessions_per_ip: 2 };
    const { rig } = await waiting(configOf({ limits, routes: [{ ...ROUTES[0], upstream: 'one' }] }));
    expect(rig.route().sessions).toBe(2);
  });

  test('is 503 at once when the queue is full', async () => {
    const { rig } = await waiting(configOf({ limits: { max_handshakes: 1, max_waiting_handshakes: 1 } }));
    const third = rig.connect();
    expect(await rig.answer(third)).toBe(UNAVAILABLE);
    expect([causesOf(rig), figuresOf(rig)]).toEqual([[['too_many_handshakes', 'max_waiting_handshakes']], [1, 1]]);
  });

  test('a client that has less in a full queue takes the place of the newest of one that has more', async () => {
    const rig = new Rig(configOf({ limits: { max_handshakes: 1, max_waiting_handshakes: 2 } }));
    const request = upgradeRequest({ path: '/echo' });
    const [, , newest] = [1, 2, 3].map(() => rig.connect(request, '192.0.2.1'));
    rig.connect(request, '192.0.2.2');
    expect(newest === undefined ? '' : await rig.answer(newest)).toBe(UNAVAILABLE);
    expect(figuresOf(rig)).toEqual([1, 2]);
  });

  test('a probe does not wait', async () => {
    const { rig } = await waiting();
    const probe = rig.connect(Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect(await rig.answer(probe)).toBe('HTTP/1.1 200 OK');
  });
});

test('an upstream that says nothing keeps nobody from another one', async () => {
  const rig = new Rig({
    routes: [
      { name: 'silent', match: { path: '/silent' }, upstream: 'silent' },
      { name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo' },
    ],
    upstreams: { silent: { targets: [{ name: 'a', url: 'ws://192.0.2.1:1' }] } },
    limits: { max_handshakes: 8 },
  });
  for (let i = 0; i < 50; i += 1) rig.connect(upgradeRequest({ path: '/silent' }));
  await rig.until(() => figuresOf(rig)[1] === 44);
  expect(figuresOf(rig)[0]).toBe(6);
  for (let i = 0; i < 40; i += 1) await rig.open();
});
