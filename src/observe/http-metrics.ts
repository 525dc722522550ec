// What is counted of requests that are no handshakes: one object for each route.

import { Histogram, LogLinearHistogram } from './histogram.ts';
import { handshakeSeconds, Tally } from './tally.ts';

/** The requests of a route that are no handshakes. */
export class HttpMetrics {
  /** By class of the answer's status, such as `2xx`; `none`: there was no answer; `cut`: the backend broke off. */
  readonly requests = new Tally();
  /** Those that were refused or cut off, by the slug or word that their line in the log has as its `error`. */
  readonly errors = new Tally();
  /** From the first byte of the head to the last of the answer. */
  readonly duration = new Histogram(handshakeSeconds);

  /** Those that a limit or a timeout ended, by its config key. */
  readonly limitEnds = new Tally();
  /** Bytes of a body, where there was one and it was not too large. */
  readonly bodySize = new LogLinearHistogram();
  /** Milliseconds from all of a request sent to the head of its answer. */
  readonly responseTime = new LogLinearHistogram();

  /** One that is over. `status` 0: it got none. `isCut`: its backend did not send all of it. */
  request(status: number, seconds: number, isCut: boolean): void {
    this.requests.add(isCut ? 'cut' : status === 0 ? 'none' : `${Math.floor(status / 100)}xx`);
    this.duration.observe(seconds);
  }

  /** That one was refused by us, or cut off. The words are a closed set. */
  failed(error: string): void {
    this.errors.add(error);
  }
}
