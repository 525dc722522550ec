// One dial of one target: what comes of it is counted, and the connection is held before anything else happens. It
// tries nothing twice.

import type { Clock } from '../limits/clock.ts';
import type { AbortLike } from '../net/abort.ts';
import type { Dialer } from '../net/dial.ts';
import { type DialCode, DialError } from '../net/dial-error.ts';
import type { Transport } from '../net/transport.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import type { ProxiedConnection } from '../protocol/proxy-header/writer.ts';
import { proxyPreamble } from './proxy-preamble.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

export interface DialTargetOptions {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly metrics: MetricsRegistry;
  readonly connectMs: number;
  readonly signal: AbortLike;
  /** For whom it is dialed. */
  readonly proxied: () => ProxiedConnection;
  readonly holdings: {
    /** The trial of its target that this is, 0 for none. */
    readonly trial: number;
    /** False when nobody waits for it any more: then it is closed. */
    keepBackend(transport: Transport): boolean;
  };
}

export type DialOutcome =
  | { readonly kind: 'dialed'; readonly transport: Transport; readonly ms: number }
  | { readonly kind: 'failed'; readonly error: DialCode; readonly cause: string; readonly ms: number };

/** Rejects with faults of our own only. */
export async function dialTarget(options: DialTargetOptions, upstream: Upstream, target: Target): Promise<DialOutcome> {
  const { clock, signal } = options;
  const metrics = options.metrics.target(upstream.name, target.name);
  const startedAt = clock.now();
  try {
    const transport = await target.reach.connect({
      dialer: options.dialer,
      tls: upstream.tls,
      nextLocalAddress: () => upstream.nextLocalAddress(),
      preamble: proxyPreamble(upstream.config, options.proxied),
      timeoutMs: options.connectMs,
      signal,
    });
    const ms = clock.now() - startedAt;
    if (!options.holdings.keepBackend(transport)) return { kind: 'failed', error: 'aborted', cause: '', ms };
    metrics.dial('ok', ms / 1000);
    target.dials.succeeded(clock.now());
    target.watch?.dialSucceeded?.();
    return { kind: 'dialed', transport, ms };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const ms = clock.now() - startedAt;
    // A dial that we gave up says nothing of the target.
    if (error.code !== 'aborted') metrics.dial(error.code, ms / 1000);
    if (error.code.startsWith('backend_')) {
      target.dials.failed(clock.now());
      target.watch?.dialFailed(options.holdings.trial);
    }
    return { kind: 'failed', error: error.code, cause: error.cause_code, ms };
  }
}
