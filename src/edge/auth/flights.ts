// One question for all who ask the same at a time. It goes on as long as one of them waits for the answer.

import { Abort, type AbortLike } from '../../net/abort.ts';

class Flight<T> {
  readonly abort = new Abort();
  readonly answer: Promise<T>;
  waiting = 0;

  constructor(begin: (signal: AbortLike) => Promise<T>) {
    this.answer = begin(this.abort);
  }
}

export class Flights<T> {
  /** At most as many as are under way; each has somebody who waits. */
  private readonly byKey = new Map<string, Flight<T>>();
  private readonly gone: T;

  /** `gone`: what those get who do not wait any more. */
  constructor(gone: T) {
    this.gone = gone;
  }

  ask(key: string, signal: AbortLike, begin: (signal: AbortLike) => Promise<T>): Promise<T> {
    if (signal.aborted) return Promise.resolve(this.gone);
    const flight = this.byKey.get(key) ?? this.start(key, begin);
    flight.waiting += 1;
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        signal.removeEventListener('abort', onAbort);
        flight.waiting -= 1;
        if (flight.waiting === 0) {
          this.end(key, flight);
          flight.abort.abort();
        }
        resolve(this.gone);
      };
      signal.addEventListener('abort', onAbort);
      const over = <A>(settle: (value: A) => void) => {
        return (value: A): void => {
          signal.removeEventListener('abort', onAbort);
          settle(value);
        };
      };
      flight.answer.then(over(resolve), over(reject));
    });
  }

  /** Whoever asks from now on begins anew. */
  forget(): void {
    this.byKey.clear();
  }

  private start(key: string, begin: (signal: AbortLike) => Promise<T>): Flight<T> {
    const flight = new Flight(begin);
    this.byKey.set(key, flight);
    const end = () => this.end(key, flight);
    flight.answer.then(end, end);
    return flight;
  }

  private end(key: string, flight: Flight<T>): void {
    if (this.byKey.get(key) === flight) this.byKey.delete(key);
  }
}
