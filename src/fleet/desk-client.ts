// The desk of a worker: what its handshakes take of what all workers share is asked of the primary, and given back to
// it. It counts nothing, and decides nothing.

import type { AuthFailures } from '../edge/auth/failures.ts';
import type { OnceDesk } from '../edge/auth/method.ts';
import type { Desk } from '../edge/edge.ts';
import type { Seat } from '../edge/seat.ts';
import type { Clock } from '../limits/clock.ts';
import { RemoteHold } from './desk-client-hold.ts';
import { RemoteIdentities, RemoteOnce, RemoteQuotas, type RemoteSeat } from './desk-client-seats.ts';
import { RemoteSlots } from './desk-client-slots.ts';
import type { DeskLine, Taker } from './desk-line.ts';
import type { Answer, DeskAnswer, DeskAsk } from './desk-messages.ts';
import type { ToldTargets } from './told-targets.ts';

interface DeskClientOptions {
  readonly clock: Clock;
  /** The same that the worker's `MirrorUpstreams` are made with. */
  readonly targets: ToldTargets;
  /** To the primary, in order. */
  post(message: DeskAsk): void;
  /** The connection of a `CountedClaim` is over; once for each. */
  gone(cid: number): void;
  /** Sessions of those seats are to end, with `rebalance`, unless they end anyway. */
  move(seats: ReadonlySet<Seat>): void;
}

/**
 * Made before the worker's edge, whose `desk` it is. What the primary says, of the kinds in DESK_ANSWERS, goes to
 * `take`.
 */
export class DeskClient implements Desk, DeskLine {
  readonly clock: Clock;
  readonly quotas: RemoteQuotas;
  readonly identities: RemoteIdentities;
  readonly slots: RemoteSlots;
  /** For the methods of `auth`. */
  readonly once: OnceDesk;
  private readonly options: DeskClientOptions;
  /** At most as many as there are handshakes and requests that wait. */
  private readonly takers = new Map<number, Taker>();
  /** Those that the primary knows, by their ids. */
  private readonly seats = new Map<number, RemoteSeat>();
  private failures: AuthFailures | null = null;
  private moving = new Set<Seat>();
  private lastId = 0;

  constructor(options: DeskClientOptions) {
    this.options = options;
    this.clock = options.clock;
    this.quotas = new RemoteQuotas(this, this.seats);
    this.identities = new RemoteIdentities(this);
    this.slots = new RemoteSlots(this, this.seats);
    this.once = new RemoteOnce(this);
  }

  newTargetHold(): RemoteHold {
    return new RemoteHold(this);
  }

  newId(): number {
    this.lastId += 1;
    return this.lastId;
  }

  post(message: DeskAsk): void {
    this.options.post(message);
  }

  expect(ask: number, taker: Taker): void {
    this.takers.set(ask, taker);
  }

  forget(ask: number): void {
    this.takers.delete(ask);
  }

  gone(cid: number): void {
    this.options.gone(cid);
  }

  /** Of the worker's methods of `auth`; it counts together with those of the others, which have the same secret. */
  shareFailures(failures: AuthFailures): void {
    this.failures = failures;
    failures.tell = (seen) => this.post(['seen', seen]);
  }

  take(message: DeskAnswer): void {
    switch (message[0]) {
      case 'seen':
        this.failures?.take(message[1], this.clock.now());
        return;
      case 'found':
      case 'state':
      case 'down':
        this.options.targets.take(message);
        return;
      case 'move':
        this.move(message[1]);
        return;
      default:
        this.answer(message);
    }
  }

  /** Nobody waits for one that comes too late: what was granted goes back by what was posted meanwhile. */
  private answer(message: Answer): void {
    const taker = this.takers.get(message[1]);
    if (taker === undefined) return;
    if (message[0] !== 'parked') this.takers.delete(message[1]);
    taker(message);
  }

  /** Those of one turn of the loop together: to find them is a walk over all sessions. */
  private move(id: number): void {
    const seat = this.seats.get(id);
    if (seat === undefined) return;
    this.moving.add(seat);
    if (this.moving.size > 1) return;
    setImmediate(() => {
      const { moving } = this;
      this.moving = new Set();
      this.options.move(moving);
    });
  }
}
