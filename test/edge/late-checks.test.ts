// Checks that answer later than they were asked: what is held, noticed and given back meanwhile.

import { describe, expect, test, vi } from 'vitest';
import type { Asked, Check } from '../../src/edge/admission.ts';
import { CHECKS } from '../../src/edge/checks/all.ts';
import type { Refusal } from '../../src/protocol/refusals.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { binary, text, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const EARLY = text('early', { mask: true });
const REQUEST = Buffer.concat([upgradeRequest({ path: '/echo' }), EARLY]);
const CLIENT = '192.0.2.1';
const DENIED: Refusal = { slug: 'loop', cause: 'said late' };

/** A check that answers when the test says so. */
class LateCheck {
  readonly asked: Asked[] = [];
  private readonly answers: PromiseWithResolvers<Refusal | null>[] = [];

  readonly check: Check = (asked) => {
    const answer = withResolvers<Refusal | null>();
    this.asked.push(asked);
    this.answers.push(answer);
    return answer.promise;
  };

  answer(refusal: Refusal | null, at = 0): void {
    this.answers[at]?.resolve(refusal);
  }

  fault(error: Error): void {
    this.answers[0]?.reject(error);
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** The late check comes behind all others, in front of the first, or right in front of the quotas. */
const PLACES = [
  ['behind all others', (late: Check) => [...CHECKS, late]],
  ['in front of all others', (late: Check) => [late, ...CHECKS]],
  ['in front of the quotas', (late: Check) => [...CHECKS.slice(0, -1), late, ...CHECKS.slice(-1)]],
] as const;

function asking(config: Partial<ConfigInput> = {}, place: (late: Check) => Check[] = PLACES[0][1], request = REQUEST) {
  const late = new LateCheck();
  const rig = new Rig(config, 100, place(late.check));
  const client = rig.connect(request, CLIENT);
  expect([late.asked.length, client.receivedBytes]).toEqual([1, 0]);
  return { rig, late, client };
}

function expectNothingHeld(rig: Rig): void {
  const { edge, wheel } = rig;
  const { handshakesOpen, handshakesWaiting } = edge.metrics.process;
  expect([edge.open, edge.buffers.early, handshakesOpen, handshakesWaiting]).toEqual([0, 0, 0, 0]);
  expect([rig.route().sessions, rig.target().sessions, wheel.size]).toEqual([0, 0, 0]);
}

/** It has had its answer, and leaves. */
async function leave(rig: Rig, client: MemoryTransport): Promise<void> {
  client.fin();
  client.pump();
  await rig.turns(5);
}

const causesOf = (rig: Rig) =>
  rig.tap.lines.filter(({ event }) => event === 'handshake.refused').map(({ error, cause }) => [error, cause]);

describe.each(PLACES)('a check that answers later, %s', (_name, place) => {
  test('lets in: the handshake goes on, and what the client sent meanwhile arrives in order', async () => {
    const { rig, late, client } = asking({}, place);
    client.send(EARLY);
    client.pump();
    expect(rig.edge.buffers.early).toBe(2 * EARLY.length);
    late.answer(null);
    expect(await rig.answer(client)).toBe(SWITCHED);
    await rig.until(() => client.received.toString('latin1').split('early').length === 3);
    expect([rig.edge.buffers.early, rig.handshakes[0]]).toEqual([0, { ok: 1 }]);
  });

  test('refuses: with its answer and its cause, and everything comes back', async () => {
    const { rig, late, client } = asking({}, place);
    late.answer(DENIED);
    expect(await rig.answer(client)).toBe('HTTP/1.1 508 Loop Detected');
    expect(causesOf(rig)).toEqual([['loop', 'said late']]);
    expect(rig.tap.lines.find(({ event }) => event === 'handshake.refused')).toMatchObject({
      discarded_early_bytes: EARLY.length,
    });
    await leave(rig, client);
    expectNothingHeld(rig);
  });

  test.each(['fin', 'rst'] as const)(
    'the client leaves before (%s): noticed at once, the answer is thrown away',
    async (how) => {
      const { rig, late, client } = asking({}, place);
      client[how]();
      client.pump();
      expect([client.destroyed, late.asked[0]?.signal.aborted]).toEqual([true, true]);
      expect(causesOf(rig)).toEqual([['client_gone', undefined]]);
      expectNothingHeld(rig);
      late.answer(null);
      await rig.turns(5);
      expectNothingHeld(rig);
      expect([causesOf(rig).length, rig.backends.length]).toEqual([1, 0]);
    },
  );

  test('not within timeouts.open: 504, and what it says then is thrown away', async () => {
    const { rig, late, client } = asking({ timeouts: { open: '4s', connect: '1s', upgrade: '1s' } }, place);
    rig.pass(3_999);
    expect(client.receivedBytes).toBe(0);
    rig.pass(2);
    expect(await rig.answer(client)).toBe('HTTP/1.1 504 Gateway Timeout');
    expect([causesOf(rig), late.asked[0]?.signal.aborted]).toEqual([[['backend_timeout', 'open']], true]);
    await leave(rig, client);
    for (const answer of [null, DENIED]) late.answer(answer);
    await rig.turns(5);
    expectNothingHeld(rig);
    expect(causesOf(rig)).toHaveLength(1);
  });

  test('its time is a part of timeouts.open', async () => {
    const { rig, late, client } = asking(
      {
        timeouts: { open: '4s', connect: '4s', upgrade: '4s' },
        routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'one' }],
        upstreams: { one: { targets: [{ name: 'a', url: 'ws://192.0.2.9:1' }] } },
      },
      place,
    );
    rig.pass(3_000);
    late.answer(null);
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    rig.pass(1_001);
    expect(await rig.answer(client)).toBe('HTTP/1.1 504 Gateway Timeout');
  });

  test('rejects: 500, a line with the fault, and everything comes back', async () => {
    const { rig, late, client } = asking({}, place);
    late.fault(new Error('broken check'));
    expect(await rig.answer(client)).toBe('HTTP/1.1 500 Internal Server Error');
    const [fault] = rig.tap.lines.filter(({ event }) => event === 'handshake.fault');
    expect(fault).toMatchObject({ error: expect.stringContaining('broken check') });
    await leave(rig, client);
    expectNothingHeld(rig);
  });

  test('rejects when the client has left: the fault is told, and that is all', async () => {
    const { rig, late, client } = asking({}, place);
    client.rst();
    client.pump();
    late.fault(new Error('broken check'));
    await rig.turns(5);
    expect(rig.tap.lines.filter(({ event }) => event === 'handshake.fault')).toHaveLength(1);
    expectNothingHeld(rig);
  });

  test('framegate goes down meanwhile: 503', async () => {
    const { rig, late, client } = asking({}, place);
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    expect(await rig.answer(client)).toBe('HTTP/1.1 503 Service Unavailable');
    late.answer(null);
    await leave(rig, client);
    expectNothingHeld(rig);
  });
});

describe('what a client sends while a check takes its time', () => {
  /** A whole frame of so many bytes: 8 of them are its header. */
  const frameOf = (size: number) => binary(Buffer.alloc(size - 8), { mask: true });

  test.each([
    [1_023, 1_024, false],
    [1_024, 1_024, true],
    [4_095, 65_536, false],
    [4_096, 65_536, true],
  ])('%i bytes with max_early_bytes %i: read no more is %s', async (size, cap, isPaused) => {
    const routes = [
      { name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo', limits: { max_early_bytes: `${cap}B` } },
    ];
    const frame = frameOf(size);
    const request = Buffer.concat([upgradeRequest({ path: '/echo' }), frame]);
    const { rig, late, client } = asking({ routes }, PLACES[0][1], request);
    expect([frame.length, client.paused]).toEqual([size, isPaused]);
    late.answer(null);
    expect(await rig.answer(client)).toBe(SWITCHED);
    expect(client.paused).toBe(false);
  });

  test('before a route is known the cap is the global one', () => {
    const request = Buffer.concat([upgradeRequest({ path: '/echo' }), frameOf(1_024)]);
    const { client } = asking({ limits: { max_early_bytes: '1KiB' } }, PLACES[1][1], request);
    expect(client.paused).toBe(true);
  });
});

describe('what changes while a check takes its time', () => {
  const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo' }];
  const other = [{ name: 'other', match: { path: '/echo' }, upstream: 'builtin:echo' }];

  test('the route is gone by a reload: 503 at once when it was chosen before', async () => {
    const { rig, late, client } = asking({ routes });
    rig.reload({ routes: other });
    expect(await rig.answer(client)).toBe('HTTP/1.1 503 Service Unavailable');
    expect(causesOf(rig)).toEqual([['draining', 'route_removed']]);
    late.answer(null);
    await rig.turns(5);
    expect(rig.edge.metrics.process.handshakesOpen).toBe(0);
  });

  test('the route is another one when it is chosen behind the check', async () => {
    const { rig, late, client } = asking({ routes }, PLACES[1][1]);
    rig.reload({ routes: other });
    late.answer(null);
    expect(await rig.answer(client)).toBe(SWITCHED);
    expect([...rig.edge.sessions][0]?.facts.route).toBe('other');
  });

  test('timeouts.open is shorter: the deadline moves, counted from the head', async () => {
    const { rig, client } = asking({ routes, timeouts: { open: '20s' } });
    rig.pass(3_000);
    rig.reload({ routes, timeouts: { open: '4s', connect: '1s', upgrade: '1s' } });
    rig.pass(1_001);
    expect(await rig.answer(client)).toBe('HTTP/1.1 504 Gateway Timeout');
  });

  test('the queue for a turn has filled: it is refused, not added', async () => {
    const late = new LateCheck();
    const config = {
      routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'one' }],
      upstreams: { one: { targets: [{ name: 'a', url: 'ws://192.0.2.9:1' }] } },
      limits: { max_handshakes: 1, max_waiting_handshakes: 1 },
    };
    const rig = new Rig(config, 100, [...CHECKS, late.check]);
    const clients = [1, 2, 3].map(() => rig.connect(REQUEST, CLIENT));
    for (const at of [0, 1, 2]) late.answer(null, at);
    expect(await rig.answer(clients[2] as MemoryTransport)).toBe('HTTP/1.1 503 Service Unavailable');
    expect(causesOf(rig)).toEqual([['too_many_handshakes', 'max_waiting_handshakes']]);
    const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
    expect([handshakesOpen, handshakesWaiting]).toEqual([1, 1]);
  });
});

describe('quotas that answer later', () => {
  async function asked() {
    const rig = new Rig();
    const { quotas } = rig.edge;
    const enter = quotas.enter.bind(quotas);
    const gate = withResolvers<void>();
    vi.spyOn(quotas as { enter(...args: never): unknown }, 'enter').mockImplementation(async (...args: never) => {
      await gate.promise;
      return enter(...(args as Parameters<typeof enter>));
    });
    const client = rig.connect(REQUEST, CLIENT);
    await rig.turns(2);
    return { rig, client, answer: () => gate.resolve() };
  }

  test('the seat comes in time: the handshake goes on with it', async () => {
    const { rig, client, answer } = await asked();
    answer();
    expect(await rig.answer(client)).toBe(SWITCHED);
    expect(rig.route().sessions).toBe(1);
  });

  test('the seat comes when the client has left: it goes back', async () => {
    const { rig, client, answer } = await asked();
    client.rst();
    client.pump();
    answer();
    await rig.turns(5);
    expectNothingHeld(rig);
  });

  test('a limit that is hit when the client has left is not counted', async () => {
    const { rig, client, answer } = await asked();
    rig.route().config = { ...rig.route().config, own_max_sessions: 0 };
    client.rst();
    client.pump();
    answer();
    await rig.turns(5);
    expect(rig.edge.metrics.route('echo').fromClient.limitHits.of('max_sessions')).toBe(0);
    expectNothingHeld(rig);
  });
});

test('checks that answer at once make no promise: the request has gone on when the read returns', () => {
  const rig = new Rig({
    routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'one' }],
    upstreams: { one: { targets: [{ name: 'a', url: 'ws://192.0.2.9:1' }] } },
  });
  rig.connect(REQUEST, CLIENT);
  expect([rig.backends.length, rig.edge.metrics.process.handshakesOpen]).toEqual([1, 1]);
});
