import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { binary, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const UNAVAILABLE = 'HTTP/1.1 503 Service Unavailable';
const ECHO = upgradeRequest({ path: '/echo' });
type Upstream = NonNullable<ConfigInput['upstreams']>[string];

/** One target for one session, and a queue for two handshakes. */
function configOf(upstream: Partial<Upstream> = {}, over: Partial<ConfigInput> = {}): Partial<ConfigInput> {
  const targets = [{ name: 'a', url: 'ws://192.0.2.1:1', max_sessions: 1 }];
  return {
    routes: [{ name: 'echo', upstream: 'u' }],
    upstreams: { u: { targets, queue: { size: 2, timeout: '5s' }, ...upstream } },
    ...over,
  };
}

interface Full {
  readonly rig: Rig;
  readonly holder: MemoryTransport;
}

/** Its one slot is a session's. */
async function full(config = configOf()): Promise<Full> {
  const rig = new Rig(config);
  const holder = rig.connect(ECHO);
  await rig.switchBackend(0);
  expect(await rig.answer(holder)).toBe(SWITCHED);
  return { rig, holder };
}

/** So many more clients, which wait. */
async function park(rig: Rig, count: number, extra: Buffer = Buffer.alloc(0)): Promise<MemoryTransport[]> {
  const before = rig.route().upstream.queue.size;
  const clients = Array.from({ length: count }, () => rig.connect(Buffer.concat([ECHO, extra])));
  await rig.until(() => rig.route().upstream.queue.size === before + count);
  return clients;
}

/** The session that holds the slot is gone. */
function freeSlot({ holder, rig }: Full, backend = 0): void {
  holder.rst();
  holder.pump();
  rig.backends[backend]?.fin();
  rig.backends[backend]?.pump();
}

const figuresOf = (rig: Rig): unknown[] => {
  const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
  return [handshakesOpen, handshakesWaiting, rig.route().upstream.queue.size];
};

const causesOf = (rig: Rig): unknown[] =>
  rig.tap.lines.filter(({ event }) => event === 'handshake.refused').map(({ error, cause }) => [error, cause]);

describe('while every target is full', () => {
  test('handshakes wait in their order, outside of those under way, and go on as slots come free', async () => {
    const state = await full();
    const { rig } = state;
    const [first, second] = (await park(rig, 2)) as [MemoryTransport, MemoryTransport];
    expect(figuresOf(rig)).toEqual([0, 2, 2]);
    freeSlot(state);
    await rig.switchBackend(1);
    expect(await rig.answer(first)).toBe(SWITCHED);
    expect([second.receivedBytes, figuresOf(rig)]).toEqual([0, [0, 1, 1]]);
    freeSlot({ rig, holder: first }, 1);
    await rig.switchBackend(2);
    expect(await rig.answer(second)).toBe(SWITCHED);
    expect(figuresOf(rig)).toEqual([0, 0, 0]);
    expect(rig.edge.metrics.upstream('u').queueDuration.count).toBe(2);
  });

  test('the one above queue.size is refused at once, and the log says why', async () => {
    const { rig } = await full();
    await park(rig, 2);
    expect(await rig.answer(rig.connect(ECHO))).toBe(UNAVAILABLE);
    const line = rig.tap.lines.find(({ event }) => event === 'handshake.refused');
    const targets = { down: 0, full: 1, draining: 0 };
    expect(line).toMatchObject({ error: 'no_target', cause: 'queue.size', targets, status: 503 });
    expect(figuresOf(rig)).toEqual([0, 2, 2]);
  });

  test('without a queue each is refused at once', async () => {
    const { rig } = await full(configOf({ queue: {} }));
    expect(await rig.answer(rig.connect(ECHO))).toBe(UNAVAILABLE);
    expect(causesOf(rig)).toEqual([['no_target', 'none has room']]);
  });

  test('who waits is refused after queue.timeout, on both sides of its edge', async () => {
    const { rig } = await full();
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.pass(4_999);
    expect(first.receivedBytes).toBe(0);
    rig.pass(1);
    expect(await rig.answer(first)).toBe(UNAVAILABLE);
    expect(/Retry-After: [1-5]\r\n/.test(first.received.toString())).toBe(true);
    expect([causesOf(rig), figuresOf(rig)]).toEqual([[['no_target', 'queue.timeout']], [0, 0, 0]]);
  });

  test('timeouts.open runs on, and may be over first', async () => {
    const { rig } = await full(configOf({}, { timeouts: { open: '3s' } }));
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.pass(3_000);
    expect(await rig.answer(first)).toBe(UNAVAILABLE);
    expect(causesOf(rig)).toEqual([['no_target', 'open']]);
  });

  test('what is left of timeouts.open is for the backend', async () => {
    const state = await full(configOf({}, { timeouts: { open: '6s', upgrade: '60s' } }));
    const { rig } = state;
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.pass(4_000);
    freeSlot(state);
    await rig.until(() => (rig.backends[1]?.receivedBytes ?? 0) > 0);
    rig.pass(1_999);
    expect(first.receivedBytes).toBe(0);
    rig.pass(1);
    expect(await rig.answer(first)).toBe('HTTP/1.1 504 Gateway Timeout');
  });

  test.each(['fin', 'rst'] as const)('a client that leaves (%s) is gone at once', async (how) => {
    const state = await full();
    const { rig } = state;
    const [first, second] = (await park(rig, 2)) as [MemoryTransport, MemoryTransport];
    first[how]();
    first.pump();
    expect([first.destroyed, figuresOf(rig)]).toEqual([true, [0, 1, 1]]);
    freeSlot(state);
    await rig.switchBackend(1);
    expect(await rig.answer(second)).toBe(SWITCHED);
  });

  test('it counts in max_waiting_handshakes', async () => {
    const { rig } = await full(configOf({}, { limits: { max_waiting_handshakes: 1 } }));
    await park(rig, 1);
    expect(await rig.answer(rig.connect(ECHO))).toBe(UNAVAILABLE);
    expect([causesOf(rig), figuresOf(rig)]).toEqual([[['too_many_handshakes', 'max_waiting_handshakes']], [0, 1, 1]]);
  });

  test('no more than 4 KiB are held of who waits', async () => {
    const { rig } = await full(configOf({ queue: { size: 3 } }));
    for (const [size, isHeld] of [
      [4_095, false],
      [4_096, true],
    ] as const) {
      const [client] = await park(rig, 1, binary(Buffer.alloc(size - 8), { mask: true }));
      expect(client?.paused).toBe(isHeld);
    }
  });

  test('a drain of framegate refuses who waits', async () => {
    const { rig } = await full();
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.edge.refusing = true;
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    expect(await rig.answer(first)).toBe(UNAVAILABLE);
    expect([causesOf(rig), figuresOf(rig)]).toEqual([[['draining', undefined]], [0, 0, 0]]);
  });

  test('a reload that takes its route away refuses who waits', async () => {
    const { rig } = await full();
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.reload(configOf({}, { routes: [{ name: 'other', upstream: 'u' }] }));
    expect(await rig.answer(first)).toBe(UNAVAILABLE);
    expect(causesOf(rig)).toEqual([['draining', 'route_removed']]);
  });

  test('who is called when its route drains is refused', async () => {
    const state = await full();
    const { rig } = state;
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.route().draining = true;
    freeSlot(state);
    expect(await rig.answer(first)).toBe(UNAVAILABLE);
    expect(figuresOf(rig)).toEqual([0, 0, 0]);
  });

  test('another queue.timeout holds at once', async () => {
    const { rig } = await full();
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.pass(1_000);
    rig.reload(configOf({ queue: { size: 2, timeout: '2s' } }));
    rig.pass(999);
    expect(first.receivedBytes).toBe(0);
    rig.pass(1);
    expect(await rig.answer(first)).toBe(UNAVAILABLE);
  });
});

describe('there is room again', () => {
  const A = { name: 'a', url: 'ws://192.0.2.1:1', max_sessions: 1 };
  const B = { name: 'b', url: 'ws://192.0.2.2:1', max_sessions: 1 };
  /** Refuses new sessions from the beginning. */
  const drained = (rig: Rig) => rig.target(1).bar('draining', 'admin', rig.clock.now());

  async function goesOn(rig: Rig, client: MemoryTransport): Promise<void> {
    await rig.switchBackend(1);
    expect(await rig.answer(client)).toBe(SWITCHED);
  }

  test.each<[string, (rig: Rig) => void, Partial<Upstream>]>([
    ['a reload raises max_sessions', (rig) => rig.reload(configOf({ targets: [{ ...A, max_sessions: 2 }] })), {}],
    ['a reload adds a target', (rig) => rig.reload(configOf({ targets: [A, B] })), {}],
    ['a target is undrained', (rig) => rig.target(1).lift('draining', rig.clock.now()), { targets: [A, B] }],
  ])('when %s', async (_, change, upstream) => {
    const rig = new Rig(configOf(upstream));
    if (upstream.targets !== undefined) drained(rig);
    const holder = rig.connect(ECHO);
    await rig.switchBackend(0);
    expect(await rig.answer(holder)).toBe(SWITCHED);
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    change(rig);
    await goesOn(rig, first);
  });

  test('when a target that was ejected may be tried: one goes there, the others wait', async () => {
    const rig = new Rig(configOf({ targets: [A, { ...B, max_sessions: 5 }] }));
    for (let at = 0; at < 5; at += 1) rig.target(1).watch?.dialFailed(0);
    const holder = rig.connect(ECHO);
    await rig.switchBackend(0);
    expect(await rig.answer(holder)).toBe(SWITCHED);
    rig.pass(28_000);
    const [first, second] = (await park(rig, 2)) as [MemoryTransport, MemoryTransport];
    rig.pass(2_000);
    await goesOn(rig, first);
    expect(second.receivedBytes).toBe(0);
    rig.pass(2_000);
    await rig.switchBackend(2);
    expect(await rig.answer(second)).toBe(SWITCHED);
    expect(rig.target(1).sessions).toBe(2);
  });

  test('when a handshake is a session, under max_handshakes_per_target', async () => {
    const rig = new Rig(configOf({ targets: [{ ...A, max_sessions: 'off' }], max_handshakes_per_target: 1 }));
    rig.connect(ECHO);
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    await rig.switchBackend(0);
    await goesOn(rig, first);
  });

  test('when panic begins', async () => {
    const health = { panic: '60%', passive: 'off' } as const;
    const rig = new Rig(configOf({ targets: [A, B, { ...B, name: 'c', url: 'ws://192.0.2.3:1' }], health }));
    rig.target(2).bar('down', 'check', rig.clock.now());
    for (const at of [0, 1]) {
      const holder = rig.connect(ECHO);
      await rig.switchBackend(at);
      expect(await rig.answer(holder)).toBe(SWITCHED);
    }
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    rig.target(1).bar('down', 'check', rig.clock.now());
    await rig.switchBackend(2);
    expect(await rig.answer(first)).toBe(SWITCHED);
  });

  test('at the upstream that a reload gives its route', async () => {
    const { rig } = await full();
    const [first] = (await park(rig, 1)) as [MemoryTransport];
    const upstreams = { v: { targets: [B] } };
    rig.reload(configOf({}, { upstreams, routes: [{ name: 'echo', upstream: 'v' }] }));
    await goesOn(rig, first);
    expect([figuresOf(rig), rig.edge.metrics.upstream('u').queueDuration.count]).toEqual([[0, 0, 0], 1]);
  });
});

describe('the order', () => {
  test('a newcomer does not overtake who was called and waits for its turn', async () => {
    const targets = [{ name: 'a', url: 'ws://192.0.2.1:1', max_sessions: 2 }];
    const limits = { max_handshakes: 1 };
    const rig = new Rig(configOf({ targets }, { limits }));
    for (const at of [0, 1]) {
      const client = rig.connect(ECHO);
      await rig.switchBackend(at);
      expect(await rig.answer(client)).toBe(SWITCHED);
    }
    const [first, second] = (await park(rig, 2)) as [MemoryTransport, MemoryTransport];
    // Two slots come free, and one turn: `first` has it, `second` waits for it, `third` comes.
    rig.reload(configOf({ targets: [{ ...targets[0], max_sessions: 4 }] } as Partial<Upstream>, { limits }));
    await rig.until(() => (rig.backends[2]?.receivedBytes ?? 0) > 0);
    const third = rig.connect(ECHO);
    await rig.switchBackend(2);
    expect(await rig.answer(first)).toBe(SWITCHED);
    await rig.switchBackend(3);
    expect(await rig.answer(second)).toBe(SWITCHED);
    await rig.until(() => rig.route().upstream.queue.size === 1);
    expect(third.receivedBytes).toBe(0);
  });

  test('who is full again, since somebody else took the slot, is still the next one', async () => {
    const state = await full();
    const { rig } = state;
    const [first, second] = (await park(rig, 2)) as [MemoryTransport, MemoryTransport];
    freeSlot(state);
    // A session of another route, say: it takes the slot before who was called can.
    rig.target().acquire();
    await rig.turns(5);
    expect(figuresOf(rig)).toEqual([0, 2, 2]);
    rig.target().release('handshake');
    await rig.switchBackend(1);
    expect(await rig.answer(first)).toBe(SWITCHED);
    expect(second.receivedBytes).toBe(0);
  });
});

describe('nobody waits', () => {
  test('while all targets are down: 503, and the log says how many', async () => {
    const a = { name: 'a', url: 'ws://192.0.2.1:1' };
    const rig = new Rig(configOf({ targets: [a, { ...a, name: 'b' }, { ...a, name: 'c' }] }));
    rig.target(0).bar('down', 'check', 0);
    rig.target(1).bar('ejected', 'passive', 0);
    rig.target(2).bar('draining', 'admin', 0);
    const client = rig.connect(ECHO);
    expect(await rig.answer(client)).toBe(UNAVAILABLE);
    expect(/Retry-After: [1-5]\r\n/.test(client.received.toString())).toBe(true);
    const line = rig.tap.lines.find(({ event }) => event === 'handshake.refused');
    expect(line).toMatchObject({ cause: 'none is up', targets: { down: 2, full: 0, draining: 1 } });
    expect([rig.backends.length, figuresOf(rig)]).toEqual([0, [0, 0, 0]]);
  });
});
