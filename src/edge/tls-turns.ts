// Which clients begin their TLS handshake now and which wait, unread: a few in one turn of the event loop, since each
// costs it a signature; so many at a time, and so many a second. Those above wait in one queue that is fair by address.

import type { Limits } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import { FairQueue, type Waiter } from '../limits/fair-queue.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import type { ProcessMetrics } from '../observe/metrics.ts';

/** Handshakes that begin in one turn: 500 at once would stand still for a quarter of a second. */
const TURN_MAX = 4;
/** The queue is late when its oldest has waited for this share of its time. */
const LATE_SHARE = 1 / 3;

/** One client's claim to a handshake; given back once, with `leave`. */
export class TlsClaim {
  readonly begin: (claim: TlsClaim) => void;
  state: 'waiting' | 'open' | 'over' = 'waiting';
  waiter: Waiter<TlsClaim> | null = null;

  constructor(begin: (claim: TlsClaim) => void) {
    this.begin = begin;
  }
}

type TlsLimits = Pick<Limits, 'max_tls_handshakes' | 'tls_handshakes_per_second'>;

interface TlsTurnsOptions {
  readonly limits: TlsLimits;
  /** Its `tlsHandshakesOpen` is kept here. */
  readonly counts: ProcessMetrics;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class TlsTurns {
  private readonly counts: ProcessMetrics;
  private readonly clock: Clock;
  private readonly wheel: TimerWheel;
  private openMax: number;
  private readonly rate: TokenBucket;
  /** At most the connections that are open. */
  private readonly waiting = new FairQueue<TlsClaim>();
  private begun = 0;
  private isInTurn = false;
  /** While the rate is what is waited for. */
  private readonly alarm = new Alarm(() => this.pump());

  constructor({ limits, counts, clock, wheel }: TlsTurnsOptions) {
    this.counts = counts;
    this.clock = clock;
    this.wheel = wheel;
    this.openMax = limits.max_tls_handshakes;
    this.rate = new TokenBucket(limits.tls_handshakes_per_second, burstOf(limits), clock.now());
  }

  /** `begin` is called when its turn has come, from inside this call at the earliest. `key`: of its address. */
  ask(key: string, deadline: number, begin: (claim: TlsClaim) => void): TlsClaim {
    const claim = new TlsClaim(begin);
    const now = this.clock.now();
    if (this.waiting.size === 0 && this.hasRoom(now)) this.open(claim);
    else {
      claim.waiter = this.waiting.add(key, claim, now + (deadline - now) * LATE_SHARE);
      this.pumpLater();
    }
    return claim;
  }

  /** It waits no more, or its handshake is over, either way. Idempotent. */
  leave(claim: TlsClaim): void {
    const { state, waiter } = claim;
    claim.state = 'over';
    if (state === 'waiting' && waiter !== null) this.waiting.remove(waiter);
    if (state !== 'open') return;
    this.counts.tlsHandshakesOpen -= 1;
    this.pumpLater();
  }

  /** Other limits from now on. Who is under way stays, and who waits. */
  retune(limits: TlsLimits): void {
    this.openMax = limits.max_tls_handshakes;
    this.rate.retune(limits.tls_handshakes_per_second, burstOf(limits), this.clock.now());
    this.pumpLater();
  }

  private hasRoom(now: number): boolean {
    return this.begun < TURN_MAX && this.counts.tlsHandshakesOpen < this.openMax && this.rate.hasOne(now);
  }

  private open(claim: TlsClaim): void {
    claim.state = 'open';
    this.counts.tlsHandshakesOpen += 1;
    this.rate.takeOne(this.clock.now());
    this.begun += 1;
    this.awaitTurn();
    claim.begin(claim);
  }

  /** The turn in which something begins, or is asked for, is over some time. */
  private awaitTurn(): void {
    if (this.isInTurn) return;
    this.isInTurn = true;
    setImmediate(() => {
      this.isInTurn = false;
      this.begun = 0;
      this.pump();
    });
  }

  private pumpLater(): void {
    if (this.waiting.size > 0 && this.counts.tlsHandshakesOpen < this.openMax) this.awaitTurn();
  }

  private pump(): void {
    const now = this.clock.now();
    while (this.hasRoom(now)) {
      const claim = this.waiting.take(now);
      if (claim === null) return;
      this.open(claim);
    }
    if (this.waiting.size === 0 || this.counts.tlsHandshakesOpen >= this.openMax) return;
    if (this.rate.hasOne(now)) this.awaitTurn();
    // The wheel says when; which tick of it does not matter.
    else this.wheel.schedule(this.alarm, now + 1);
  }
}

/** What a second may bring comes at once, and one always. */
function burstOf({ tls_handshakes_per_second: rate }: TlsLimits): number {
  return Math.max(1, rate);
}
