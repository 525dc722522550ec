// Which TLS handshakes begin when: a few in a turn, so many at a time, so many a second, and the addresses in turn.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { TlsClaim, TlsTurns } from '../../src/edge/tls-turns.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';

const OFF = Number.POSITIVE_INFINITY;
const WAIT_MS = 10_000;

class Rig {
  readonly clock = new FakeClock();
  readonly counts = new MetricsRegistry().process;
  readonly begun: string[] = [];
  readonly turns: TlsTurns;
  private readonly wheel = new TimerWheel(this.clock, 1);

  constructor(max_tls_handshakes = OFF, tls_handshakes_per_second = OFF) {
    const { clock, counts, wheel } = this;
    this.turns = new TlsTurns({ limits: { max_tls_handshakes, tls_handshakes_per_second }, counts, clock, wheel });
  }

  ask(name: string, key = name): TlsClaim {
    return this.turns.ask(key, this.clock.now() + WAIT_MS, () => this.begun.push(name));
  }

  many(count: number, prefix: string): TlsClaim[] {
    return Array.from({ length: count }, (_, index) => this.ask(`${prefix}${index}`, prefix));
  }

  /** Turns of the event loop, with the clock standing. */
  async pass(turns = 3): Promise<number> {
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    return this.begun.length;
  }

  async wait(ms: number): Promise<number> {
    this.clock.advance(ms);
    this.wheel.advance();
    return this.pass();
  }
}

describe('in one turn of the event loop', () => {
  test('four begin at once, four more in each turn that follows', async () => {
    const rig = new Rig();
    rig.many(4, 'a');
    expect(rig.begun).toHaveLength(4);
    rig.many(7, 'b');
    expect(rig.begun).toHaveLength(4);
    expect(await rig.pass(1)).toBe(8);
    expect(await rig.pass(1)).toBe(11);
    expect(rig.counts.tlsHandshakesOpen).toBe(11);
  });

  test('who comes while others wait waits behind them', async () => {
    const rig = new Rig();
    rig.many(5, 'a');
    await rig.pass(1);
    const late = rig.many(4, 'c');
    expect(rig.begun).toHaveLength(8);
    expect(late[3]?.state).toBe('waiting');
    expect(await rig.pass(1)).toBe(9);
  });
});

describe('at a time', () => {
  test('no more than the limit; one that ends makes room for one', async () => {
    const rig = new Rig(2);
    const [first, second, third] = rig.many(4, 'a');
    expect([await rig.pass(), rig.counts.tlsHandshakesOpen]).toEqual([2, 2]);
    if (first !== undefined) rig.turns.leave(first);
    expect(await rig.pass()).toBe(3);
    for (const claim of [first, second, third]) if (claim !== undefined) rig.turns.leave(claim);
    expect([await rig.pass(), rig.counts.tlsHandshakesOpen]).toEqual([4, 1]);
  });

  test('who leaves while it waits never begins, and gives nothing back', async () => {
    const rig = new Rig(1);
    const [first, second] = rig.many(3, 'a');
    if (first === undefined || second === undefined) throw new Error('three');
    rig.turns.leave(second);
    rig.turns.leave(second);
    expect(rig.counts.tlsHandshakesOpen).toBe(1);
    rig.turns.leave(first);
    rig.turns.leave(first);
    await rig.pass();
    expect([rig.begun, rig.counts.tlsHandshakesOpen]).toEqual([['a0', 'a2'], 1]);
  });

  test('a reload that allows more lets them begin, one that allows less waits for those under way', async () => {
    const rig = new Rig(1);
    const claims = rig.many(6, 'a');
    rig.turns.retune({ max_tls_handshakes: 3, tls_handshakes_per_second: OFF });
    expect(await rig.pass()).toBe(3);
    rig.turns.retune({ max_tls_handshakes: 2, tls_handshakes_per_second: OFF });
    if (claims[0] !== undefined) rig.turns.leave(claims[0]);
    expect(await rig.pass()).toBe(3);
    if (claims[1] !== undefined) rig.turns.leave(claims[1]);
    expect(await rig.pass()).toBe(4);
  });
});

describe('a second', () => {
  test('what a second may bring comes at once, then one after the other', async () => {
    const rig = new Rig(OFF, 10);
    rig.many(15, 'a');
    expect(await rig.pass(6)).toBe(10);
    expect(await rig.wait(99)).toBe(10);
    expect(await rig.wait(1)).toBe(11);
    expect(await rig.wait(399)).toBe(14);
    expect(await rig.wait(1)).toBe(15);
  });

  test('less than one a second: the first comes at once', async () => {
    const rig = new Rig(OFF, 0.5);
    rig.many(2, 'a');
    expect(await rig.pass()).toBe(1);
    expect(await rig.wait(1_999)).toBe(1);
    expect(await rig.wait(1)).toBe(2);
  });

  test('who fails costs as much as who succeeds', async () => {
    const rig = new Rig(OFF, 2);
    for (const claim of rig.many(2, 'a')) rig.turns.leave(claim);
    rig.ask('b');
    expect(await rig.pass()).toBe(2);
    expect(await rig.wait(500)).toBe(3);
  });

  test('a reload that lifts the rate lets all begin', async () => {
    const rig = new Rig(OFF, 1);
    rig.many(9, 'a');
    expect(await rig.pass()).toBe(1);
    rig.turns.retune({ max_tls_handshakes: OFF, tls_handshakes_per_second: OFF });
    expect(await rig.pass(4)).toBe(9);
  });
});

test('addresses take turns: one with a hundred keeps nobody else waiting', async () => {
  const rig = new Rig(1);
  const [first] = rig.many(100, 'flood');
  rig.ask('one');
  rig.ask('two');
  let open = first;
  const order: string[] = [];
  for (let round = 0; round < 3 && open !== undefined; round += 1) {
    rig.turns.leave(open);
    await rig.pass();
    order.push(rig.begun.at(-1) ?? '');
    open = new TlsClaim(() => {});
    open.state = 'open';
  }
  expect(order.slice(0, 3)).toEqual(expect.arrayContaining(['one', 'two']));
});
