// Plain counters by name, the largest by name, and the buckets of what is counted by time.

import { type Counted, numbersOf } from './counted.ts';

/** Of handshakes and requests. */
export const handshakeSeconds = Float64Array.of(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30);

/** Events by a name of our own: a slug, a config key. The names are a closed set, so the map is bounded. */
export class Tally implements Counted {
  private readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  dump(): unknown {
    return this.counts.size === 0 ? undefined : new Map(this.counts);
  }

  addDump(dump: unknown): void {
    for (const [name, count] of numbersOf(dump)) this.counts.set(name, this.of(name) + count);
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  entries(): Iterable<[name: string, count: number]> {
    return this.counts;
  }
}

/** The largest by a name of our own: of a closed set, too. */
export class Largest implements Counted {
  private readonly values = new Map<string, number>();

  note(name: string, value: number): void {
    this.values.set(name, Math.max(value, this.of(name)));
  }

  /** 0 where there was none. */
  of(name: string): number {
    return this.values.get(name) ?? 0;
  }

  dump(): unknown {
    return this.values.size === 0 ? undefined : new Map(this.values);
  }

  addDump(dump: unknown): void {
    for (const [name, value] of numbersOf(dump)) this.note(name, value);
  }
}
