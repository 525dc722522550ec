// Who waits until a target of one upstream has room, first come first served: whoever comes later stands behind those
// who wait, and behind those who were called and have not taken their slot yet. It picks no target.

import { Chain, Link } from '../limits/chain.ts';
import type { Clock } from '../limits/clock.ts';

/** Called in one turn of the event loop: each costs a dial, as in the queues of `edge/`. */
const TURN_MAX = 16;

/** Who waits for room. */
export interface RoomWaiter {
  /** There is room for it. Its place is kept until it has taken its slot, or gives up. */
  onRoom(): void;
}

/** One place, given back once, with `leave`. */
export class Place {
  readonly queue: RoomQueue;
  readonly waiter: RoomWaiter;
  /** When it began to wait. */
  readonly since: number;
  state: 'waiting' | 'called' | 'over' = 'waiting';
  readonly inLine = new Link<Place>(this);

  constructor(queue: RoomQueue, waiter: RoomWaiter, since: number) {
    this.queue = queue;
    this.waiter = waiter;
    this.since = since;
  }
}

interface RoomQueueOptions {
  readonly clock: Clock;
  /** How many sessions may go to a target now. */
  readonly room: () => number;
  /** Somebody waits no more, and did for so long. */
  readonly waited: (ms: number) => void;
}

export class RoomQueue {
  private readonly options: RoomQueueOptions;
  private readonly line = new Chain<Place>();
  /** Before all of the line, the longest called last: called, but somebody else took the slot. */
  private readonly again = new Chain<Place>();
  private called = 0;
  private isAwake = false;

  constructor(options: RoomQueueOptions) {
    this.options = options;
  }

  /** Those who wait, and are not called yet. */
  get size(): number {
    return this.line.size + this.again.size;
  }

  /** Somebody is to be served before a newcomer. */
  get isBusy(): boolean {
    return this.size > 0 || this.called > 0;
  }

  join(waiter: RoomWaiter): Place {
    const place = new Place(this, waiter, this.options.clock.now());
    this.line.append(place.inLine);
    this.wake();
    return place;
  }

  /** It was called, and there was no room: it is the next one. */
  rejoin(place: Place): void {
    if (place.state !== 'called') return;
    this.called -= 1;
    place.state = 'waiting';
    this.again.append(place.inLine);
    this.wake();
  }

  /** It has its slot, or has given up. Idempotent. */
  leave(place: Place): void {
    const { state } = place;
    if (state === 'over') return;
    place.state = 'over';
    if (state === 'called') this.called -= 1;
    place.inLine.chain?.remove(place.inLine);
    this.options.waited(this.options.clock.now() - place.since);
    this.wake();
  }

  /** There may be room. */
  wake(): void {
    if (this.isAwake || this.size === 0) return;
    this.isAwake = true;
    // Not from inside whoever has just left, and all of one turn of the loop at once.
    setImmediate(() => {
      this.isAwake = false;
      this.call();
    });
  }

  private call(): void {
    const room = this.options.room() - this.called;
    for (let left = Math.min(room, TURN_MAX); left > 0; left -= 1) {
      const place = this.again.first ?? this.line.first;
      if (place === null) return;
      place.inLine.chain?.remove(place.inLine);
      place.state = 'called';
      this.called += 1;
      place.waiter.onRoom();
    }
    if (room > TURN_MAX) this.wake();
  }
}
