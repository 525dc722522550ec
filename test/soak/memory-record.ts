// Resident memory of a process over a run: flat after a warm-up, or it leaks.

import type { ProxyProcess } from './proxy-process.ts';

const MIB = 1_048_576;
/** Before this share of the run the heap finds its size; the last share is compared with the one behind it. */
const WARM_UP_SHARE = 0.3;
const COMPARED_SHARE = 0.2;
/** What garbage and the course of the traffic come to. */
const NOISE_BYTES = 12 * MIB;
const NOISE_SHARE = 0.05;
/** Shorter runs are warm-up alone. */
const JUDGED_SECONDS_MIN = 60;

export class MemoryRecord {
  private readonly seconds: number;
  private readonly startedAt = performance.now();
  private readonly samples: { readonly second: number; readonly rss: number }[] = [];

  constructor(seconds: number) {
    this.seconds = seconds;
  }

  note(proxy: ProxyProcess): void {
    if (proxy.exit === null) this.add((performance.now() - this.startedAt) / 1000, proxy.figures().rssBytes);
  }

  add(second: number, rss: number): void {
    this.samples.push({ second, rss });
  }

  faults(): string[] {
    if (this.seconds < JUDGED_SECONDS_MIN) return [];
    const { early, late } = this.compared();
    const bound = early + NOISE_BYTES + early * NOISE_SHARE;
    // Not a number when nothing was measured, which is no proof of anything.
    return !(late <= bound) ? [`resident memory grew: ${this.summary()}`] : [];
  }

  summary(): string {
    const { early, late } = this.compared();
    const most = Math.max(0, ...this.samples.map(({ rss }) => rss));
    return `RSS ${mib(early)} after warm-up, ${mib(late)} at the end, ${mib(most)} at most`;
  }

  now(): string {
    return `RSS ${mib(this.samples.at(-1)?.rss ?? 0)}`;
  }

  elapsed(): string {
    return `${Math.round((performance.now() - this.startedAt) / 1000)} s`;
  }

  /** The medians of both stretches. */
  private compared(): { early: number; late: number } {
    const from = (share: number) => share * this.seconds;
    return {
      early: this.median(from(WARM_UP_SHARE), from(WARM_UP_SHARE + COMPARED_SHARE)),
      late: this.median(from(1 - COMPARED_SHARE), Number.POSITIVE_INFINITY),
    };
  }

  private median(start: number, end: number): number {
    const within = this.samples.filter(({ second }) => second >= start && second < end).map(({ rss }) => rss);
    within.sort((a, b) => a - b);
    return within[within.length >> 1] ?? Number.NaN;
  }
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
