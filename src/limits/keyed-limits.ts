// Limits per client address: open sessions and handshakes per second, in a table with a hard cap. Every operation is
// O(1). It must not answer anybody: the edge makes a refusal of a verdict.

import { TokenBucket } from './token-bucket.ts';

export interface KeyedLimitsOptions {
  /** Addresses remembered at a time. At least the cap on all sessions: those alone then never fill the table. */
  readonly entriesMax: number;
  /** Sessions of one address; Infinity is `off`. */
  readonly sessionsMax: number;
  /** Handshakes of one address; Infinity is `off`. */
  readonly handshakesPerSecond: number;
  readonly handshakeBurst: number;
}

export const KeyedVerdict = {
  Ok: 0,
  /** This address has what it may have. */
  Over: 1,
  /** The table is full of addresses that are in use: more than can be told apart. Nothing was counted. */
  Full: 2,
} as const;
export type KeyedVerdict = (typeof KeyedVerdict)[keyof typeof KeyedVerdict];

/** The key of peers that have no address, such as those of a unix socket: they are never limited. */
export const NO_KEY = '';

/** Idle entries looked at when room is needed, from the one used least recently. */
const LOOKS_MAX = 8;
/** Idle entries that a new one pushes out while the table has room: it shrinks again after a flood. */
const SWEEP_MAX = 2;

/** One address: its bucket of handshakes, and its sessions. In the idle list while it has none of these. */
class Entry extends TokenBucket {
  readonly key: string;
  sessions = 0;
  previous: Entry | null = null;
  next: Entry | null = null;

  constructor(key: string, rate: number, burst: number, now: number) {
    super(rate, burst, now);
    this.key = key;
  }
}

/**
 * An entry may be forgotten once it has no sessions and a full bucket: then it says no more than a new one would. Those
 * without sessions stand in a list by their last use, so the first of it are the first to be full again.
 */
export class KeyedLimits {
  // At most entriesMax entries; removed in release(), or when others need room.
  private readonly entries = new Map<string, Entry>();
  private options: KeyedLimitsOptions;
  private idleFirst: Entry | null = null;
  private idleLast: Entry | null = null;

  constructor(options: KeyedLimitsOptions) {
    this.options = options;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Sessions of this address now. */
  sessionsOf(key: string): number {
    return this.entries.get(key)?.sessions ?? 0;
  }

  /** Charge one handshake. */
  admit(key: string, now: number): KeyedVerdict {
    if (key === NO_KEY || this.options.handshakesPerSecond === Number.POSITIVE_INFINITY) return KeyedVerdict.Ok;
    const entry = this.entryFor(key, now);
    if (entry === null) return KeyedVerdict.Full;
    if (entry.sessions === 0) this.touch(entry);
    return entry.takeOne(now) ? KeyedVerdict.Ok : KeyedVerdict.Over;
  }

  /**
   * Count one session. After Ok, and only then, it has to be given back with `release`. It counts while the cap is off
   * too, so that one which a reload sets knows the sessions that are open.
   */
  acquire(key: string, now: number): KeyedVerdict {
    if (key === NO_KEY) return KeyedVerdict.Ok;
    const entry = this.entryFor(key, now);
    if (entry === null) return KeyedVerdict.Full;
    if (entry.sessions >= this.options.sessionsMax) return KeyedVerdict.Over;
    if (entry.sessions === 0) this.unlink(entry);
    entry.sessions += 1;
    return KeyedVerdict.Ok;
  }

  release(key: string, now: number): void {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.sessions === 0) return;
    entry.sessions -= 1;
    if (entry.sessions > 0) return;
    if (entry.isFull(now)) this.entries.delete(key);
    else this.append(entry);
  }

  /**
   * New limits from now on: what was used stays used, and sessions over a lowered cap stay. A smaller table forgets
   * nothing at once: it takes nobody new until it fits.
   */
  retune(options: KeyedLimitsOptions, now: number): void {
    this.options = options;
    for (const entry of this.entries.values()) entry.retune(options.handshakesPerSecond, options.handshakeBurst, now);
  }

  private entryFor(key: string, now: number): Entry | null {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const room = this.options.entriesMax - this.entries.size;
    const removed = this.sweep(room > 0 ? SWEEP_MAX : LOOKS_MAX, now);
    if (room + removed <= 0) return null;
    const entry = new Entry(key, this.options.handshakesPerSecond, this.options.handshakeBurst, now);
    this.entries.set(key, entry);
    this.append(entry);
    return entry;
  }

  /** Forget what may be forgotten among the first `looks` of the idle list; tells how many that were. */
  private sweep(looks: number, now: number): number {
    let removed = 0;
    let entry = this.idleFirst;
    for (let look = 0; look < looks && entry !== null; look += 1) {
      const { next } = entry;
      if (entry.isFull(now)) {
        this.unlink(entry);
        this.entries.delete(entry.key);
        removed += 1;
      }
      entry = next;
    }
    return removed;
  }

  private touch(entry: Entry): void {
    this.unlink(entry);
    this.append(entry);
  }

  private append(entry: Entry): void {
    entry.previous = this.idleLast;
    if (this.idleLast === null) this.idleFirst = entry;
    else this.idleLast.next = entry;
    this.idleLast = entry;
  }

  private unlink(entry: Entry): void {
    if (entry.previous === null) this.idleFirst = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === null) this.idleLast = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = null;
    entry.next = null;
  }
}

/** Twice the rate may come at once, and one always. */
export function keyedLimits(sessionsMax: number, rate: number, entriesMax: number): KeyedLimitsOptions {
  return { entriesMax, sessionsMax, handshakesPerSecond: rate, handshakeBurst: Math.max(1, 2 * rate) };
}

export function worseOf(a: KeyedVerdict, b: KeyedVerdict): KeyedVerdict {
  return a === KeyedVerdict.Ok ? b : a;
}
