// What the page shows of time: once a second the counters are read, in slices, and told as figures of that second and
// of every ten; the last hour of them is kept. Without the page nothing is read.

import type {
  CountsView,
  Figure,
  Figures,
  HistorySpan,
  HistoryView,
  SecondView,
  WorkerView,
} from '../admin/page-types.ts';
import type { ProxyState } from '../admin/subject.ts';
import type { Edge } from '../edge/edge.ts';
import type { Pulled } from '../limits/pulled.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import { LoopLag } from '../observe/loop-lag.ts';
import { memoryOf, type ProcessView } from '../observe/runtime-metrics.ts';
import { StepHistory } from '../observe/step-history.ts';
import { type ToldTotals, type Totals, totalsOf } from './totals.ts';

const SECOND_MS = 1000;
const TEN_MS = 10 * SECOND_MS;
const SECONDS_KEPT = 600;
const TENS_KEPT = 360;
/** The wall clock is followed in steps of at least this, so that one second has one time however often it is told. */
const WALL_STEP_MS = 500;

/** All that is read once a second. */
interface Reading {
  readonly at: number;
  readonly sessions: number;
  readonly totals: Totals;
  /** NaN where there is no process to look at. */
  readonly memory: number;
  readonly lag: number;
  readonly cpuMicros: number;
  /** Null: this process does all. */
  readonly workers: readonly WorkerView[] | null;
}

type Between = (from: Reading, to: Reading) => number;

/** Counts of what a reload dropped are gone: nothing happens less than never. */
const perSecond = (of: (totals: Totals) => number): Between => {
  return (from, to) => Math.max(0, of(to.totals) - of(from.totals)) / ((to.at - from.at) / SECOND_MS);
};
const atEnd = (of: (reading: Reading) => number): Between => {
  return (_from, to) => of(to);
};

const FIGURES: Readonly<Record<Figure, Between>> = {
  sessions: atEnd(({ sessions }) => sessions),
  opened_per_s: perSecond(({ opened }) => opened),
  ended_per_s: perSecond(({ ended }) => ended),
  refused_per_s: perSecond(({ refused }) => refused),
  http_requests_per_s: perSecond(({ httpRequests }) => httpRequests),
  messages_from_client_per_s: perSecond(({ messagesFromClient }) => messagesFromClient),
  messages_from_backend_per_s: perSecond(({ messagesFromBackend }) => messagesFromBackend),
  bytes_from_client_per_s: perSecond(({ bytesFromClient }) => bytesFromClient),
  bytes_from_backend_per_s: perSecond(({ bytesFromBackend }) => bytesFromBackend),
  limit_hits_per_s: perSecond(({ limitHits }) => limitHits),
  paused: atEnd(({ totals }) => totals.paused),
  buffered_bytes: atEnd(({ totals }) => totals.buffered),
  ping_rtt_ms: (from, to) => {
    const pings = to.totals.pings - from.totals.pings;
    return pings > 0 ? ((to.totals.pingSeconds - from.totals.pingSeconds) / pings) * 1000 : Number.NaN;
  },
  memory_bytes: atEnd(({ memory }) => memory),
  loop_lag_ms: atEnd(({ lag }) => lag),
  cpu_share: (from, to) => Math.max(0, to.cpuMicros - from.cpuMicros) / 1000 / (to.at - from.at),
};
const NAMES = Object.keys(FIGURES) as readonly Figure[]; // the type of the table says so

/** What is read of an edge. */
interface Watched extends Pick<Edge, 'clock' | 'wheel' | 'metrics'> {
  readonly log: Pick<Edge['log'], 'event'>;
  readonly sessions: { readonly size: number };
  readonly snapshot: Pick<Edge['snapshot'], 'wallNow'>;
}

/** What other processes of this framegate tell of a second, all of them together. */
export interface OthersReading {
  readonly totals: readonly ToldTotals[];
  readonly sessions: number;
  readonly memory: number;
  readonly lag: number;
  readonly cpuMicros: number;
  readonly workers: readonly WorkerView[];
}

interface FigureKeeperOptions {
  readonly edge: Watched;
  readonly slices: Slices;
  /** Null without a process to look at. */
  readonly processView: ProcessView | null;
  readonly pid: number;
  /** Of the process. */
  state(): ProxyState;
  /** Those of the workers; absent: this process does all. */
  readonly others?: (inFull: boolean) => Promise<OthersReading>;
}

export class FigureKeeper {
  private readonly options: FigureKeeperOptions;
  private readonly alarm = new Alarm(() => void this.step());
  /** Null while it is off. */
  private kept: Kept | null = null;
  /** Who waits for the next second; one for each viewer's stream at most. */
  private waiting: ((second: SecondView | null) => void)[] = [];

  constructor(options: FigureKeeperOptions) {
    this.options = options;
  }

  /** Keeps them or does not; what was kept is forgotten with the latter. */
  switch(isOn: boolean): void {
    if (isOn === (this.kept !== null)) return;
    const { edge, processView } = this.options;
    if (isOn) {
      this.kept = new Kept(edge, processView === null ? null : new LoopLag());
      void this.step();
      return;
    }
    this.kept?.lag?.stop();
    this.kept = null;
    edge.wheel.cancel(this.alarm);
    this.tell(null);
  }

  /** Null while it is off. */
  history(): Pulled<HistoryView> | null {
    return this.kept?.view() ?? null;
  }

  /** The next second, when it is over; null: they are no longer kept. */
  next(): Promise<SecondView | null> {
    if (this.kept === null) return Promise.resolve(null);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Since the start, whether figures are kept or not. */
  async counts(): Promise<CountsView> {
    const { edge, slices } = this.options;
    const [totals, others] = await Promise.all([
      slices.run(totalsOf(edge.metrics, true)),
      this.options.others?.(true) ?? null,
    ]);
    for (const other of others?.totals ?? []) totals.plus(other);
    return countsOf(totals);
  }

  private tell(second: SecondView | null): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve(second);
  }

  private async step(): Promise<void> {
    const { kept } = this;
    const { edge } = this.options;
    if (kept === null) return;
    try {
      const inFull = this.waiting.length > 0;
      const reading = await this.read(kept, inFull);
      if (this.kept !== kept) return;
      kept.add(reading);
      // Whoever came while it was read waits for one that is told in full.
      if (inFull) this.tell(this.second(kept, reading));
    } catch (error) {
      edge.log.event('error', 'admin.fault', { error: String(error) });
    }
    const next = (Math.floor(edge.clock.now() / SECOND_MS) + 1) * SECOND_MS;
    if (this.kept === kept) edge.wheel.schedule(this.alarm, next);
  }

  private async read(kept: Kept, inFull: boolean): Promise<Reading> {
    const { edge, slices, others } = this.options;
    if (others === undefined) return this.reading(kept, await slices.run(totalsOf(edge.metrics, inFull)));
    const told = await others(inFull);
    const own = this.reading(kept, await slices.run(totalsOf(edge.metrics, inFull)));
    for (const totals of told.totals) own.totals.plus(totals);
    return {
      ...own,
      sessions: own.sessions + told.sessions,
      memory: own.memory + told.memory,
      lag: Math.max(own.lag, told.lag),
      cpuMicros: own.cpuMicros + told.cpuMicros,
      workers: told.workers,
    };
  }

  private reading(kept: Kept, totals: Totals): Reading {
    const { edge, processView } = this.options;
    const { user = Number.NaN, system = Number.NaN } = processView?.cpuUsage() ?? {};
    return {
      at: edge.clock.now(),
      sessions: edge.sessions.size,
      totals,
      memory: memoryOf(processView),
      lag: kept.lag?.take() ?? Number.NaN,
      cpuMicros: user + system,
      workers: null,
    };
  }

  private second(kept: Kept, { totals, sessions, workers }: Reading): SecondView {
    const { figures } = kept;
    const worker: WorkerView = {
      pid: this.options.pid,
      state: this.options.state(),
      sessions,
      memory_bytes: figures.memory_bytes ?? 0,
      loop_lag_ms: figures.loop_lag_ms,
      cpu_share: figures.cpu_share,
    };
    return {
      at: kept.endOf(SECOND_MS),
      figures,
      ...countsOf(totals),
      workers: workers ?? [worker],
    };
  }
}

function countsOf({ ends, limits }: Totals): CountsView {
  return {
    ends: [...ends.values()].sort((a, b) => b.count - a.count),
    limits: [...limits.values()].sort((a, b) => b.hits - a.hits),
  };
}

/** What is kept while the page is on. */
class Kept {
  readonly lag: LoopLag | null;
  /** Of the last second. */
  figures: Figures = namedOf([]);
  private readonly edge: Watched;
  private readonly seconds = new StepHistory(NAMES.length, SECONDS_KEPT);
  private readonly tens = new StepHistory(NAMES.length, TENS_KEPT);
  /** At the end of the last second, and of the last ten. */
  private last: Reading | null = null;
  private lastTen: Reading | null = null;
  /** The longest of the ten seconds that are not over. */
  private lagOfTen = Number.NaN;
  private wallOffset = 0;

  constructor(edge: Watched, lag: LoopLag | null) {
    this.edge = edge;
    this.lag = lag;
  }

  add(reading: Reading): void {
    const { edge, last, lastTen } = this;
    const offset = edge.snapshot.wallNow() - reading.at;
    if (Math.abs(offset - this.wallOffset) > WALL_STEP_MS) this.wallOffset = offset;
    this.last = reading;
    if (last === null || lastTen === null) {
      this.lastTen = reading;
      return;
    }
    this.lagOfTen = Math.max(reading.lag, Number.isNaN(this.lagOfTen) ? 0 : this.lagOfTen);
    const figures = figuresOf(last, reading);
    this.figures = namedOf(figures);
    pushSteps(this.seconds, figures, stepsBetween(last, reading, SECOND_MS));
    const tens = stepsBetween(lastTen, reading, TEN_MS);
    if (tens === 0) return;
    pushSteps(this.tens, figuresOf(lastTen, { ...reading, lag: this.lagOfTen }), tens);
    this.lastTen = reading;
    this.lagOfTen = Number.NaN;
  }

  /** Of the last step that is over, in whole milliseconds since 1970. */
  endOf(stepMs: number): number {
    const at = this.last?.at ?? this.edge.clock.now();
    return Math.round(Math.floor(at / stepMs) * stepMs + this.wallOffset);
  }

  view(): Pulled<HistoryView> {
    return {
      seconds: spanView(this.seconds, SECOND_MS, this.endOf(SECOND_MS)),
      tens: spanView(this.tens, TEN_MS, this.endOf(TEN_MS)),
    };
  }
}

function spanView(history: StepHistory, stepMs: number, until: number): Pulled<HistorySpan> {
  const columns = NAMES.map((name, index) => [name, history.column(index)] as const);
  // A name for each of them.
  const figures = Object.fromEntries(columns) as Record<Figure, Generator<number | null>>;
  return { step_ms: stepMs, until, figures };
}

/** After a standstill one reading is that of many steps. */
function pushSteps(history: StepHistory, figures: readonly number[], steps: number): void {
  for (let left = Math.min(steps, SECONDS_KEPT); left > 0; left -= 1) history.push(figures);
}

function stepsBetween(from: Reading, to: Reading, stepMs: number): number {
  return Math.floor(to.at / stepMs) - Math.floor(from.at / stepMs);
}

/** In the order of the names, as exact as a person looks at them. */
function figuresOf(from: Reading, to: Reading): number[] {
  return NAMES.map((name) => Math.round(FIGURES[name](from, to) * 1000) / 1000);
}

function namedOf(figures: readonly number[]): Figures {
  const named = NAMES.map((name, index) => [name, finiteOrNull(figures[index])] as const);
  return Object.fromEntries(named) as Record<Figure, number | null>; // a name for each of them
}

function finiteOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
