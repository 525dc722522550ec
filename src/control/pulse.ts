// What makes time pass in a running proxy: a few times a second it drives the timer wheel, looks whether the wall clock
// was set, and lets the log tell what it held back. It knows no deadline.

import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import { WheelDriver } from '../limits/wheel-driver.ts';
import type { Log } from '../observe/log.ts';
import { WallWatch } from '../observe/wall-watch.ts';

/** How often the timer wheel is driven: once for each of its ticks. */
const WHEEL_DRIVE_MS = 50;

interface PulseOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  /** Another process of this machine tells when the wall clock was set. */
  readonly isWallTold?: boolean;
}

export class Pulse {
  private readonly options: PulseOptions;
  private readonly wall = new WallWatch(performance.now(), Date.now());
  private timer: NodeJS.Timeout | null = null;

  constructor(options: PulseOptions) {
    this.options = options;
  }

  /** Without it no deadline comes. */
  get isBeating(): boolean {
    return this.timer !== null;
  }

  start(): void {
    const { clock, wheel } = this.options;
    this.wait(new WheelDriver(wheel, clock.now()));
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Until just behind a tick of the wheel: what is due is late by a tick then, and not by two. */
  private wait(driver: WheelDriver): void {
    const ms = WHEEL_DRIVE_MS - (this.options.clock.now() % WHEEL_DRIVE_MS) + 1;
    this.timer = setTimeout(() => {
      this.wait(driver);
      setImmediate(() => this.beat(driver));
    }, ms);
  }

  /**
   * Comes as an immediate: libuv runs timers before it reads, immediates after, so what peers sent while the event loop
   * was busy has been read. Nobody is cut off for a silence of our own.
   */
  private beat(driver: WheelDriver): void {
    if (this.timer === null) return;
    const { clock, log, isWallTold = false } = this.options;
    const now = clock.now();
    driver.drive(now);
    const ms = this.wall.look(performance.now(), Date.now());
    if (ms !== 0 && !isWallTold) log.event('warn', 'clock.jumped', { ms });
    log.tick(now);
  }
}
