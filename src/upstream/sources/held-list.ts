// What discovery has found, and what it misses but does not give up yet: an answer may be incomplete, or a sample. The
// clock is an argument.

import type { TargetConfig } from '../../config/types.ts';

/** Targets of one answer, and as many that are missed: more are dropped, those that are missed the longest first. */
export const FOUND_MAX = 4_096;

interface Entry {
  config: TargetConfig;
  /** Of good answers without it, since the last that had it; null: the last one had it. */
  missed: { readonly since: number; count: number } | null;
}

export class HeldList {
  /** How long a target is missing before it is gone; 0: the first answer without it counts. */
  private readonly holdMs: number;
  /** In the order in which they were found: it is the same while they are. */
  private readonly entries = new Map<string, Entry>();

  constructor(holdMs: number, before: readonly TargetConfig[]) {
    this.holdMs = holdMs;
    for (const config of before) this.entries.set(config.name, { config, missed: null });
  }

  get size(): number {
    return this.entries.size;
  }

  /** The last answer was without some of them. */
  get misses(): boolean {
    return [...this.entries.values()].some(({ missed }) => missed !== null);
  }

  get targets(): readonly TargetConfig[] {
    return [...this.entries.values()].map(({ config }) => config);
  }

  /** A good one, of FOUND_MAX at most. */
  take(answer: readonly TargetConfig[], now: number): void {
    const found = new Map(answer.map((config) => [config.name, config]));
    for (const [name, entry] of this.entries) {
      if (found.has(name) || !this.isGone(entry, now)) continue;
      this.entries.delete(name);
    }
    for (const [name, config] of found) {
      const known = this.entries.get(name);
      if (known === undefined) this.entries.set(name, { config, missed: null });
      else {
        known.config = config;
        known.missed = null;
      }
    }
    this.dropLongestMissed(this.entries.size - found.size - FOUND_MAX);
  }

  /** One more answer is without it. */
  private isGone(entry: Entry, now: number): boolean {
    if (this.holdMs === 0) return true;
    entry.missed ??= { since: now, count: 0 };
    entry.missed.count += 1;
    return entry.missed.count >= 2 && now - entry.missed.since >= this.holdMs;
  }

  private dropLongestMissed(count: number): void {
    if (count <= 0) return;
    const missed = [...this.entries].flatMap(([name, { missed }]) =>
      missed === null ? [] : [{ name, since: missed.since }],
    );
    missed.sort((a, b) => a.since - b.since);
    for (const { name } of missed.slice(0, count)) this.entries.delete(name);
  }
}
