// What the page is told of workers, second by second, by workers that answer when a test says so.

import { expect, test } from 'vitest';
import { Totals } from '../../src/control/totals.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import { FleetSeconds } from '../../src/fleet/fleet-seconds.ts';
import { RemoteSubject } from '../../src/fleet/remote-subject.ts';
import type { WorkerReading } from '../../src/fleet/worker-subject.ts';
import { FakeClock } from '../support/fake-clock.ts';

class Answering {
  answers = true;
  asked = 0;
  opened = 0;
  open = 0;
  cpuMicros = 0;
  readonly remote: RemoteSubject;

  constructor(worker: number) {
    // Asked for seconds alone.
    const ask = async (): Promise<never> => {
      this.asked += 1;
      if (this.answers) return this.reading() as never;
      throw new Error('no answer');
    };
    this.remote = new RemoteSubject({ worker, pid: 100 + worker, asks: { ask } });
  }

  private reading(): WorkerReading {
    const totals = new Totals();
    totals.opened = this.opened;
    totals.ended = this.opened - this.open;
    totals.paused = this.open;
    const { open: sessions, cpuMicros } = this;
    return { state: 'ready', sessions, totals: { ...totals }, memory: 1000, lag: 3, cpuMicros };
  }
}

function start(count: number) {
  const clock = new FakeClock();
  const workers = Array.from({ length: count }, (_, index) => new Answering(index + 1));
  const there = new Set(workers.map(({ remote }) => remote));
  const fleet = new Fleet({ workers: () => there, log: { event: () => {} } });
  const seconds = new FleetSeconds(fleet, clock);
  const read = async () => {
    clock.advance(1000);
    const told = await seconds.read(true);
    const sum = new Totals();
    for (const totals of told.totals) sum.plus(totals);
    return { ...told, sum };
  };
  return { workers, fleet, read };
}

test('sessions, memory and CPU are added up, the worst lag is told, and each worker by itself', async () => {
  const { workers, read } = start(2);
  for (const [index, worker] of workers.entries())
    Object.assign(worker, { opened: 5, open: 2 + index, cpuMicros: 100 });
  await read();
  for (const worker of workers) worker.cpuMicros += 250_000;
  expect(await read()).toMatchObject({
    ...{ sessions: 5, memory: 2000, lag: 3, cpuMicros: 500_200, sum: { opened: 10, ended: 5, paused: 5 } },
    workers: [
      { worker: 1, pid: 101, state: 'ready', sessions: 2, memory_bytes: 1000, loop_lag_ms: 3, cpu_share: 0.25 },
      { worker: 2, sessions: 3, cpu_share: 0.25 },
    ],
  });
});

test('one that is silent stands as it did; when it answers again nothing has happened twice', async () => {
  const { workers, read } = start(2);
  const [, second] = workers;
  if (second === undefined) throw new Error('two were made');
  for (const worker of workers) Object.assign(worker, { opened: 5, open: 5 });
  await read();
  second.answers = false;
  const silent = await read();
  expect(silent).toMatchObject({ sessions: 10, sum: { opened: 10, ended: 0 } });
  expect(silent.workers[1]).toMatchObject({ worker: 2, state: 'silent', sessions: 5 });
  Object.assign(second, { answers: true, opened: 6, open: 4 });
  expect(await read()).toMatchObject({ sessions: 9, sum: { opened: 11, ended: 2 } });
});

test('what one has counted that is gone stays counted, and what it had open has ended', async () => {
  const { workers, fleet, read } = start(2);
  for (const worker of workers) Object.assign(worker, { opened: 5, open: 3, cpuMicros: 70 });
  await read();
  if (workers[0] !== undefined) fleet.leave(workers[0].remote);
  const after = await read();
  expect(after).toMatchObject({ sessions: 3, memory: 1000, cpuMicros: 140, sum: { opened: 10, ended: 7, paused: 3 } });
  expect(after.workers.map(({ worker }) => worker)).toEqual([2]);
});
