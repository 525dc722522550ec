// The workers that the admin listener of the primary asks: all of them, or the one that has what is meant. One that
// does not answer is left out, and the log says so.

import { Unanswered } from '../limits/unanswered.ts';
import type { RemoteWorker } from './remote-subject.ts';

interface FleetOptions {
  /** Those that are there, in the order of their numbers. */
  workers(): Iterable<RemoteWorker>;
  /** Those that are about to be, if anybody knows. */
  starting?(): Iterable<StartingWorker>;
  readonly log: { event(level: 'warn', event: string, fields: Readonly<Record<string, unknown>>): void };
}

interface StartingWorker {
  readonly index: number;
  readonly pid: number;
}

/** What has to be done when a process is gone. */
type Farewell = (worker: RemoteWorker) => void;

/** What is lost on whoever does not answer, so that the log says it each time. */
const ACTIONS: ReadonlySet<string> = new Set(['closeSessions', 'revoke', 'drainRoute', 'drainTarget']);

export class Fleet {
  private readonly options: FleetOptions;
  private readonly left = new WeakSet<RemoteWorker>();
  private readonly silent = new WeakSet<RemoteWorker>();
  private readonly farewells: Farewell[] = [];

  constructor(options: FleetOptions) {
    this.options = options;
  }

  get workers(): readonly RemoteWorker[] {
    return [...this.options.workers()].filter((worker) => !this.left.has(worker));
  }

  get starting(): readonly StartingWorker[] {
    return [...(this.options.starting?.() ?? [])];
  }

  onLeave(farewell: Farewell): void {
    this.farewells.push(farewell);
  }

  /** That process is gone. Once for each. */
  leave(worker: RemoteWorker): void {
    this.left.add(worker);
    for (const farewell of this.farewells) farewell(worker);
  }

  hasLeft(worker: RemoteWorker): boolean {
    return this.left.has(worker);
  }

  /** It did not answer what it was asked last. */
  isSilent(worker: RemoteWorker): boolean {
    return this.silent.has(worker);
  }

  /** What each of them says, in their order, without those that do not. */
  async all<T>(question: string, ask: (worker: RemoteWorker) => Promise<T>): Promise<readonly T[]> {
    const answers = await Promise.all(this.workers.map((worker) => this.answer(worker, question, ask)));
    return answers.flatMap((answer) => (answer === null ? [] : [answer.value]));
  }

  /** The first answer that `isIt`, as soon as it is there; null: none is. Rejects with Unanswered: one may be. */
  first<T>(
    question: string,
    ask: (worker: RemoteWorker) => Promise<T>,
    isIt: (answer: T) => boolean,
  ): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const asked = this.workers.map(async (worker) => {
        const answer = await this.answer(worker, question, ask);
        if (answer !== null && isIt(answer.value)) resolve(answer.value);
        return answer !== null;
      });
      void Promise.all(asked).then((answered) => {
        if (answered.includes(false)) reject(new Unanswered());
        else resolve(null);
      });
    });
  }

  /** Null: it does not. */
  async answer<T>(
    worker: RemoteWorker,
    question: string,
    ask: (worker: RemoteWorker) => Promise<T>,
  ): Promise<{ readonly value: T } | null> {
    try {
      const value = await ask(worker);
      this.silent.delete(worker);
      return { value };
    } catch (error) {
      const isKnown = this.silent.has(worker) && !ACTIONS.has(question);
      if (!isKnown && !this.left.has(worker)) {
        const { worker: number, pid } = worker;
        this.options.log.event('warn', 'worker.silent', { worker: number, pid, question, error: String(error) });
      }
      this.silent.add(worker);
      return null;
    }
  }
}
