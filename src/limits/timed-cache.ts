// What was found out and holds for a while: each entry until its own time, at most so many, and of so much weight
// together; who was asked for least recently goes first. The clock is an argument.

interface Entry<V> {
  readonly value: V;
  readonly until: number;
  readonly weight: number;
}

export class TimedCache<V> {
  /** In the order of their last use, at most `entriesMax`. */
  private readonly entries = new Map<string, Entry<V>>();
  private readonly entriesMax: number;
  private readonly weightMax: number;
  /** Of all entries together. */
  private weight = 0;

  constructor(entriesMax: number, weightMax = Number.POSITIVE_INFINITY) {
    this.entriesMax = entriesMax;
    this.weightMax = weightMax;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string, now: number): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until <= now) {
      this.delete(key);
      return undefined;
    }
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Good before `until`, by the clock that `get` is told. One that is heavier than all may be is not kept. */
  set(key: string, value: V, until: number, weight = 0): void {
    this.delete(key);
    if (weight > this.weightMax) return;
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.entriesMax && this.weight + weight <= this.weightMax) break;
      this.delete(oldest);
    }
    this.entries.set(key, { value, until, weight });
    this.weight += weight;
  }

  delete(key: string): void {
    this.weight -= this.entries.get(key)?.weight ?? 0;
    this.entries.delete(key);
  }

  deleteWhere(isGone: (value: V, key: string) => boolean): void {
    for (const [key, { value }] of this.entries) if (isGone(value, key)) this.delete(key);
  }

  clear(): void {
    this.entries.clear();
    this.weight = 0;
  }
}
