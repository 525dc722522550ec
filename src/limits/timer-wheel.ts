// Every deadline of the proxy: one hashed timer wheel with intrusive entries, driven from outside. Scheduling,
// moving and cancelling are O(1) and allocate nothing. No clock and no Node timer: its owner calls `advance`.

import type { Clock } from './clock.ts';

/** Slots of the wheel, a power of two: with the default tick a turn takes 25.6 s. What is later waits for its turn. */
const SLOTS = 512;
const TICK_MS = 50;

/**
 * Something with one deadline. Extend it and implement `onTimer`; the links belong to the wheel.
 * An entry is in at most one wheel, and fires at most once per `schedule`.
 */
export abstract class TimerEntry {
  /** Links of the slot's ring, null when not scheduled. */
  wheelNext: TimerEntry | null = null;
  wheelPrevious: TimerEntry | null = null;
  /** The deadline, in the clock's milliseconds. Infinity when none is set. */
  dueAt = Number.POSITIVE_INFINITY;

  /** Called once `now >= dueAt`, at most one tick late. May schedule itself again. */
  abstract onTimer(now: number): void;
}

/** A deadline with a callback, for the control plane. */
export class Alarm extends TimerEntry {
  private readonly fire: (now: number) => void;

  constructor(fire: (now: number) => void) {
    super();
    this.fire = fire;
  }

  override onTimer(now: number): void {
    this.fire(now);
  }
}

/** The head of one slot's ring. */
class Slot extends TimerEntry {
  override onTimer(): void {}
}

export class TimerWheel {
  /** Entries scheduled now. */
  size = 0;
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly slots: Slot[] = [];
  /** The last tick that `advance` has finished. */
  private tick: number;
  /** What the entries that fired have thrown, until `advance` throws it on. */
  private faults: unknown[] = [];

  constructor(clock: Clock, tickMs: number = TICK_MS) {
    this.clock = clock;
    this.tickMs = tickMs;
    this.tick = Math.floor(clock.now() / tickMs);
    for (let i = 0; i < SLOTS; i++) {
      const slot = new Slot();
      slot.wheelNext = slot;
      slot.wheelPrevious = slot;
      this.slots.push(slot);
    }
  }

  /** Set or move the deadline of `entry`. Infinity cancels; a time that has passed fires on the next tick. */
  schedule(entry: TimerEntry, at: number): void {
    this.cancel(entry);
    if (at === Number.POSITIVE_INFINITY) return;
    entry.dueAt = at;
    // Rounded up, so that a deadline never fires early; at least the next tick, so that `advance` cannot loop on it.
    const due = Math.max(Math.ceil(at / this.tickMs), this.tick + 1);
    const slot = this.slots[due % SLOTS] as Slot; // the modulus keeps it in range
    const last = slot.wheelPrevious as TimerEntry;
    entry.wheelNext = slot;
    entry.wheelPrevious = last;
    last.wheelNext = entry;
    slot.wheelPrevious = entry;
    this.size += 1;
  }

  cancel(entry: TimerEntry): void {
    const next = entry.wheelNext;
    const previous = entry.wheelPrevious;
    entry.dueAt = Number.POSITIVE_INFINITY;
    if (next === null || previous === null) return;
    previous.wheelNext = next;
    next.wheelPrevious = previous;
    entry.wheelNext = null;
    entry.wheelPrevious = null;
    this.size -= 1;
  }

  /**
   * Fire everything that is due at `now`. After a long silence every slot is visited once, not once per tick. What an
   * entry throws is thrown at the end: it must not take the deadlines of others with it.
   */
  advance(now: number = this.clock.now()): void {
    const until = Math.floor(now / this.tickMs);
    const first = Math.max(this.tick + 1, until - SLOTS + 1);
    if (until <= this.tick) return;
    this.tick = until;
    for (let tick = first; tick <= until; tick++) this.fireSlot(this.slots[tick % SLOTS] as Slot, now);
    if (this.faults.length === 0) return;
    const [fault] = this.faults;
    this.faults = [];
    throw fault;
  }

  private fireSlot(slot: Slot, now: number): void {
    // Entries are moved to a ring of their own first: what fires may schedule or cancel anything, itself included.
    const due = new Slot();
    due.wheelNext = due;
    due.wheelPrevious = due;
    let entry = slot.wheelNext as TimerEntry;
    while (entry !== slot) {
      const next = entry.wheelNext as TimerEntry;
      if (entry.dueAt <= now) moveBefore(entry, due);
      entry = next;
    }
    while (due.wheelNext !== due) {
      const first = due.wheelNext as TimerEntry;
      this.cancel(first);
      try {
        first.onTimer(now);
      } catch (error) {
        this.faults.push(error);
      }
    }
  }
}

function moveBefore(entry: TimerEntry, ring: TimerEntry): void {
  const next = entry.wheelNext as TimerEntry;
  const previous = entry.wheelPrevious as TimerEntry;
  previous.wheelNext = next;
  next.wheelPrevious = previous;
  const last = ring.wheelPrevious as TimerEntry;
  entry.wheelNext = ring;
  entry.wheelPrevious = last;
  last.wheelNext = entry;
  ring.wheelPrevious = entry;
}
