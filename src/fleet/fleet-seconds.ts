// What the workers tell of each second for the page. One that has not answered is not waited for again: until it does
// it stands as it did, so that nothing seems to happen twice when it comes back.

import type { WorkerView } from '../admin/page-types.ts';
import type { OthersReading } from '../control/figures.ts';
import { type ToldTotals, Totals } from '../control/totals.ts';
import type { Clock } from '../limits/clock.ts';
import type { Fleet } from './fleet.ts';
import type { RemoteWorker } from './remote-subject.ts';
import type { WorkerReading } from './worker-subject.ts';

interface Known {
  reading: WorkerReading | null;
  /** With ends and limits by their kinds. */
  full: WorkerReading | null;
  readAt: number;
  cpuShare: number | null;
  isAsked: boolean;
}

export class FleetSeconds {
  private readonly fleet: Fleet;
  private readonly clock: Clock;
  private readonly known = new Map<RemoteWorker, Known>();
  /** Of processes that are gone. */
  private readonly gone = new Totals();
  private goneCpu = 0;

  constructor(fleet: Fleet, clock: Clock) {
    this.fleet = fleet;
    this.clock = clock;
    fleet.onLeave((worker) => this.bury(worker));
  }

  /** `inFull`: ends and limits by their kinds, too. */
  async read(inFull: boolean): Promise<OthersReading> {
    const { workers } = this.fleet;
    await Promise.all(workers.map((worker) => this.ask(worker, inFull)));
    const there = workers.flatMap((worker) => {
      const known = this.known.get(worker);
      return known === undefined || this.fleet.hasLeft(worker) ? [] : [[worker, known] as const];
    });
    const readings = there.flatMap(([, { reading }]) => (reading === null ? [] : [reading]));
    return {
      totals: [this.gone, ...there.flatMap(([, known]) => totalsIn(known, inFull))],
      sessions: readings.reduce((sum, { sessions }) => sum + sessions, 0),
      memory: readings.reduce((sum, { memory }) => sum + memory, 0),
      lag: Math.max(0, ...readings.map(({ lag }) => lag)),
      cpuMicros: readings.reduce((sum, { cpuMicros }) => sum + cpuMicros, this.goneCpu),
      workers: there.map(([worker, known]) => viewOf(worker, known, this.fleet.isSilent(worker))),
    };
  }

  private async ask(worker: RemoteWorker, inFull: boolean): Promise<void> {
    const known = this.known.get(worker) ?? nothingKnown();
    this.known.set(worker, known);
    if (known.isAsked && this.fleet.isSilent(worker)) return;
    const answer = await this.answer(worker, known, inFull);
    if (answer === null) return;
    const now = this.clock.now();
    const { reading, readAt } = known;
    if (reading !== null && now > readAt) {
      known.cpuShare = Math.max(0, answer.cpuMicros - reading.cpuMicros) / 1000 / (now - readAt);
    }
    known.reading = answer;
    known.readAt = now;
    if (inFull) known.full = answer;
  }

  private async answer(worker: RemoteWorker, known: Known, inFull: boolean): Promise<WorkerReading | null> {
    known.isAsked = true;
    const answer = await this.fleet.answer(worker, 'reading', () => worker.reading(inFull));
    known.isAsked = false;
    return answer?.value ?? null;
  }

  private bury(worker: RemoteWorker): void {
    const known = this.known.get(worker);
    this.known.delete(worker);
    if (known === undefined) return;
    for (const { opened, ...told } of totalsIn(known, true)) {
      // What it had open ended with it.
      this.gone.plus({ ...told, opened, ended: opened, paused: 0, buffered: 0 });
    }
    this.goneCpu += known.reading?.cpuMicros ?? 0;
  }
}

function nothingKnown(): Known {
  return { reading: null, full: null, readAt: 0, cpuShare: null, isAsked: false };
}

/** In full: the kinds that it told last, which may be some seconds old, with the figures of its last second. */
function totalsIn({ reading, full }: Known, inFull: boolean): ToldTotals[] {
  if (reading === null) return [];
  return [
    inFull && full !== null
      ? { ...reading.totals, ends: full.totals.ends, limits: full.totals.limits }
      : reading.totals,
  ];
}

function viewOf(worker: RemoteWorker, { reading, cpuShare }: Known, isSilent: boolean): WorkerView {
  return {
    worker: worker.worker,
    pid: worker.pid,
    state: isSilent || reading === null ? 'silent' : reading.state,
    sessions: reading?.sessions ?? 0,
    memory_bytes: numberOr(reading?.memory, 0) ?? 0,
    loop_lag_ms: rounded(numberOr(reading?.lag, null)),
    cpu_share: rounded(cpuShare),
  };
}

function numberOr(value: number | undefined, other: number | null): number | null {
  return value === undefined || Number.isNaN(value) ? other : value;
}

function rounded(value: number | null): number | null {
  return value === null || Number.isNaN(value) ? null : Math.round(value * 1000) / 1000;
}
