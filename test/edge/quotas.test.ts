import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/types.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { HandshakeSlots } from '../../src/edge/handshake-slots.ts';
import { Quotas, type QuotasOptions } from '../../src/edge/quotas.ts';
import { PeerClaim, Seat } from '../../src/edge/seat.ts';
import type { Route, Snapshot } from '../../src/edge/snapshot.ts';
import { ProcessMetrics } from '../../src/observe/metrics.ts';
import { fromNothing } from '../support/auth.ts';

type Limits = NonNullable<ConfigInput['limits']>;
type RouteLimits = NonNullable<ConfigInput['routes'][number]['limits']>;

/** Two routes, `a` and `b`; `b` has no limits of its own. */
class Rig {
  now = 1_000_000;
  readonly slots: HandshakeSlots;
  readonly seats = new Set<Seat>();
  readonly quotas: Quotas;
  snapshot: Snapshot;

  constructor(limits: Limits = {}, own: RouteLimits = {}) {
    this.snapshot = this.build(limits, own, null);
    const clock = { now: () => this.now };
    this.slots = new HandshakeSlots(this.snapshot.config.limits, new ProcessMetrics(), clock);
    this.quotas = new Quotas({ ...this.settings(), slots: this.slots });
  }

  retune(limits: Limits, own: RouteLimits = {}): void {
    this.snapshot = this.build(limits, own, this.snapshot);
    this.slots.retune(this.snapshot.config.limits);
    this.quotas.retune(this.settings(), this.seats);
  }

  /** The seat, or slug and config key of what stood against it. */
  enter(client: string, route = 'a'): Seat | string {
    const verdict = this.quotas.enter(client, this.route(route), this.now, new PeerClaim());
    if (!(verdict instanceof Seat)) return `${verdict.slug} ${verdict.cause}`;
    this.seats.add(verdict);
    return verdict;
  }

  /** As `enter`, and it has to be let in. */
  seat(client: string, route = 'a'): Seat {
    const verdict = this.enter(client, route);
    if (typeof verdict === 'string') throw new Error(verdict);
    return verdict;
  }

  leave(seat: Seat): void {
    this.seats.delete(seat);
    this.quotas.leave(seat, this.now);
  }

  route(name: string): Route {
    const route = this.snapshot.routes.get(name);
    if (route === undefined) throw new Error(`no route ${name}`);
    return route;
  }

  private build(limits: Limits, own: RouteLimits, previous: Snapshot | null): Snapshot {
    const routes = [
      { name: 'a', match: { path: '/a' }, upstream: 'builtin:echo', limits: own },
      { name: 'b', match: { path: '/b' }, upstream: 'builtin:echo' },
    ];
    return buildSnapshot(loadObject({ limits, routes }, { baseDir: '.' }).config, previous ?? fromNothing());
  }

  private settings(): Omit<QuotasOptions, 'slots'> {
    const { limits, routes } = this.snapshot.config;
    return { limits, routes, sessionsMax: 100, now: this.now };
  }
}

const TOO_MANY_SESSIONS_PER_IP = 'too_many_sessions_per_ip max_sessions_per_ip';
const TOO_MANY_HANDSHAKES_PER_IP = 'too_many_handshakes_per_ip handshakes_per_second_per_ip';

describe('max_sessions_per_ip', () => {
  test('the cap is let in, one more is not, and another address is', () => {
    const rig = new Rig({ max_sessions_per_ip: 2 });
    const first = rig.seat('192.0.2.1');
    rig.seat('192.0.2.1', 'b');
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.seat('192.0.2.2');
    rig.leave(first);
    rig.seat('192.0.2.1');
    expect(rig.enter('192.0.2.1', 'b')).toBe(TOO_MANY_SESSIONS_PER_IP);
  });

  test('RFC 6177 2: an IPv6 address counts by its /64', () => {
    const rig = new Rig({ max_sessions_per_ip: 1 });
    rig.seat('2001:db8::1');
    expect(rig.enter('2001:db8::ffff:2')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.seat('2001:db8:0:1::1');
  });

  test('peers without an address, such as those of a unix socket, are not limited', () => {
    const rig = new Rig({ max_sessions_per_ip: 1, handshakes_per_second_per_ip: 0.001 });
    for (let i = 0; i < 5; i += 1) rig.seat('');
  });

  test('a handshake that becomes a session keeps its seat', () => {
    const rig = new Rig({ max_sessions_per_ip: 1 });
    const seat = rig.seat('192.0.2.1');
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.leave(seat);
    rig.seat('192.0.2.1');
  });

  test("a route's own cap holds on that route alone, besides the global one", () => {
    const rig = new Rig({ max_sessions_per_ip: 3 }, { max_sessions_per_ip: 1 });
    rig.seat('192.0.2.1', 'a');
    expect(rig.enter('192.0.2.1', 'a')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.seat('192.0.2.1', 'b');
    // What the route's cap refused took nothing of the global one.
    rig.seat('192.0.2.1', 'b');
    expect(rig.enter('192.0.2.1', 'b')).toBe(TOO_MANY_SESSIONS_PER_IP);
  });
});

describe('handshakes_per_second_per_ip', () => {
  test('twice the rate comes at once, then one each time a token is back; a millisecond early it is not', () => {
    const rig = new Rig({ handshakes_per_second_per_ip: 2 });
    for (let i = 0; i < 4; i += 1) rig.leave(rig.seat('192.0.2.1'));
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_HANDSHAKES_PER_IP);
    rig.seat('192.0.2.2');
    rig.now += 499;
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_HANDSHAKES_PER_IP);
    rig.now += 1;
    rig.seat('192.0.2.1');
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_HANDSHAKES_PER_IP);
  });

  test('a rate below one in two seconds lets one handshake through', () => {
    const rig = new Rig({ handshakes_per_second_per_ip: 0.1 });
    rig.leave(rig.seat('192.0.2.1'));
    rig.now += 9_999;
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_HANDSHAKES_PER_IP);
    rig.now += 1;
    rig.seat('192.0.2.1');
  });

  test("a route's own rate holds on that route alone", () => {
    const rig = new Rig({}, { handshakes_per_second_per_ip: 1 });
    for (let i = 0; i < 2; i += 1) rig.seat('192.0.2.1', 'a');
    expect(rig.enter('192.0.2.1', 'a')).toBe(TOO_MANY_HANDSHAKES_PER_IP);
    rig.seat('192.0.2.1', 'b');
    rig.seat('192.0.2.2', 'a');
  });

  test('tries that a cap refuses are paid for', () => {
    const rig = new Rig({ handshakes_per_second_per_ip: 1, max_sessions_per_ip: 1 });
    rig.seat('192.0.2.1');
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_SESSIONS_PER_IP);
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_HANDSHAKES_PER_IP);
  });
});

describe('limits of all clients together', () => {
  test('handshakes_per_second: the burst, then the rate, whoever comes', () => {
    const rig = new Rig({ handshakes_per_second: 10, handshake_burst: 3 });
    for (let i = 0; i < 3; i += 1) rig.seat(`192.0.2.${i}`);
    expect(rig.enter('192.0.2.9')).toBe('too_many_handshakes handshakes_per_second');
    rig.now += 99;
    expect(rig.enter('192.0.2.9')).toBe('too_many_handshakes handshakes_per_second');
    rig.now += 1;
    rig.seat('192.0.2.9');
  });

  test('who is refused for anything else uses up nothing of the rate of all', () => {
    const rig = new Rig({ handshakes_per_second: 1, handshake_burst: 2, max_sessions_per_ip: 1 });
    rig.seat('192.0.2.1');
    for (let i = 0; i < 10; i += 1) expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.seat('192.0.2.2');
  });

  test('what the rate refuses holds no seat', () => {
    const rig = new Rig(
      { handshakes_per_second: 1, handshake_burst: 1, max_sessions_per_ip: 2 },
      { max_sessions_per_ip: 2 },
    );
    rig.seat('192.0.2.1');
    for (let i = 0; i < 5; i += 1) {
      expect(rig.enter('192.0.2.1')).toBe('too_many_handshakes handshakes_per_second');
    }
    expect(rig.route('a').sessions).toBe(1);
    rig.now += 1000;
    rig.seat('192.0.2.1');
  });

  test("a route's own max_sessions: the cap, and one more", () => {
    const rig = new Rig({}, { max_sessions: 2 });
    const first = rig.seat('192.0.2.1');
    rig.seat('192.0.2.2');
    expect(rig.enter('192.0.2.3')).toBe('too_many_sessions max_sessions');
    rig.seat('192.0.2.3', 'b');
    rig.leave(first);
    rig.seat('192.0.2.3');
  });
});

describe('a flood of addresses', () => {
  test('the table is bounded: beyond it nobody new is let in until some may be forgotten', () => {
    const rig = new Rig({ handshakes_per_second_per_ip: 1 });
    const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    let let_in = 0;
    for (let i = 0; i < 70_000; i += 1) {
      const verdict = rig.enter(address(i));
      if (typeof verdict === 'string') expect(verdict).toBe('too_many_handshakes handshakes_per_second_per_ip');
      else rig.leave(verdict);
      if (typeof verdict !== 'string') let_in += 1;
    }
    expect(let_in).toBe(65_536);
    // Who is known goes on.
    rig.seat(address(1));
    rig.now += 2_000;
    rig.seat(address(69_999));
  });
});

describe('a reload', () => {
  test('a cap that is set later knows the sessions that are open, on a route too', () => {
    const rig = new Rig();
    const seats = [rig.seat('192.0.2.1'), rig.seat('192.0.2.1')];
    rig.retune({}, { max_sessions_per_ip: 1 });
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_SESSIONS_PER_IP);
    // Over a lowered cap they stay, and both have to go before another one comes.
    rig.leave(seats[0] as Seat);
    expect(rig.enter('192.0.2.1')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.leave(seats[1] as Seat);
    const next = rig.seat('192.0.2.1');
    rig.retune({ max_sessions_per_ip: 1 });
    expect(rig.enter('192.0.2.1', 'b')).toBe(TOO_MANY_SESSIONS_PER_IP);
    rig.leave(next);
    rig.seat('192.0.2.1', 'b');
  });

  test('rates change at once, and what was used stays used', () => {
    const rig = new Rig({ handshakes_per_second: 1, handshake_burst: 2 });
    for (let i = 0; i < 2; i += 1) rig.seat('192.0.2.1');
    rig.retune({ handshakes_per_second: 1, handshake_burst: 2 });
    expect(rig.enter('192.0.2.1')).toBe('too_many_handshakes handshakes_per_second');
  });
});
