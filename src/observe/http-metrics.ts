// What is counted of requests that are no handshakes: one object for each route.

import { Histogram } from './histogram.ts';
import { handshakeSeconds, Tally } from './tally.ts';

/** The requests of a route that are no handshakes. */
export class HttpMetrics {
  /** By class of the answer's status, such as `2xx`; `none` for those without one. */
  readonly requests = new Tally();
  /** From the first byte of the head to the last of the answer. */
  readonly duration = new Histogram(handshakeSeconds);

  /** One that is over. `status` 0: it got none. */
  request(status: number, seconds: number): void {
    this.requests.add(status === 0 ? 'none' : `${Math.floor(status / 100)}xx`);
    this.duration.observe(seconds);
  }
}
