// What this process takes of memory, looked at a few times a second, and what happens near `limits.max_memory`: no new
// handshakes, and nearer still the ends of the slowest readers. It knows no session.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { Log } from '../observe/log.ts';

const LOOK_MS = 250;
/** Shares of the limit. */
const REFUSE_ABOVE = 0.9;
const SHED_ABOVE = 0.95;
/** What ended sessions held is collected by then. */
const SETTLE_MS = 10_000;

/** Bytes. */
export interface MemoryUsage {
  /** Resident, all together. */
  readonly rss: number;
  /** Of that buffers, and what else objects of JavaScript keep outside of the heap. */
  readonly external: number;
}

interface MemoryWatchOptions {
  readonly wheel: TimerWheel;
  readonly now: () => number;
  /** Null: that cannot be told now, and the last look stands. */
  readonly read: () => MemoryUsage | null;
  /** Collect what is garbage now. */
  readonly collect: () => void;
  readonly bytesMax: number;
  readonly log: Log;
  /** End those who hold the most for slow readers, until it is `bytes` less. */
  readonly shed: (bytes: number) => void;
}

const NOTHING: MemoryUsage = { rss: 0, external: 0 };

export class MemoryWatch {
  private readonly options: MemoryWatchOptions;
  private readonly alarm = new Alarm((now) => this.look(now));
  private bytesMax = Number.POSITIVE_INFINITY;
  /** At the last look; 0 while there is no limit. */
  private taken = 0;
  /** When most was resident. */
  private peak = NOTHING;
  /** What was taken when sessions ended last; until `settledAt` only what came on top of it ends more. */
  private shedAt = 0;
  private settledAt = Number.NEGATIVE_INFINITY;
  private isTold = false;
  private collectAt = Number.NEGATIVE_INFINITY;

  constructor(options: MemoryWatchOptions) {
    this.options = options;
    this.retune(options.bytesMax);
  }

  /** True while new handshakes are to be refused. At most LOOK_MS old. */
  get isOver(): boolean {
    return this.taken > this.bytesMax * REFUSE_ABOVE;
  }

  /** Another limit: it keeps out whoever comes from now on, and ends nobody before the next look. */
  retune(bytesMax: number): void {
    const { wheel, now } = this.options;
    this.bytesMax = bytesMax;
    if (bytesMax === Number.POSITIVE_INFINITY) {
      this.taken = 0;
      this.peak = NOTHING;
      wheel.cancel(this.alarm);
    } else {
      this.read();
      wheel.schedule(this.alarm, now() + LOOK_MS);
    }
    this.tell();
  }

  private look(now: number): void {
    this.read();
    // What has ended may still be there: nobody is refused for garbage.
    if (this.isOver && now >= this.collectAt) {
      this.collectAt = now + SETTLE_MS;
      this.options.collect();
      this.read();
    }
    this.tell();
    const bar = this.bytesMax * SHED_ABOVE;
    const excess = this.taken - (now < this.settledAt ? Math.max(bar, this.shedAt) : bar);
    if (excess > 0) {
      this.options.shed(excess);
      this.shedAt = this.taken;
      this.settledAt = now + SETTLE_MS;
    }
    this.options.wheel.schedule(this.alarm, now + LOOK_MS);
  }

  /**
   * What buffers give back stays with the allocator, for the next ones: after a burst as much is resident as at its
   * peak, for good. So what they gave back since the peak counts as free, less what the system has got of it. A higher
   * peak ends that: then it was not there to be used.
   */
  private read(): void {
    const usage = this.options.read();
    if (usage === null) return;
    if (usage.rss >= this.peak.rss) this.peak = usage;
    const free = this.peak.external - usage.external - (this.peak.rss - usage.rss);
    this.taken = usage.rss - Math.max(0, free);
  }

  private tell(): void {
    const { isOver, taken: bytes, bytesMax } = this;
    if (isOver === this.isTold) return;
    this.isTold = isOver;
    const limit = Number.isFinite(bytesMax) ? bytesMax : undefined;
    if (isOver) this.options.log.event('warn', 'memory.short', { bytes, limit });
    else this.options.log.event('info', 'memory.enough', { bytes, limit });
  }
}
