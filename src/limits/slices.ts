// Long work in small parts: generators that are run for a few milliseconds in each turn of the event loop, all of them
// together, so that traffic goes on in between. The clock and the way into the next turn are arguments.

/** What all of them may take of one turn. */
export const SLICE_MS = 5;
/** A step that has begun is not interrupted: what is left of a slice is for the last one. */
const BEGIN_STEPS_MS = 3;

interface SlicesOptions {
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls `run` in the next turn of the event loop, when what came meanwhile has been read. */
  nextTurn(run: () => void): void;
}

/**
 * Each step is far below a millisecond; the value is what it was all for. A step that yields a promise has to wait:
 * the next one is taken when that has settled.
 */
export type Steps<T> = Iterator<unknown, T>;

/** All of it now, where nobody waits: for steps that wait for nothing either. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

interface Job {
  readonly steps: Steps<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Slices {
  private readonly options: SlicesOptions;
  /** At most as many as there are callers that wait. */
  private readonly jobs: Job[] = [];
  private isRunning = false;

  constructor(options: SlicesOptions) {
    this.options = options;
  }

  /** Runs `steps` to their end, from the next turn on and in turns with others. Rejects with what a step throws. */
  run<T>(steps: Steps<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // The job is made of one pair: what `steps` returns is what this promise is of.
      this.jobs.push({ steps, resolve: resolve as (value: unknown) => void, reject });
      this.goOn();
    });
  }

  private goOn(): void {
    if (this.isRunning || this.jobs.length === 0) return;
    this.isRunning = true;
    this.options.nextTurn(() => {
      this.isRunning = false;
      this.slice();
      this.goOn();
    });
  }

  private slice(): void {
    const endAt = this.options.now() + BEGIN_STEPS_MS;
    let job = this.jobs.shift();
    while (job !== undefined) {
      if (!this.goesOn(job)) job = this.jobs.shift();
      if (this.options.now() < endAt) continue;
      // Behind the others: a short one does not wait for a long one to end.
      if (job !== undefined) this.jobs.push(job);
      return;
    }
  }

  /** One step. False when there is no more to do for now. */
  private goesOn(job: Job): boolean {
    const { steps, resolve, reject } = job;
    try {
      const { done, value } = steps.next();
      if (done === true) resolve(value);
      else if (value instanceof Promise) this.resume(job, value);
      else return true;
    } catch (error) {
      reject(error);
    }
    return false;
  }

  private resume(job: Job, after: Promise<unknown>): void {
    const goOn = () => {
      this.jobs.push(job);
      this.goOn();
    };
    void after.then(goOn, job.reject);
  }
}
