// Many proxies in front of many targets, second by second: sessions come, end, and come back when their target
// restarts. The balancers are framegate's own, one for each proxy, which knows nothing of the sessions of the others.

import type { UpstreamConfig } from '../../src/config/types.ts';
import type { BalanceKey, Balancer, Candidate, Eligible } from '../../src/upstream/balance/balancer.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { quantile } from '../support/statistics.ts';

export interface Scenario {
  readonly proxies: number;
  readonly targets: number;
  /** Open at any time, but for those that are coming back. */
  readonly sessions: number;
  /** Targets that restart at once, each batch so many seconds after the one before, until all have. */
  readonly batch: number;
  readonly everySeconds: number;
  readonly downSeconds: number;
  /** A client whose session was lost is back after up to so many seconds, evenly spread, by any proxy. */
  readonly backSeconds: number;
  /** Sessions last so long on average, and others come in their place. */
  readonly lifeSeconds: number;
  readonly seed: number;
}

export interface Policy {
  readonly name: string;
  readonly balance: UpstreamConfig['balance'];
  readonly fallback: UpstreamConfig['fallback'];
  /** Seconds; 0 is off. */
  readonly slowStart: number;
}

export interface Outcome {
  /** p99 of the sessions of targets that are up, divided by their mean: when all has settled, and at its worst. */
  readonly imbalance: number;
  readonly worstImbalance: number;
  /** Sessions that restarts closed. */
  readonly closed: number;
  /** Of those that came back the ones that got another target. */
  readonly moved: number;
  /** Clients that come back in one second, in all. */
  readonly reconnectsPeak: number;
  /** Sessions that begin in one second on a single target. */
  readonly rush: number;
  /** Open at the end. */
  readonly open: number;
}

const NOWHERE = 0xffff;
const FIRST_SHARE = 0.1;

/** A target as one of the proxies sees it. */
class View implements Candidate {
  readonly name: string;
  readonly at: number;
  readonly weight = 1;
  weightNow = 1;
  sessions = 0;

  constructor(at: number) {
    this.at = at;
    this.name = `10.0.${at >> 8}.${at & 255}:9001`;
  }
}

interface Proxy {
  readonly views: readonly View[];
  readonly balancer: Balancer<View>;
}

export class Fleet {
  private readonly scenario: Scenario;
  private readonly policy: Policy;
  private readonly random: () => number;
  private readonly proxies: readonly Proxy[];
  private readonly isUp: Uint8Array;
  private readonly open: Eligible<View>;
  /** By target: over all proxies, and what began in this second. */
  private readonly held: Int32Array;
  private readonly begun: Int32Array;
  /** When it came up last; only those that start slowly. */
  private readonly upSince = new Map<number, number>();
  /** By session. */
  private readonly proxyOf: Uint8Array;
  private readonly targetOf: Uint16Array;
  private readonly keys: Int32Array;
  /** By target: what its cookie holds. */
  private readonly cookies: readonly string[];
  /** By second, counted from now: sessions that come back. */
  private readonly returns: number[][] = [];
  private worstImbalance = 1;
  private closed = 0;
  private moved = 0;
  private reconnectsPeak = 0;
  private rush = 0;

  constructor(scenario: Scenario, policy: Policy) {
    const { proxies, targets, sessions, seed } = scenario;
    this.scenario = scenario;
    this.policy = policy;
    this.random = randomBy(seed);
    this.isUp = new Uint8Array(targets).fill(1);
    this.open = { has: ({ at }) => this.isUp[at] === 1 };
    this.held = new Int32Array(targets);
    this.begun = new Int32Array(targets);
    this.proxyOf = new Uint8Array(sessions);
    this.targetOf = new Uint16Array(sessions).fill(NOWHERE);
    this.keys = new Int32Array(sessions);
    this.proxies = Array.from({ length: proxies }, () => ({
      views: Array.from({ length: targets }, (_, at) => new View(at)),
      balancer: balancerOf<View>({ ...policy, name: 'pool' }, this.random),
    }));
    const [first] = this.proxies;
    this.cookies = (first?.views ?? []).map((view) => idIn(first?.balancer.cookieFor?.(view, null, false) ?? ''));
  }

  run(): Outcome {
    const { sessions, targets, batch, everySeconds, downSeconds, backSeconds } = this.scenario;
    for (let session = 0; session < sessions; session += 1) this.arrive(session);
    this.begun.fill(0);
    const last = Math.ceil(targets / batch) * everySeconds;
    // All are up, and everybody is back.
    const end = last + downSeconds + backSeconds + this.policy.slowStart;
    for (let now = 0; now <= end; now += 1) this.second(now, last);
    return {
      imbalance: this.imbalance(),
      worstImbalance: this.worstImbalance,
      closed: this.closed,
      moved: this.moved,
      reconnectsPeak: this.reconnectsPeak,
      rush: this.rush,
      open: this.held.reduce((sum, held) => sum + held, 0),
    };
  }

  private second(now: number, last: number): void {
    const { batch, everySeconds, downSeconds } = this.scenario;
    this.restart(now, last, (at) => {
      this.isUp[at] = 0;
    });
    this.restart(now - downSeconds, last, (at) => this.comeUp(at, now));
    if (now % everySeconds === 0 && now < last) this.closeDown(batch * (now / everySeconds));
    this.grow(now);
    this.replaceSome();
    const back = this.returns.shift() ?? [];
    for (const session of back) this.comeBack(session);
    this.reconnectsPeak = Math.max(this.reconnectsPeak, back.length);
    this.rush = Math.max(this.rush, ...this.begun);
    this.begun.fill(0);
    if (now % everySeconds === everySeconds - 1) this.worstImbalance = Math.max(this.worstImbalance, this.imbalance());
  }

  /** `change` for each target of the batch that began at `now`. */
  private restart(now: number, last: number, change: (at: number) => void): void {
    const { batch, everySeconds, targets } = this.scenario;
    if (now < 0 || now >= last || now % everySeconds !== 0) return;
    const from = batch * (now / everySeconds);
    for (let at = from; at < Math.min(targets, from + batch); at += 1) change(at);
  }

  private comeUp(at: number, now: number): void {
    this.isUp[at] = 1;
    if (this.policy.slowStart > 0) this.upSince.set(at, now);
  }

  /** Whoever was on a target of the batch that went down comes back a little later. */
  private closeDown(from: number): void {
    const { batch, backSeconds, sessions } = this.scenario;
    for (let session = 0; session < sessions; session += 1) {
      const target = this.targetOf[session] ?? NOWHERE;
      if (target < from || target >= from + batch || !this.leave(session)) continue;
      this.closed += 1;
      const after = Math.floor(this.random() * backSeconds);
      while (this.returns.length <= after) this.returns.push([]);
      this.returns[after]?.push(session);
    }
  }

  private grow(now: number): void {
    for (const [at, since] of this.upSince) {
      const share = Math.min(1, FIRST_SHARE + ((1 - FIRST_SHARE) * (now - since)) / this.policy.slowStart);
      for (const { views } of this.proxies) {
        const view = views[at];
        if (view !== undefined) view.weightNow = view.weight * share;
      }
      if (share === 1) this.upSince.delete(at);
    }
  }

  private replaceSome(): void {
    const { sessions, lifeSeconds } = this.scenario;
    for (let left = Math.round(sessions / lifeSeconds); left > 0; left -= 1) {
      const session = Math.floor(this.random() * sessions);
      if (this.leave(session)) this.arrive(session);
    }
  }

  /** A new client. */
  private arrive(session: number): void {
    this.keys[session] = Math.floor(this.random() * 2 ** 32) | 0;
    this.begin(session, this.policy.balance.kind === 'hash' ? (this.keys[session] ?? 0) : null);
  }

  /** The same client, with its key or its cookie. */
  private comeBack(session: number): void {
    const before = (this.targetOf[session] ?? NOWHERE) ^ LEFT;
    const { kind } = this.policy.balance;
    const key = kind === 'hash' ? (this.keys[session] ?? 0) : kind === 'sticky' ? (this.cookies[before] ?? null) : null;
    if (this.begin(session, key) !== before) this.moved += 1;
  }

  private begin(session: number, key: BalanceKey): number {
    const proxyAt = Math.floor(this.random() * this.proxies.length);
    const proxy = this.proxies[proxyAt];
    const view = proxy?.balancer.pick(proxy.views, this.open, key);
    if (view === undefined || view === null) throw new Error('some targets are always up');
    view.sessions += 1;
    this.proxyOf[session] = proxyAt;
    this.targetOf[session] = view.at;
    this.held[view.at] = (this.held[view.at] ?? 0) + 1;
    this.begun[view.at] = (this.begun[view.at] ?? 0) + 1;
    return view.at;
  }

  /** False when it has left before and is not back. */
  private leave(session: number): boolean {
    const target = this.targetOf[session] ?? NOWHERE;
    const view = this.proxies[this.proxyOf[session] ?? 0]?.views[target];
    if (view === undefined) return false;
    view.sessions -= 1;
    this.held[target] = (this.held[target] ?? 0) - 1;
    this.targetOf[session] = target | LEFT;
    return true;
  }

  private imbalance(): number {
    const held = [...this.held].filter((_, at) => this.isUp[at] === 1);
    return quantile(held, 0.99) / (held.reduce((sum, one) => sum + one, 0) / held.length);
  }
}

/** Of a session that has left: where it was. No target has a number as high. */
const LEFT = 0x8000;

function idIn(cookie: string): string {
  return cookie.slice(cookie.indexOf('=') + 1).split(';', 1)[0] ?? '';
}

/** From 0 to below 1, the same for a seed (splitmix32). */
function randomBy(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e37_79b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
