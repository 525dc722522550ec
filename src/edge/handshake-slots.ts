// Which complete heads go on to their backend now and which wait: at most `max_handshakes` are under way in all, and a
// share of them on each upstream. Those above wait in one fair queue per upstream. It answers nobody.

import type { Limits } from '../config/types.ts';
import { Chain, Link } from '../limits/chain.ts';
import type { Clock } from '../limits/clock.ts';
import { FairQueue, type Waiter } from '../limits/fair-queue.ts';
import { Largest } from '../limits/largest.ts';
import type { ProcessMetrics } from '../observe/metrics.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { BalanceKey } from '../upstream/balance/balancer.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Seat } from './seat.ts';
import type { TargetHold } from './target-hold.ts';

/** Handshakes that go on in one turn of the event loop: each costs a dial. */
const TURN_MAX = 16;
/** A queue is late when its oldest has waited for this share of its `timeouts.open`; `off` counts as this long. */
const LATE_SHARE = 1 / 3;
const OPEN_MS_MAX = 15_000;

/** Who waits for a slot. */
export interface SlotOwner {
  /** Its turn has come: it holds a slot. */
  onTurn(): void;
  /** The queue is full, and somebody who has less in it takes its place. */
  onPushedOut(): void;
  /** Where slots are given by others, they see to the room of targets, too: it waits for that now. */
  onParked(): void;
  /** They have refused it. `limit`: the config key that did. */
  onRefused(refusal: Refusal, limit: string | null): void;
}

/** One handshake's claim to a slot; given back once, with `leave`. */
export class SlotClaim {
  readonly owner: SlotOwner;
  readonly upstream: Upstream;
  state: 'waiting' | 'open' | 'over' = 'waiting';
  waiter: Waiter<SlotClaim> | null = null;
  /** Since when others have had it wait for room; null: they have not. */
  parkedSince: number | null = null;

  constructor(owner: SlotOwner, upstream: Upstream) {
    this.owner = owner;
    this.upstream = upstream;
  }
}

/** All who wait for one upstream. */
class UpstreamQueue {
  readonly upstream: Upstream;
  readonly fair = new FairQueue<SlotClaim>();
  readonly inReady = new Link<UpstreamQueue>(this);
  readonly inSizes = new Link<UpstreamQueue>(this);

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }
}

export interface SlotRequest {
  readonly owner: SlotOwner;
  readonly upstream: Upstream;
  /** Clients with the same key share one place in turn. */
  readonly key: string;
  /** `timeouts.open` of its route. */
  readonly openMs: number;
  /** What it has taken, and its hold on a target. */
  readonly seat: Seat;
  readonly hold: TargetHold;
  /** By what its target is chosen. */
  readonly balanceKey: () => BalanceKey;
}

type SlotLimits = Pick<Limits, 'max_handshakes' | 'max_waiting_handshakes'>;

/** Where handshakes get their turn. */
export interface SlotDesk {
  /** The config key of what stands against one more; null when it may go on, or wait. */
  obstacleTo(upstream: Upstream, key: string): string | null;
  /** `obstacleTo` was null just before. The claim is open at once, or waits for its turn. */
  ask(request: SlotRequest): SlotClaim;
  /** It waits no more, or is a session, refused or gone. Idempotent. */
  leave(claim: SlotClaim): void;
  /** One more waits, for something else than a slot. False when it may not. */
  park(): boolean;
  /** Once for each that was parked. */
  unpark(): void;
  /** Other limits from now on, those of the upstreams too. Who is under way stays, and who waits. */
  retune(limits: SlotLimits): void;
}

export class HandshakeSlots implements SlotDesk {
  private readonly counts: ProcessMetrics;
  private readonly clock: Clock;
  private slotsMax: number;
  private waitingMax: number;
  /** At most the upstreams for which somebody waits. */
  private readonly queues = new Map<Upstream, UpstreamQueue>();
  /** Those of them whose upstream has room, in turn. */
  private readonly ready = new Chain<UpstreamQueue>();
  private readonly sizes = new Largest<UpstreamQueue>();
  private isPumping = false;

  /** `counts`: its `handshakesOpen` and `handshakesWaiting` are kept here. */
  constructor(limits: SlotLimits, counts: ProcessMetrics, clock: Clock) {
    this.slotsMax = limits.max_handshakes;
    this.waitingMax = limits.max_waiting_handshakes;
    this.counts = counts;
    this.clock = clock;
  }

  obstacleTo(upstream: Upstream, key: string): string | null {
    if (this.hasSlot(upstream) || this.counts.handshakesWaiting < this.waitingMax) return null;
    if (this.waitingMax === 0) return 'max_handshakes';
    return this.victimFor(upstream, key) === null ? 'max_waiting_handshakes' : null;
  }

  ask(request: Omit<SlotRequest, 'seat' | 'hold' | 'balanceKey'>): SlotClaim {
    const { upstream, key } = request;
    const claim = new SlotClaim(request.owner, upstream);
    if (this.hasSlot(upstream)) {
      this.open(claim);
      return claim;
    }
    if (this.counts.handshakesWaiting >= this.waitingMax) this.pushOut(this.victimFor(upstream, key));
    const queue = this.queues.get(upstream) ?? this.newQueue(upstream);
    const lateAt = this.clock.now() + Math.min(request.openMs, OPEN_MS_MAX) * LATE_SHARE;
    claim.waiter = queue.fair.add(key, claim, lateAt);
    this.noteSize(queue);
    this.counts.handshakesWaiting += 1;
    this.pumpSoon();
    return claim;
  }

  park(): boolean {
    if (this.counts.handshakesWaiting >= this.waitingMax) return false;
    this.counts.handshakesWaiting += 1;
    return true;
  }

  unpark(): void {
    this.counts.handshakesWaiting -= 1;
  }

  leave(claim: SlotClaim): void {
    const { state, upstream, waiter } = claim;
    claim.state = 'over';
    const queue = this.queues.get(upstream);
    if (state === 'waiting' && queue !== undefined && waiter !== null) {
      queue.fair.remove(waiter);
      this.noteLeft(queue);
    } else if (state === 'open') {
      this.counts.handshakesOpen -= 1;
      upstream.handshakes -= 1;
      if (queue !== undefined) this.noteRoom(queue);
      this.pumpSoon();
    }
  }

  retune(limits: SlotLimits): void {
    this.slotsMax = limits.max_handshakes;
    this.waitingMax = limits.max_waiting_handshakes;
    for (const queue of this.queues.values()) this.noteRoom(queue);
    this.pumpSoon();
  }

  /** Nobody who waits is passed by: a newcomer goes on only when all who wait are waiting for a full upstream. */
  private hasSlot(upstream: Upstream): boolean {
    return this.counts.handshakesOpen < this.slotsMax && upstream.hasHandshakeRoom && this.ready.size === 0;
  }

  private open(claim: SlotClaim): void {
    claim.state = 'open';
    this.counts.handshakesOpen += 1;
    claim.upstream.handshakes += 1;
  }

  private pumpSoon(): void {
    if (this.isPumping || this.ready.size === 0 || this.counts.handshakesOpen >= this.slotsMax) return;
    this.isPumping = true;
    // Not from inside whoever has just left, and all slots of one turn of the loop at once.
    setImmediate(() => {
      this.isPumping = false;
      this.pump();
    });
  }

  private pump(): void {
    for (let left = TURN_MAX; left > 0 && this.counts.handshakesOpen < this.slotsMax; left -= 1) {
      const queue = this.ready.first;
      const claim = queue?.fair.take(this.clock.now()) ?? null;
      if (queue === null || claim === null) return;
      this.open(claim);
      this.ready.remove(queue.inReady);
      this.noteLeft(queue);
      this.noteRoom(queue);
      claim.owner.onTurn();
    }
    this.pumpSoon();
  }

  private newQueue(upstream: Upstream): UpstreamQueue {
    const queue = new UpstreamQueue(upstream);
    this.queues.set(upstream, queue);
    this.noteRoom(queue);
    return queue;
  }

  /** One who waited there waits no more. */
  private noteLeft(queue: UpstreamQueue): void {
    this.counts.handshakesWaiting -= 1;
    this.noteSize(queue);
    if (queue.fair.size > 0) return;
    this.queues.delete(queue.upstream);
    this.ready.remove(queue.inReady);
  }

  private noteSize(queue: UpstreamQueue): void {
    this.sizes.resize(queue.inSizes, queue.fair.size);
  }

  /** A queue stands in `ready` while its upstream has room; one that comes there is behind the others. */
  private noteRoom(queue: UpstreamQueue): void {
    if (!queue.upstream.hasHandshakeRoom || this.queues.get(queue.upstream) !== queue) {
      this.ready.remove(queue.inReady);
    } else if (queue.inReady.chain === null) {
      this.ready.append(queue.inReady);
    }
  }

  /**
   * Who makes room for one more in a full queue: the newest of the client that has the most in the longest queue, as
   * long as the newcomer has less there. So no client and no upstream keeps the others out.
   */
  private victimFor(upstream: Upstream, key: string): SlotClaim | null {
    const own = this.queues.get(upstream);
    const longestQueue = this.sizes.largest;
    if (longestQueue === null) return null;
    if (longestQueue.fair.size > (own?.fair.size ?? 0) + 1) return longestQueue.fair.longest?.newest.item ?? null;
    const longest = own?.fair.longest ?? null;
    if (own === undefined || longest === null) return null;
    return longest.size > own.fair.sizeOf(key) + 1 ? longest.newest.item : null;
  }

  private pushOut(victim: SlotClaim | null): void {
    if (victim === null) return;
    this.leave(victim);
    victim.owner.onPushedOut();
  }
}
