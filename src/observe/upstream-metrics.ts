// What is counted of upstreams and of their targets: one object for each.

import { Histogram, LogLinearHistogram } from './histogram.ts';
import { handshakeSeconds, Tally } from './tally.ts';

const connectSeconds = Float64Array.of(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5);

/** What an upstream has one of, besides its targets. */
export class UpstreamMetrics {
  readonly name: string;
  /** Answers of discovery that were bad or did not come, or of which something was left out. */
  discoveryErrors = 0;
  /** Sessions closed so that they move to another target. */
  rebalanceCloses = 0;
  /** By result: `ok`, `failed`, or `over_budget` for one that was not made. */
  readonly retries = new Tally();
  /** For how long handshakes waited until a target had room, or in vain. */
  readonly queueDuration = new Histogram(handshakeSeconds);

  constructor(name: string) {
    this.name = name;
  }
}

export class TargetMetrics {
  readonly upstream: string;
  readonly name: string;
  /** By result: `ok` or what failed. */
  readonly dials = new Tally();
  /** Times that what its sessions met has taken it out. */
  ejections = 0;
  readonly connectDuration = new Histogram(connectSeconds);
  /** By result: `ok` or what failed. */
  readonly checks = new Tally();
  readonly checkDuration = new Histogram(connectSeconds);
  /** The same for questions about quantiles. Microseconds. */
  readonly connectMicros = new LogLinearHistogram();
  /** From a request to its 101. Microseconds. */
  readonly upgradeMicros = new LogLinearHistogram();

  constructor(upstream: string, name: string) {
    this.upstream = upstream;
    this.name = name;
  }

  /** One dial. `result`: `ok` or the code of the failure; only dials that connected have a duration. */
  dial(result: string, seconds: number): void {
    this.dials.add(result);
    if (result !== 'ok') return;
    this.connectDuration.observe(seconds);
    this.connectMicros.record(Math.round(seconds * 1e6));
  }

  upgraded(seconds: number): void {
    this.upgradeMicros.record(Math.round(seconds * 1e6));
  }

  /** One check, good or bad. */
  check(result: string, seconds: number): void {
    this.checks.add(result);
    this.checkDuration.observe(seconds);
  }
}
