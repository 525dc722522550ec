// Plain counters by name, and the buckets of what is counted by time.

/** Of handshakes and requests. */
export const handshakeSeconds = Float64Array.of(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30);

/** Events by a name of our own: a slug, a config key. The names are a closed set, so the map is bounded. */
export class Tally {
  private readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  entries(): Iterable<[name: string, count: number]> {
    return this.counts;
  }
}
