// What was found out and holds for a while: each entry until its own time, at most so many; who was asked for least
// recently goes first. The clock is an argument.

interface Entry<V> {
  readonly value: V;
  readonly until: number;
}

export class TimedCache<V> {
  /** In the order of their last use, at most `entriesMax`. */
  private readonly entries = new Map<string, Entry<V>>();
  private readonly entriesMax: number;

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string, now: number): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    if (entry.until <= now) return undefined;
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Good before `until`, by the clock that `get` is told. */
  set(key: string, value: V, until: number): void {
    this.entries.delete(key);
    const [oldest] = this.entries.keys();
    if (this.entries.size >= this.entriesMax && oldest !== undefined) this.entries.delete(oldest);
    this.entries.set(key, { value, until });
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  deleteWhere(isGone: (value: V, key: string) => boolean): void {
    for (const [key, { value }] of this.entries) if (isGone(value, key)) this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }
}
