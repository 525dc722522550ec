// What all processes of a framegate have counted, put together when it is asked for. Counters never fall: a worker that
// does not answer stands as it did when it last did, and what one has counted that is gone stays counted.

import type { WorkerStatusView } from '../admin/worker-status.ts';
import { keptNames } from '../control/lost-places.ts';
import type { RunningProxy } from '../control/running-proxy.ts';
import { type Depth, OwnSight, type Seen, type Sight } from '../control/sight.ts';
import type { Slices } from '../limits/slices.ts';
import { type MetricsPart, MetricsRegistry } from '../observe/metrics.ts';
import { leftOf, type RuntimeFigures, sumOfFigures } from '../observe/runtime-figures.ts';
import type { Fleet } from './fleet.ts';
import type { RemoteWorker } from './remote-subject.ts';
import type { WorkerFacts } from './worker-subject.ts';

interface Told {
  readonly facts: WorkerFacts;
  readonly parts: readonly MetricsPart[];
}

/** By one process: last, and last with distributions. */
interface Known {
  readonly last: Told;
  readonly full: Told | null;
  /** The last that were told. */
  readonly runtime: RuntimeFigures | null;
}

interface FleetSightOptions {
  readonly proxy: RunningProxy;
  readonly slices: Slices;
  readonly fleet: Fleet;
}

export class FleetSight implements Sight {
  private readonly options: FleetSightOptions;
  private readonly own: OwnSight;
  /** One for each worker that is there, and those that are about to be among the gone. */
  private readonly known = new Map<RemoteWorker, Known>();
  /** Of all processes that are gone, together. */
  private readonly gone = new MetricsRegistry();
  private goneLines = 0;
  private goneFigures: RuntimeFigures | null = null;
  /** One after the other, so that nothing is in a sum twice, or not at all. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: FleetSightOptions) {
    this.options = options;
    this.own = new OwnSight(options.proxy);
    options.fleet.onLeave((worker) => void this.inTurn(() => this.bury(worker)));
  }

  async see(depth: Depth): Promise<Seen> {
    const { workers } = this.options.fleet;
    const [own] = await Promise.all([this.own.see(depth), ...workers.map((worker) => this.ask(worker, depth))]);
    return this.inTurn(() => this.sum(own, workers, depth));
  }

  private async ask(worker: RemoteWorker, depth: Depth): Promise<void> {
    const { fleet } = this.options;
    const told = await fleet.answer(worker, 'counts', () => countsOf(worker, depth));
    if (told === null || fleet.hasLeft(worker)) return;
    const last = told.value;
    const known = this.known.get(worker);
    const full = depth === 'counts' ? (known?.full ?? null) : last;
    this.known.set(worker, { last, full, runtime: last.facts.runtime ?? known?.runtime ?? null });
  }

  /** What it has told stands for all that it has counted. */
  private *bury(worker: RemoteWorker): Generator<void, void> {
    const known = this.known.get(worker);
    if (known === undefined) return;
    const { facts, parts } = known.full ?? known.last;
    for (const part of parts) {
      this.gone.addPart(part, { now: this.now, isGone: true });
      yield;
    }
    this.goneLines += facts.logLinesDropped;
    const { runtime } = known;
    if (runtime !== null) this.goneFigures = sumOfFigures(leftOf(runtime), figuresIn([this.goneFigures]));
    this.known.delete(worker);
  }

  private *sum(own: Seen, workers: readonly RemoteWorker[], depth: Depth): Generator<void, Seen> {
    const { proxy, fleet } = this.options;
    const isFull = depth !== 'counts';
    const sight = this;
    const dumpAsk = {
      inFull: isFull,
      get now() {
        return sight.now;
      },
    };
    const metrics = new MetricsRegistry();
    this.gone.keepOnly(keptNames(proxy.edge.snapshot));
    for (const registry of [own.metrics, this.gone]) {
      for (const part of registry.dump(dumpAsk)) {
        if (part !== null) metrics.addPart(part, { now: this.now, isGone: false });
        yield;
      }
    }
    const facts: WorkerFacts[] = [];
    const figures: (RuntimeFigures | null)[] = [this.goneFigures];
    for (const [worker, known] of [...this.known]) {
      const told = isFull ? (known.full ?? known.last) : known.last;
      const isGone = fleet.hasLeft(worker);
      for (const part of told.parts) {
        metrics.addPart(part, { now: this.now, isGone });
        yield;
      }
      figures.push(isGone && known.runtime !== null ? leftOf(known.runtime) : known.runtime);
      facts.push(isGone ? { ...told.facts, sessions: 0, memoryBytes: 0 } : told.facts);
    }
    // Each has its share of `max_buffered_total`: what matters is the fullest, as if all were as full.
    metrics.process.peaks.buffered *= Math.max(1, workers.length);
    const there = workers.filter((worker) => !fleet.hasLeft(worker)).map((worker) => this.view(worker));
    const views = [...there, ...fleet.starting.map(startingView)].sort((a, b) => a.worker - b.worker);
    return {
      metrics,
      sessions: facts.reduce((sum, { sessions }) => sum + sessions, own.sessions),
      memoryBytes: facts.reduce((sum, { memoryBytes }) => sum + memoryBytes, own.memoryBytes),
      logLinesDropped: facts.reduce((sum, one) => sum + one.logLinesDropped, own.logLinesDropped + this.goneLines),
      runtime: own.runtime === null ? null : sumOfFigures(own.runtime, figuresIn(figures)),
      workers: {
        views,
        reading: {
          answering: there.filter(({ state }) => state !== 'silent').length,
          sessions: new Map(there.map(({ worker, sessions }) => [worker, sessions])),
          exits: metrics.workerExits,
        },
      },
    };
  }

  private view(worker: RemoteWorker): WorkerStatusView {
    const facts = this.known.get(worker)?.last.facts;
    const isSilent = facts === undefined || this.options.fleet.isSilent(worker);
    return {
      worker: worker.worker,
      pid: worker.pid,
      state: isSilent ? 'silent' : facts.state,
      sessions: facts?.sessions ?? 0,
      memory_bytes: facts?.memoryBytes ?? 0,
    };
  }

  private inTurn<T>(steps: () => Generator<void, T>): Promise<T> {
    const next = this.turn.then(() => this.options.slices.run(steps()));
    this.turn = next.catch(() => {});
    return next;
  }

  private get now(): number {
    return this.options.proxy.edge.clock.now();
  }
}

/** Page by page. */
async function countsOf(worker: RemoteWorker, depth: Depth): Promise<Told> {
  const first = await worker.counts(depth, 0);
  if (first.facts === null) throw new Error('a worker tells nothing of itself');
  const parts = [...first.items];
  for (let { next } = first; next !== 0; ) {
    const page = await worker.counts(depth, next);
    parts.push(...page.items);
    next = page.next;
  }
  return { facts: first.facts, parts };
}

function startingView({ index, pid }: Fleet['starting'][number]): WorkerStatusView {
  return { worker: index, pid, state: 'starting', sessions: 0, memory_bytes: 0 };
}

function figuresIn(all: readonly (RuntimeFigures | null)[]): RuntimeFigures[] {
  return all.filter((one) => one !== null);
}
