// A target that came up gets its share little by little: its weight grows from a tenth over `slow_start`, for policies
// that go by what counts now. It says nothing of who may have sessions.

import { Alarm } from '../limits/timer-wheel.ts';
import type { PartHost, UpstreamPart } from './part.ts';
import type { Target } from './target.ts';

const FIRST_SHARE = 0.1;
/** So many steps make a line, as long as they are neither too many nor too far apart. */
const STEPS = 100;
const STEP_MIN_MS = 50;
const STEP_MAX_MS = 1_000;

export class SlowStart implements UpstreamPart {
  private readonly host: PartHost;
  /** Null before the start: who is there then has its whole share. */
  private known: ReadonlySet<Target> | null = null;
  /** Since when; targets of `known` only. */
  private readonly starting = new Map<Target, number>();
  private readonly steps = new Alarm((now) => this.step(now));

  constructor(host: PartHost) {
    this.host = host;
  }

  update(): void {
    const { known } = this;
    const { means, targets } = this.host;
    const now = means.clock.now();
    this.known = new Set(targets);
    for (const target of this.starting.keys()) if (!this.known.has(target)) this.finish(target);
    // The first ones that a source finds are no newcomers: nobody else has the rest.
    const isPopulated = known !== null && known.size > 0;
    if (isPopulated) for (const target of targets) if (!known.has(target) && !target.isBarred) this.begin(target, now);
    this.step(now);
  }

  changed(target: Target, isUp: boolean): void {
    if (this.known?.has(target) !== true) return;
    const now = this.host.means.clock.now();
    if (isUp) this.begin(target, now);
    else this.finish(target);
    this.step(now);
  }

  stop(): void {
    this.known = null;
    for (const target of this.starting.keys()) this.finish(target);
    this.host.means.wheel.cancel(this.steps);
  }

  private begin(target: Target, now: number): void {
    this.starting.set(target, now);
  }

  private finish(target: Target): void {
    this.starting.delete(target);
    target.ramp = 1;
  }

  private step(now: number): void {
    const { config, means } = this.host;
    const total = config.slow_start;
    for (const [target, since] of this.starting) {
      // Off is without end, and then nothing starts slowly.
      const passed = total === Number.POSITIVE_INFINITY ? 1 : (now - since) / total;
      if (passed >= 1) this.finish(target);
      else target.ramp = FIRST_SHARE + (1 - FIRST_SHARE) * Math.max(0, passed);
    }
    if (this.starting.size === 0) means.wheel.cancel(this.steps);
    else means.wheel.schedule(this.steps, now + Math.min(STEP_MAX_MS, Math.max(STEP_MIN_MS, total / STEPS)));
  }
}
