// Sixteen complete heads are checked in one turn of the event loop; those above wait, the addresses in turn, and each
// way out of the queue is one out of the handshake.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { HandshakeTurns, type StepWaiter } from '../../src/edge/handshake-turns.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { text, upgradeRequest } from '../support/wire.ts';
import { Rig as EdgeRig, NOTHING, SWITCHED } from './rig.ts';

const TURN_MAX = 16;
const WAIT_MS = 10_000;

class Rig {
  now = 0;
  readonly stepped: string[] = [];
  readonly turns = new HandshakeTurns({ now: () => this.now }, 16);

  ask(name: string, key = name): StepWaiter | null {
    if (this.turns.takeOne()) {
      this.stepped.push(name);
      return null;
    }
    return this.turns.wait({ onStep: () => this.stepped.push(name) }, key, this.now + WAIT_MS);
  }

  many(count: number, prefix: string): (StepWaiter | null)[] {
    return Array.from({ length: count }, (_, index) => this.ask(`${prefix}${index}`, prefix));
  }

  /** What is done in the next turn. */
  async next(): Promise<string[]> {
    this.stepped.length = 0;
    await nextTurn();
    return [...this.stepped];
  }
}

describe('in one turn of the event loop', () => {
  test('sixteen steps are taken at once, sixteen more in each turn that follows', async () => {
    const rig = new Rig();
    rig.many(TURN_MAX, 'a');
    expect(rig.stepped).toHaveLength(TURN_MAX);
    rig.many(TURN_MAX + 1, 'b');
    expect(rig.stepped).toHaveLength(TURN_MAX);
    expect(await rig.next()).toHaveLength(TURN_MAX);
    expect(await rig.next()).toEqual(['b16']);
    expect(await rig.next()).toEqual([]);
  });

  test('who comes while others wait waits behind them, and what the turn has left is his', async () => {
    const rig = new Rig();
    rig.many(TURN_MAX + 2, 'a');
    expect(rig.ask('late')).not.toBeNull();
    expect(await rig.next()).toEqual(['a16', 'late', 'a17']);
    rig.many(TURN_MAX, 'b');
    expect(rig.stepped.slice(3)).toHaveLength(TURN_MAX - 3);
  });

  test('seven of the turns before may count with those of this one, and no more', async () => {
    const rig = new Rig();
    rig.many(7, 'a');
    await rig.next();
    rig.many(TURN_MAX, 'b');
    expect(rig.stepped).toHaveLength(TURN_MAX - 7);
    expect(await rig.next()).toHaveLength(7);
    await rig.next();
    rig.many(8, 'c');
    await rig.next();
    rig.many(TURN_MAX, 'd');
    expect(rig.stepped).toHaveLength(TURN_MAX);
  });

  test('who leaves while it waits is not asked any more, and takes nobody his step', async () => {
    const rig = new Rig();
    const waiters = rig.many(2 * TURN_MAX + 1, 'a');
    const waiter = waiters[TURN_MAX];
    if (waiter) {
      rig.turns.leave(waiter);
      rig.turns.leave(waiter);
    }
    const next = await rig.next();
    expect([next.length, next[0], next.at(-1)]).toEqual([TURN_MAX, 'a17', 'a32']);
  });

  test('the addresses take turns: one with a thousand keeps nobody waiting', async () => {
    const rig = new Rig();
    rig.many(1_000, 'flood');
    rig.ask('one');
    rig.ask('two');
    const next = await rig.next();
    expect(next).toHaveLength(TURN_MAX);
    expect(next).toEqual(expect.arrayContaining(['one', 'two']));
  });

  test('once the oldest has waited for a third of its time, the last to come are first', async () => {
    const rig = new Rig();
    rig.many(2 * TURN_MAX, 'a');
    rig.now = WAIT_MS / 3 + 1;
    rig.ask('new');
    expect((await rig.next())[0]).toBe('new');
  });
});

const CONFIG = {
  routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'one' }],
  upstreams: { one: { targets: [{ name: 'a', url: 'ws://192.0.2.1:1' }] } },
};

/** Sixteen heads that were checked in this turn, and one that waits. */
function queued(extra: Buffer = NOTHING): { rig: EdgeRig; last: MemoryTransport } {
  const rig = new EdgeRig(CONFIG);
  for (let i = 0; i < TURN_MAX; i += 1) rig.connect();
  const last = rig.connect(Buffer.concat([upgradeRequest({ path: '/echo' }), extra]));
  expect(checkedOf(rig)).toBe(TURN_MAX);
  return { rig, last };
}

/** Each takes a place on its route. */
const checkedOf = (rig: EdgeRig): number => rig.route().sessions;

const causesOf = (rig: EdgeRig): unknown[] =>
  rig.tap.lines.filter(({ event }) => event === 'handshake.refused').map(({ error, cause }) => [error, cause]);

describe('the seventeenth head of a turn', () => {
  test('is checked in the next one, and what came behind it goes on', async () => {
    const early = text('early', { mask: true });
    const { rig, last } = queued(early);
    last.send(early);
    last.pump();
    await rig.turns(1);
    expect(checkedOf(rig)).toBe(TURN_MAX + 1);
    await rig.until(() => rig.backends.length === TURN_MAX + 1);
    const backend = await rig.switchBackend(TURN_MAX);
    expect(await rig.answer(last)).toBe(SWITCHED);
    expect(backend.received.subarray(-2 * early.length)).toEqual(Buffer.concat([early, early]));
  });

  test.each(['fin', 'rst'] as const)('is dropped at once when its client leaves (%s)', async (how) => {
    const { rig, last } = queued();
    last[how]();
    last.pump();
    expect([last.destroyed, causesOf(rig)]).toEqual([true, [['client_gone', undefined]]]);
    await rig.turns(3);
    expect([checkedOf(rig), rig.edge.open]).toEqual([TURN_MAX, TURN_MAX]);
  });

  test('is told of a drain at once', async () => {
    const { rig, last } = queued();
    for (const connection of [...rig.edge.connections]) connection.drain(0);
    expect(last.received.toString()).toMatch(/^HTTP\/1.1 503 .*"draining"/s);
    await rig.turns(3);
    expect(checkedOf(rig)).toBe(0);
  });

  test('gets 503 once timeouts.open has passed, and not a millisecond before', () => {
    const { rig, last } = queued();
    const open = rig.edge.snapshot.config.timeouts.open;
    rig.pass(open - 1);
    expect(last.receivedBytes).toBe(0);
    rig.pass(1);
    expect(last.received.toString()).toMatch(/^HTTP\/1.1 503 .*"too_many_handshakes"/s);
    expect(causesOf(rig)).toContainEqual(['too_many_handshakes', 'max_handshakes']);
  });

  test('is judged by the config in force when its turn comes', async () => {
    const { rig, last } = queued();
    rig.reload({ ...CONFIG, routes: [{ name: 'echo', match: { path: '/other' }, upstream: 'one' }] });
    expect(await rig.answer(last)).toBe('HTTP/1.1 404 Not Found');
  });
});
