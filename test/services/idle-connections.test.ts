// How many connections wait for the next question, and for how long. On transports in memory and a fake clock.

import { describe, expect, test } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import {
  type Connection,
  IDLE_MAX,
  IDLE_OF_SERVICE_MAX,
  IdleConnections,
} from '../../src/services/idle-connections.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { NO_TLS } from './service-bench.ts';

const FOREVER = Number.POSITIVE_INFINITY;

class Rig {
  readonly clock = new FakeClock(0);
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly idle = new IdleConnections({ clock: this.clock, wheel: this.wheel });

  give(peer: Connection['peer'], forMs = FOREVER, until = FOREVER): MemoryTransport {
    const transport = new MemoryTransport({ name: 'service', stable: true });
    this.idle.give({ peer, transport, until }, forMs);
    return transport;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }
}

function peer(port: number, own: Partial<Connection['peer']> = {}): Connection['peer'] {
  return { endpoint: { kind: 'tcp', host: 'a.test', port, secure: false, base: '' }, tls: null, ...own };
}

function livingOf(transports: readonly MemoryTransport[]): number {
  return transports.filter(({ destroyed }) => !destroyed).length;
}

describe('a connection that waits', () => {
  test.each([
    ['4 s, when nothing is said', FOREVER, FOREVER, 4_000],
    ['a second less than its service says', 2_000, FOREVER, 1_000],
    ['to the end of its life', FOREVER, 2_500, 2_500],
  ])('waits %s', (_what, forMs, until, ms) => {
    const rig = new Rig();
    const transport = rig.give(peer(1), forMs, until);
    rig.pass(ms - 1);
    expect(transport.destroyed).toBe(false);
    rig.pass(1);
    expect([transport.destroyed, rig.wheel.size, rig.idle.take(peer(1))]).toEqual([true, 0, null]);
  });

  test.each([
    ['its service leaves it open for a second', 1_000, FOREVER],
    ['its life is over', FOREVER, 0],
  ])('does not where %s', (_what, forMs, until) => {
    const rig = new Rig();
    expect([rig.give(peer(1), forMs, until).destroyed, rig.wheel.size]).toEqual([true, 0]);
  });

  test('is taken by who asks the same, by the same settings of TLS, and the latest first', () => {
    const rig = new Rig();
    const tls = { ...NO_TLS };
    const [first, second] = [rig.give(peer(1, { tls })), rig.give(peer(1, { tls }))];
    const { endpoint } = peer(1);
    const others = [
      peer(2, { tls }),
      peer(1),
      peer(1, { tls: { ...tls } }),
      peer(1, { tls, endpoint: { ...endpoint, host: 'b.test' } }),
      peer(1, { tls, endpoint: { ...endpoint, secure: true } }),
    ];
    expect(others.map((other) => rig.idle.take(other))).toEqual(others.map(() => null));
    const taken = [1, 2, 3].map(() => rig.idle.take(peer(1, { tls }))?.transport);
    expect(taken).toEqual([second, first, undefined]);
    expect([livingOf([first, second]), rig.wheel.size]).toEqual([2, 0]);
  });

  test.each([
    ['something comes', (transport: MemoryTransport) => transport.reader.onBytes(Buffer.from('x'), 0, 1)],
    ['a FIN comes', (transport: MemoryTransport) => transport.reader.onEnd()],
    ['it is lost', (transport: MemoryTransport) => transport.reader.onLost(new Error('reset'))],
  ])('is over when %s', (_what, happen) => {
    const rig = new Rig();
    const transport = rig.give(peer(1));
    happen(transport);
    expect([transport.destroyed, rig.wheel.size, rig.idle.take(peer(1))]).toEqual([true, 0, null]);
  });
});

describe('those that wait are at most', () => {
  test('32 to one service', () => {
    const rig = new Rig();
    const given = Array.from({ length: IDLE_OF_SERVICE_MAX + 1 }, () => rig.give(peer(1)));
    expect([livingOf(given), given.at(-1)?.destroyed, rig.wheel.size]).toEqual([32, true, 32]);
  });

  test('64 in all: the oldest goes', () => {
    const rig = new Rig();
    const given = Array.from({ length: IDLE_MAX + 1 }, (_, at) => rig.give(peer(at)));
    expect([livingOf(given), given[0]?.destroyed, rig.wheel.size]).toEqual([64, true, 64]);
  });

  test('none after the end', () => {
    const rig = new Rig();
    const before = rig.give(peer(1));
    rig.idle.close();
    expect([before.destroyed, rig.give(peer(1)).destroyed, rig.wheel.size]).toEqual([true, true, 0]);
  });
});
