// What makes time pass in a running proxy: a few times a second it drives the timer wheel, looks whether the wall clock
// was set, and lets the log tell what it held back. It knows no deadline.

import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import { WheelDriver } from '../limits/wheel-driver.ts';
import type { Log } from '../observe/log.ts';
import { WallWatch } from '../observe/wall-watch.ts';

/** How often the timer wheel is driven. Deadlines are at most this much, and one tick, late. */
const WHEEL_DRIVE_MS = 50;

interface PulseOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
}

export class Pulse {
  private readonly options: PulseOptions;
  private readonly wall = new WallWatch(performance.now(), Date.now());
  private interval: NodeJS.Timeout | null = null;

  constructor(options: PulseOptions) {
    this.options = options;
  }

  /** Without it no deadline comes. */
  get isBeating(): boolean {
    return this.interval !== null;
  }

  start(): void {
    const { clock, wheel } = this.options;
    const driver = new WheelDriver(wheel, clock.now());
    this.interval = setInterval(() => setImmediate(() => this.beat(driver)), WHEEL_DRIVE_MS);
  }

  stop(): void {
    if (this.interval !== null) clearInterval(this.interval);
    this.interval = null;
  }

  /**
   * Comes as an immediate: libuv runs timers before it reads, immediates after, so what peers sent while the event loop
   * was busy has been read. Nobody is cut off for a silence of our own.
   */
  private beat(driver: WheelDriver): void {
    if (this.interval === null) return;
    const { clock, log } = this.options;
    const now = clock.now();
    driver.drive(now);
    const ms = this.wall.look(performance.now(), Date.now());
    if (ms !== 0) log.event('warn', 'clock.jumped', { ms });
    log.tick(now);
  }
}
