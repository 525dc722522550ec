// The figures of the last ten minutes and of the last hour, as charts want them: columns of one length. They begin as
// what the listener has kept, and each second is added. Pure; at most 600 and 360 steps.

import type { Figure, Figures, HistorySpan, HistoryView } from '../admin/page-types.ts';

const STEPS_PER_TEN = 10;
const SECONDS_MAX = 600;
const TENS_MAX = 360;

type Column = (number | null)[];

/** One span of time. `times` are ends of steps, in seconds since 1970, and rise. */
export class Span {
  readonly lengthMs: number;
  times: number[] = [];
  private readonly stepsMax: number;
  private columns = new Map<Figure, Column>();

  constructor(stepMs: number, stepsMax: number) {
    this.lengthMs = stepMs * stepsMax;
    this.stepsMax = stepsMax;
  }

  /** When its last step ended, in milliseconds; 0 while it is empty. */
  get until(): number {
    return Math.round((this.times.at(-1) ?? 0) * 1000);
  }

  load({ step_ms: step, until, figures }: HistorySpan): void {
    this.columns = new Map(Object.entries(figures).map(([name, values]) => [name as Figure, [...values]]));
    const steps = Math.max(0, ...[...this.columns.values()].map(({ length }) => length));
    this.times = Array.from({ length: steps }, (_, index) => (until - (steps - 1 - index) * step) / 1000);
  }

  add(at: number, figures: Figures): void {
    if (at <= this.until) return;
    this.times.push(at / 1000);
    for (const [name, value] of Object.entries(figures)) this.column(name as Figure).push(value);
    // What was not told this time has a gap here.
    for (const column of this.columns.values()) while (column.length < this.times.length) column.push(null);
    if (this.times.length <= this.stepsMax) return;
    this.times.shift();
    for (const column of this.columns.values()) column.shift();
  }

  /** As long as `times`. */
  column(name: Figure): Column {
    const known = this.columns.get(name);
    if (known !== undefined) return known;
    const empty: Column = this.times.slice(1).map(() => null);
    this.columns.set(name, empty);
    return empty;
  }
}

export class Timeline {
  readonly minutes = new Span(1000, SECONDS_MAX);
  readonly hour = new Span(STEPS_PER_TEN * 1000, TENS_MAX);
  private pending: Figures[] = [];

  load({ seconds, tens }: HistoryView): void {
    this.minutes.load(seconds);
    this.hour.load(tens);
    this.pending = [];
  }

  add(at: number, figures: Figures): void {
    if (at <= this.minutes.until) return;
    this.minutes.add(at, figures);
    this.pending.push(figures);
    if (at - this.hour.until < STEPS_PER_TEN * 1000) return;
    this.hour.add(at, joined(this.pending));
    this.pending = [];
  }
}

/** Seconds as one step: of rates and times the mean, of the loop the longest, of what there is the last. */
function joined(seconds: readonly Figures[]): Figures {
  const names = Object.keys(seconds.at(-1) ?? {}) as Figure[];
  const values = names.map((name) => {
    const known = seconds.map((one) => one[name]).filter((value) => value !== null && value !== undefined);
    if (known.length === 0) return [name, null];
    if (name === 'loop_lag_ms') return [name, Math.max(...known)];
    const isMean = name.endsWith('_per_s') || name === 'ping_rtt_ms' || name === 'cpu_share';
    return [name, isMean ? known.reduce((sum, value) => sum + value, 0) / known.length : known.at(-1)];
  });
  return Object.fromEntries(values) as Figures;
}
