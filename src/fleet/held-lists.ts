// Lists that are asked for page by page: what is left of each is held for a while, in case the next one is asked for.

import type { Clock } from '../limits/clock.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { Paged } from './worker-subject.ts';

const HELD_MS = 10_000;
/** At a time; the oldest makes room. Each is begun by an admin listener, which makes few answers at a time. */
const HELD_MAX = 16;

interface HeldListsOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly slices: Slices;
}

interface Held {
  /** Elements; null where there is none yet. */
  readonly rest: Iterator<unknown>;
  readonly alarm: Alarm;
}

export class HeldLists {
  private readonly options: HeldListsOptions;
  /** By what the next page is asked for by. */
  private readonly held = new Map<number, Held>();
  private last = 0;

  constructor({ clock, wheel, slices }: HeldListsOptions) {
    this.options = { clock, wheel, slices };
  }

  /** `next` 0: of a new list, which `begin` makes. Throws when the list is no longer held. */
  async page<T>(next: number, max: number, begin: () => Iterator<T | null>): Promise<Paged<T>> {
    const rest = next === 0 ? begin() : this.take<T>(next);
    const { items, isDone } = await this.options.slices.run(firstOf(rest, max));
    return { items, next: isDone ? 0 : this.hold(rest) };
  }

  private take<T>(next: number): Iterator<T | null> {
    const held = this.held.get(next);
    if (held === undefined) throw new Error('asked for the rest of a list that is not held');
    this.drop(next);
    return held.rest as Iterator<T | null>; // who asks for it has begun it
  }

  private hold(rest: Iterator<unknown>): number {
    const { clock, wheel } = this.options;
    const [oldest] = this.held.keys();
    if (this.held.size >= HELD_MAX && oldest !== undefined) this.drop(oldest);
    this.last += 1;
    const key = this.last;
    const alarm = new Alarm(() => this.drop(key));
    this.held.set(key, { rest, alarm });
    wheel.schedule(alarm, clock.now() + HELD_MS);
    return key;
  }

  private drop(key: number): void {
    const held = this.held.get(key);
    if (held !== undefined) this.options.wheel.cancel(held.alarm);
    this.held.delete(key);
  }
}

/** In steps, of which each looks at one place of the list. */
function* firstOf<T>(
  rest: Iterator<T | null>,
  max: number,
): Generator<void, { readonly items: readonly T[]; readonly isDone: boolean }> {
  const items: T[] = [];
  while (items.length < max) {
    const { done, value } = rest.next();
    if (done === true) return { items, isDone: true };
    if (value !== null) items.push(value);
    yield;
  }
  return { items, isDone: false };
}
