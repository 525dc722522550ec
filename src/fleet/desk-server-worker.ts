// What the primary holds for one worker, by the ids that the worker gives, and the way in for its questions.

import type { SeenFailure } from '../edge/auth/failures.ts';
import { HmacMethod } from '../edge/auth/hmac.ts';
import type { NonceOf } from '../edge/auth/method.ts';
import type { Edge } from '../edge/edge.ts';
import { Holdings } from '../edge/holdings.ts';
import { IdentitySeat } from '../edge/identity-limits.ts';
import { PeerClaim, Seat } from '../edge/seat.ts';
import type { TargetHold } from '../edge/target-hold.ts';
import type { Slices } from '../limits/slices.ts';
import type { Refusal } from '../protocol/refusals.ts';
import { unreachable } from '../unreachable.ts';
import type { NotChosen } from '../upstream/choose-target.ts';
import { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Answer, AskedIdentity, Choice, DeskAnswer, DeskAsk, Entry, Turn } from './desk-messages.ts';
import { chosenNow, type SeatOwner, targetsOf, WorkerSeat } from './desk-server-seat.ts';
import type { TargetNews } from './target-news.ts';

interface WorkerDeskOptions {
  readonly edge: Edge;
  readonly slices: Slices;
  readonly line: {
    post(message: DeskAnswer): void;
    claimOf(cid: number): PeerClaim | undefined;
  };
  /** Of all workers. */
  readonly sessions: Set<WorkerSeat>;
  readonly targets: TargetNews;
  /** It has seen a bad credential, or who somebody is: the others are told. */
  seen(seen: SeenFailure): void;
  onLeft(): void;
}

/** The worker goes by a config that is not, or no longer, in force here. */
const REMOVED: Refusal = { slug: 'draining', cause: 'route_removed' };
const FAULT: Refusal = { slug: 'internal_error' };

export class WorkerDesk implements SeatOwner {
  private readonly options: WorkerDeskOptions;
  readonly untried: ReadonlySet<Target> = new Set();
  private readonly seats = new Map<number, WorkerSeat>();
  /** Of requests without upgrade. */
  private readonly holds = new Map<number, TargetHold>();
  private hasLeft = false;

  constructor(options: WorkerDeskOptions) {
    this.options = options;
  }

  get slots(): Edge['slots'] {
    return this.options.edge.slots;
  }

  /** A message of the kinds in DESK_ASKS. A fault of ours ends what it is about, and those behind it go on. */
  take(message: DeskAsk): void {
    if (this.hasLeft) return;
    try {
      this.dispatch(message);
    } catch (error) {
      const [kind, first, second] = message;
      const isAsked = kind === 'enter' || kind === 'identity' || kind === 'turn' || kind === 'choose';
      const seat = this.seats.get(Number(isAsked ? second : first));
      const ask = isAsked || kind === 'rate' || kind === 'once' ? Number(first) : null;
      this.log(error);
      if (ask !== null) this.answer(['barred', ask, FAULT, null]);
      if (seat !== undefined) this.forget(seat);
    }
  }

  private dispatch(message: DeskAsk): void {
    switch (message[0]) {
      case 'enter':
        this.onEnter(message[1], message[2], message[3]);
        return;
      case 'identity':
        this.onIdentity(message[1], message[2], message[3]);
        return;
      case 'turn':
        this.onTurn(message[1], message[2], message[3], message[4], message[5]);
        return;
      case 'unturn':
        this.seats.get(message[1])?.unturn();
        return;
      case 'rate':
        this.onRate(message[1], message[2]);
        return;
      case 'once':
        this.onOnce(message[1], message[2]);
        return;
      case 'choose':
        this.onChoose(message[1], message[2], message[3]);
        return;
      case 'session':
        this.onSession(message[1]);
        return;
      case 'request':
        this.holds.get(message[1])?.become('request');
        return;
      case 'ending':
        this.seats.get(message[1])?.beginEnd();
        return;
      case 'leave':
        this.onLeave(message[1]);
        return;
      case 'seen':
        this.options.seen(message[1]);
        return;
      case 'watch':
        this.onWatch(message);
        return;
      default:
        unreachable(message);
    }
  }

  tell(message: DeskAnswer): void {
    this.options.line.post(message);
  }

  answer(message: Answer): void {
    this.tell(message);
  }

  move(seat: WorkerSeat): void {
    this.tell(['move', seat.id]);
  }

  get sessionCount(): number {
    let count = 0;
    for (const seat of this.seats.values()) if (this.options.sessions.has(seat)) count += 1;
    return count;
  }

  *held(): Generator<Holdings> {
    for (const seat of this.seats.values()) yield seat.holdings;
  }

  /** It is dead, or about to be: all of it goes back, in small steps. Resolves then. */
  leave(): Promise<void> {
    if (this.hasLeft) return Promise.resolve();
    this.hasLeft = true;
    return this.options.slices.run(this.giveBack()).finally(() => this.options.onLeft());
  }

  forget(seat: WorkerSeat): void {
    this.seats.delete(seat.id);
    this.options.sessions.delete(seat);
    seat.release();
  }

  fail(seat: WorkerSeat, ask: number | null, error: unknown): void {
    this.log(error);
    if (ask !== null) this.answer(['barred', ask, FAULT, null]);
    this.forget(seat);
  }

  private *giveBack(): Generator<void> {
    for (const seat of this.seats.values()) {
      this.forget(seat);
      yield;
    }
    for (const hold of this.holds.values()) {
      hold.leave();
      yield;
    }
    this.holds.clear();
  }

  private onEnter(ask: number, id: number, entry: Entry): void {
    const seat = this.enter(ask, id, entry);
    if (seat !== null) this.answer(['ok', ask]);
  }

  /** Null when it was barred, and told so. */
  private enter(ask: number, id: number, [cid, client, routeName]: Entry): WorkerSeat | null {
    const { edge, line } = this.options;
    const route = edge.snapshot.routes.get(routeName);
    if (route === undefined) {
      this.answer(['barred', ask, REMOVED, null]);
      return null;
    }
    const claim = line.claimOf(cid) ?? new PeerClaim();
    const entered = now(edge.quotas.enter(client, route, edge.clock.now(), claim));
    if (!(entered instanceof Seat)) {
      this.answer(['barred', ask, entered, entered.cause]);
      return null;
    }
    const seat = new WorkerSeat(id, this, new Holdings(edge, entered));
    this.seats.set(id, seat);
    return seat;
  }

  private onIdentity(ask: number, id: number, one: AskedIdentity): void {
    const seat = this.seats.get(id);
    if (seat === undefined) this.answer(['barred', ask, FAULT, null]);
    else if (this.identify(ask, seat, one)) this.answer(['ok', ask]);
  }

  /** False when it was barred, and told so. */
  private identify(ask: number, { holdings }: WorkerSeat, [auth, identity, quota]: AskedIdentity): boolean {
    const { edge } = this.options;
    const { seat } = holdings;
    const one = { auth, identity, quota, seat, isLast: true };
    const entered = now(edge.identities.enter(one, seat.route, edge.clock.now()));
    if (entered instanceof IdentitySeat) {
      holdings.takeIdentity(entered);
      return true;
    }
    this.answer(['barred', ask, entered, entered.cause]);
    return false;
  }

  private onTurn(ask: number, id: number, turn: Turn, entry: Entry | null, one: AskedIdentity | null): void {
    const seat = entry === null ? this.seats.get(id) : this.enter(ask, id, entry);
    if (seat === null) return;
    if (seat === undefined) {
      // What barred it was told for a turn that the worker has given up since.
      this.answer(['barred', ask, REMOVED, null]);
      return;
    }
    if (one !== null && !this.identify(ask, seat, one)) {
      this.forget(seat);
      return;
    }
    const upstream = this.upstream(turn[0]);
    if (upstream !== undefined) {
      seat.turn(ask, upstream, turn);
      return;
    }
    this.answer(['barred', ask, REMOVED, null]);
    this.forget(seat);
  }

  private onRate(ask: number, client: string): void {
    const { edge } = this.options;
    const barred = now(edge.quotas.admitRequest(client, edge.clock.now()));
    this.answer(barred === null ? ['ok', ask] : ['barred', ask, barred, barred.cause]);
  }

  /** A method that a reload has taken away lets nobody in. */
  private onOnce(ask: number, nonce: NonceOf): void {
    const method = this.options.edge.snapshot.auth.get(nonce.auth);
    this.answer(['taken', ask, method instanceof HmacMethod ? method.takeNonce(nonce) : 'full']);
  }

  private onChoose(ask: number, id: number, choice: Choice): void {
    const upstream = this.upstream(choice[0]);
    if (upstream === undefined) {
      const room = { down: 0, full: 0, draining: 0 };
      this.answer(['none', ask, { kind: 'none', cause: 'none is known', targets: room }, room]);
      return;
    }
    const seat = this.seats.get(id);
    if (seat === undefined) this.chooseForRequest(ask, id, upstream, choice);
    else seat.choose(ask, upstream, choice);
  }

  /** A request waits for no room, and takes none before those that do. */
  private chooseForRequest(ask: number, id: number, upstream: Upstream, choice: Choice): void {
    const [, key, names, isRetry] = choice;
    const hold = this.holds.get(id) ?? this.options.edge.newTargetHold();
    this.holds.set(id, hold);
    const tried = targetsOf(upstream, names);
    const isFull = !isRetry && upstream.queue.isBusy;
    const chosen: Target | NotChosen = isFull
      ? { kind: 'full' }
      : chosenNow(hold.choose({ upstream, tried, key, isRetry }));
    if (chosen instanceof Target) this.answer(['go', ask, chosen.name, hold.trial]);
    else this.answer(['none', ask, chosen, upstream.noRoom]);
  }

  private onSession(id: number): void {
    const seat = this.seats.get(id);
    if (seat === undefined) return;
    seat.becomeSession(this.options.edge.clock.now());
    this.options.sessions.add(seat);
  }

  private onLeave(id: number): void {
    const seat = this.seats.get(id);
    if (seat !== undefined) this.forget(seat);
    const hold = this.holds.get(id);
    this.holds.delete(id);
    hold?.leave();
  }

  private onWatch([, upstreamName, name, method, ...values]: Extract<DeskAsk, readonly ['watch', ...unknown[]]>): void {
    const target = this.upstream(upstreamName)?.target(name);
    if (target === undefined) return;
    const { edge, targets } = this.options;
    if (method === 'dialFailed') target.dials.failed(edge.clock.now());
    else if (method === 'dialSucceeded') target.dials.succeeded(edge.clock.now());
    targets.look(upstreamName, target);
    const { watch } = target;
    // Of the method of that name: the worker's watch was called with them.
    (watch?.[method] as ((...values: unknown[]) => void) | undefined)?.apply(watch, values);
  }

  private upstream(name: string): Upstream | undefined {
    return this.options.edge.snapshot.upstreams.get(name);
  }

  private log(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.edge.log.event('error', 'handshake.fault', { error: text });
  }
}

/** The primary counts by itself. */
function now<T>(answer: T | Promise<T>): T {
  if (answer instanceof Promise) throw new Error('the desk of the primary answers at once');
  return answer;
}
