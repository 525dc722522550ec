// Who is next of many who wait, each under the key of a client: the keys take turns, so that one that sends a thousand
// keeps nobody else waiting. It has no cap and no clock of its own; every operation is O(1).

import { Chain, Link } from './chain.ts';
import { Largest } from './largest.ts';

/** Keys that were served and wait no more, remembered for their place behind the others; the longest known go first. */
const SERVED_MAX = 1_024;

/** One place in the queue. */
export class Waiter<T> {
  readonly item: T;
  /** From here on the queue is late because of it. */
  readonly lateAt: number;
  readonly line: Line<T>;
  readonly inLine = new Link<Waiter<T>>(this);
  readonly inAges = new Link<Waiter<T>>(this);

  constructor(item: T, line: Line<T>, lateAt: number) {
    this.item = item;
    this.line = line;
    this.lateAt = lateAt;
  }
}

/** All who wait under one key. */
class Line<T> {
  readonly key: string;
  readonly waiters = new Chain<Waiter<T>>();
  readonly inTurns = new Link<Line<T>>(this);
  readonly inFresh = new Link<Line<T>>(this);
  readonly inServed = new Link<Line<T>>(this);
  readonly inSizes = new Link<Line<T>>(this);

  constructor(key: string) {
    this.key = key;
  }
}

/**
 * In time: the keys in turn, within one the oldest. Late, while the oldest of all has waited for too long: the key that
 * began to wait last, and there the newest; the oldest are about to give up, and serving them in their order would
 * serve nobody. A key that was served goes behind all others, in time and late.
 */
export class FairQueue<T> {
  /** At most those who wait and SERVED_MAX. */
  private lines = new Map<string, Line<T>>();
  private turns = new Chain<Line<T>>();
  /** Not served since they began to wait, by when they began. */
  private readonly fresh = new Chain<Line<T>>();
  /** Served, and nobody waits there now; they keep their turns. */
  private served = new Chain<Line<T>>();
  private readonly ages = new Chain<Waiter<T>>();
  private readonly sizes = new Largest<Line<T>>();

  get size(): number {
    return this.ages.size;
  }

  sizeOf(key: string): number {
    return this.lines.get(key)?.waiters.size ?? 0;
  }

  /** The key with the most: how many, and the newest of them. */
  get longest(): { readonly size: number; readonly newest: Waiter<T> } | null {
    const newest = this.sizes.largest?.waiters.last ?? null;
    return newest === null ? null : { size: this.sizes.size, newest };
  }

  /** Times must not go back from one call to the next. */
  add(key: string, item: T, lateAt: number): Waiter<T> {
    const line = this.lines.get(key) ?? this.begin(key);
    const waiter = new Waiter(item, line, lateAt);
    line.waiters.append(waiter.inLine);
    this.ages.append(waiter.inAges);
    this.served.remove(line.inServed);
    this.sizes.resize(line.inSizes, line.waiters.size);
    return waiter;
  }

  /** It waits no more, of its own. False, and nothing is done, when it was taken or removed before. */
  remove(waiter: Waiter<T>): boolean {
    const { line } = waiter;
    if (waiter.inAges.chain !== this.ages) return false;
    this.unlink(waiter);
    if (line.waiters.size > 0) return true;
    if (line.inFresh.chain === null) this.keepServed(line);
    else this.forget(line);
    this.forgetAllIfEmpty();
    return true;
  }

  /** Who is next; null when nobody waits. */
  take(now: number): T | null {
    const oldest = this.ages.first;
    if (oldest === null) return null;
    const isLate = now > oldest.lateAt;
    const line = (isLate ? this.fresh.last : null) ?? this.nextInTurn();
    const waiter = isLate ? line.waiters.last : line.waiters.first;
    if (waiter === null) throw new Error('a line that has its turn has somebody waiting');
    this.unlink(waiter);
    this.fresh.remove(line.inFresh);
    this.turns.append(line.inTurns);
    if (line.waiters.size === 0) this.keepServed(line);
    this.forgetAllIfEmpty();
    return waiter.item;
  }

  private begin(key: string): Line<T> {
    const line = new Line<T>(key);
    this.lines.set(key, line);
    this.turns.append(line.inTurns);
    this.fresh.append(line.inFresh);
    return line;
  }

  /** Somebody waits, so there is one. Those with nobody are forgotten when their turn comes. */
  private nextInTurn(): Line<T> {
    for (;;) {
      const line = this.turns.first;
      if (line === null) throw new Error('who waits has a turn');
      if (line.waiters.size > 0) return line;
      this.forget(line);
    }
  }

  private unlink(waiter: Waiter<T>): void {
    const { line } = waiter;
    line.waiters.remove(waiter.inLine);
    this.ages.remove(waiter.inAges);
    this.sizes.resize(line.inSizes, line.waiters.size);
  }

  private keepServed(line: Line<T>): void {
    this.served.append(line.inServed);
    const oldest = this.served.first;
    if (this.served.size > SERVED_MAX && oldest !== null) this.forget(oldest);
  }

  private forget(line: Line<T>): void {
    this.turns.remove(line.inTurns);
    this.fresh.remove(line.inFresh);
    this.served.remove(line.inServed);
    this.lines.delete(line.key);
  }

  /** Nobody waits: there is no turn to wait for. */
  private forgetAllIfEmpty(): void {
    if (this.ages.size > 0 || this.lines.size === 0) return;
    this.lines = new Map();
    this.turns = new Chain();
    this.served = new Chain();
  }
}
