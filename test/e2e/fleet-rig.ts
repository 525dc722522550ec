// Several whole proxies in this process behind one admin listener, as a primary with its workers: each question and
// each answer is cloned on its way, as a channel does it. Connections go to the workers themselves.

import type { RunningProxy as Composition } from '../../src/control/running-proxy.ts';
import { OwnSight } from '../../src/control/sight.ts';
import { ProxySubject } from '../../src/control/subject.ts';
import { type AskMessage, Asks } from '../../src/fleet/asks.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import { fleetViews } from '../../src/fleet/fleet-views.ts';
import { answerQuestions, RemoteSubject } from '../../src/fleet/remote-subject.ts';
import { WorkerAnswers } from '../../src/fleet/worker-answers.ts';
import type { SubjectQuestions } from '../../src/fleet/worker-subject.ts';
import type { Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type HarnessOptions, type RunningProxy, startProxy } from '../support/harness.ts';

export interface FakeWorker {
  readonly running: RunningProxy;
  readonly composition: Composition;
  readonly remote: RemoteSubject;
  /** Its channel carries nothing any more; what it is asked fails when two seconds have passed. */
  hang(): void;
  wake(): void;
}

export interface FakeFleet {
  readonly primary: RunningProxy;
  readonly composition: Composition;
  readonly workers: readonly FakeWorker[];
  readonly fleet: Fleet;
  /** Warnings of the fleet. */
  readonly events: (readonly [event: string, fields: Readonly<Record<string, unknown>>])[];
  /** Of the deadlines of questions. */
  readonly time: FakeClock;
  readonly wheel: TimerWheel;
  /** The process of that worker is gone, for the primary. */
  lose(worker: FakeWorker): void;
}

export async function startFleet(config: ConfigInput, count: number, options: HarnessOptions = {}): Promise<FakeFleet> {
  const time = new FakeClock();
  const wheel = new TimerWheel(time);
  const events: FakeFleet['events'] = [];
  const workers: FakeWorker[] = [];
  const there = new Set<RemoteSubject>();
  for (let worker = 1; worker <= count; worker += 1) {
    const made = await startWorker(config, { worker, time, wheel }, options);
    workers.push(made);
    there.add(made.remote);
  }
  const fleet = new Fleet({
    workers: () => there,
    log: { event: (_level, event, fields) => events.push([event, fields]) },
  });
  const [primary, composition] = await composed(config, options, fleetViews(fleet));
  return {
    ...{ primary, composition, workers, fleet, events, time, wheel },
    lose: ({ remote }) => {
      there.delete(remote);
      fleet.leave(remote);
    },
  };
}

interface WorkerPlace {
  readonly worker: number;
  readonly time: FakeClock;
  readonly wheel: TimerWheel;
}

async function startWorker(
  config: ConfigInput,
  { worker, time, wheel }: WorkerPlace,
  options: HarnessOptions,
): Promise<FakeWorker> {
  let answers: WorkerAnswers | null = null;
  const [running, composition] = await composed(config, options, (parts, slices) => {
    answers = new WorkerAnswers({ parts, slices, origin: 0 });
    const sight = new OwnSight(parts);
    const none = { totals: [], sessions: 0, memory: 0, lag: 0, cpuMicros: 0, workers: [] };
    return { sight, subject: new ProxySubject(parts), others: async () => none };
  });
  if (answers === null) throw new Error('no admin listener in the config');
  const own: WorkerAnswers = answers;
  atTestEnd(() => own.stop());
  let hangs = false;
  const asks = new Asks<SubjectQuestions, Record<never, never>>({
    ...{ wheel, now: () => time.now() },
    post: (message) => deliver(message, there),
  });
  const there = new Asks<Record<never, never>, SubjectQuestions>({
    ...{ wheel, now: () => time.now() },
    post: (message) => deliver(message, asks),
  });
  answerQuestions(there, own);
  function deliver(message: AskMessage, to: typeof asks | typeof there): void {
    const [kind, id, ...rest] = structuredClone(message);
    if (hangs) return;
    if (kind === 'ask') void to.onAsk(id, String(rest[0]), rest[1]);
    else if (kind === 'answer') to.onAnswer(id, rest[0]);
    else to.onNoAnswer(id, String(rest[0]));
  }
  return {
    ...{ running, composition, remote: new RemoteSubject({ worker, pid: 100 + worker, asks }) },
    hang: () => {
      hangs = true;
    },
    wake: () => {
      hangs = false;
    },
  };
}

type Views = NonNullable<HarnessOptions['views']>;

/** A whole proxy, and what it is made of. */
async function composed(
  config: ConfigInput,
  options: HarnessOptions,
  views: Views,
): Promise<readonly [RunningProxy, Composition]> {
  let found: Composition | null = null;
  const running = await startProxy(config, {
    ...options,
    views: (composition: Composition, slices: Slices) => {
      found = composition;
      return views(composition, slices);
    },
  });
  if (found === null) throw new Error('no admin listener in the config');
  return [running, found];
}
