// The timer wheel with as many deadlines as a busy proxy has: setting, moving, cancelling, and finding what is due.

import { TimerEntry, TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { MicroCase } from './micro-case.ts';

const ENTRIES = 10_000;
const TICK_MS = 50;
const SPREAD_MS = 60_000;

class Deadline extends TimerEntry {
  fired = 0;

  override onTimer(): void {
    this.fired += 1;
  }
}

class Bench {
  now = 0;
  readonly wheel = new TimerWheel({ now: () => this.now }, TICK_MS);
  readonly entries = Array.from({ length: ENTRIES }, () => new Deadline());

  /** Moves those that are set already. */
  scheduleAll(): number {
    for (let i = 0; i < ENTRIES; i++) {
      this.wheel.schedule(this.entries[i] as Deadline, this.now + 1_000 + ((i * 7919) % SPREAD_MS)); // i < ENTRIES
    }
    return this.wheel.size;
  }

  cancelAll(): number {
    for (const entry of this.entries) this.wheel.cancel(entry);
    return this.wheel.size;
  }

  /** Every entry fires once. */
  fireAll(): number {
    const before = this.fired();
    this.scheduleAll();
    const until = this.now + SPREAD_MS + 2_000;
    while (this.now < until) {
      this.now += TICK_MS;
      this.wheel.advance();
    }
    return this.fired() - before;
  }

  private fired(): number {
    return this.entries.reduce((sum, entry) => sum + entry.fired, 0);
  }
}

export function cases(): readonly MicroCase[] {
  const moving = new Bench();
  const setting = new Bench();
  const firing = new Bench();
  moving.scheduleAll();
  const work = { unit: 'timer', operations: ENTRIES, bytes: 0 };
  return [
    { name: 'timer wheel: move', ...work, expected: ENTRIES, run: () => moving.scheduleAll() },
    {
      name: 'timer wheel: set and cancel',
      ...work,
      expected: ENTRIES,
      run: () => setting.scheduleAll() + setting.cancelAll(),
    },
    { name: 'timer wheel: set and fire', ...work, expected: ENTRIES, run: () => firing.fireAll() },
  ];
}
