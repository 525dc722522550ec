// From a routed request to a backend that has switched protocols: picks targets, dials, retries, exchanges heads.
// It knows no client socket; who gives up aborts the signal.

import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import { DialError, type Dialer } from '../net/dial.ts';
import type { Transport } from '../net/transport.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import { buildBackendRequest, type ForwardOptions } from '../protocol/forward.ts';
import type { RefusalSlug } from '../protocol/refusals.ts';
import { EchoTransport } from '../upstream/echo.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { exchange, type RelayedRefusal, type Switched } from './exchange.ts';

export interface OpeningOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly upstream: Upstream;
  /** All of the forwarded request but what depends on the target. */
  readonly forward: Omit<ForwardOptions, 'target' | 'hostField'>;
  /** Path after the rewrite, and query. */
  readonly path: string;
  readonly connectMs: number;
  readonly upgradeMs: number;
  readonly signal: AbortLike;
  /** Written while it goes on, for whoever gives up in between. */
  readonly progress: OpeningProgress;
}

export interface OpeningProgress {
  target: Target | null;
  /** Targets tried. */
  tries: number;
}

export interface Opened {
  readonly kind: 'opened';
  readonly transport: Transport;
  /** Holds one of its session slots; the caller releases it. */
  readonly target: Target;
  readonly answer: Switched;
  readonly connectMs: number;
  readonly upgradeMs: number;
}

export interface NotOpened {
  readonly kind: 'failed';
  readonly error: RefusalSlug | 'aborted';
  readonly cause: string;
}

export type OpeningOutcome = Opened | NotOpened | RelayedRefusal;

interface Dialed {
  readonly kind: 'dialed';
  readonly transport: Transport;
  readonly ms: number;
}

/** Resolves always. Unless it opened, no slot of a target is held and no socket is left. */
export async function openBackend(options: OpeningOptions): Promise<OpeningOutcome> {
  const { upstream, progress } = options;
  const tried = new Set<Target>();
  let failure: NotOpened = { kind: 'failed', error: 'no_target', cause: 'none has room' };
  while (progress.tries <= upstream.retries) {
    const target = upstream.pick(tried);
    if (target === null) break;
    tried.add(target);
    target.acquire();
    progress.target = target;
    progress.tries += 1;
    const outcome = await tryTarget(options, target);
    if (outcome.kind === 'opened') return outcome;
    target.release();
    if (outcome.kind !== 'retry') return outcome;
    failure = outcome.failure;
    // Only a dial that failed comes here: no byte of the request was sent, so another target may have it.
    const isLast = progress.tries > upstream.retries || !upstream.canPick(tried);
    if (!isLast) logRetried(options, target, outcome);
  }
  return failure;
}

interface Retry {
  readonly kind: 'retry';
  readonly failure: NotOpened;
  readonly ms: number;
}

async function tryTarget(options: OpeningOptions, target: Target): Promise<OpeningOutcome | Retry> {
  const dialed = await dialTarget(options, target);
  if (dialed.kind !== 'dialed') return dialed;
  const { transport } = dialed;
  const { forward, clock } = options;
  const sentAt = clock.now();
  const request = buildBackendRequest({
    ...forward,
    target: targetOf(target, options.path),
    hostField: target.hostField(forward.request.host),
  });
  const answer = await exchange({
    transport,
    wheel: options.wheel,
    request,
    key: forward.key,
    protocols: forward.protocols,
    extensions: forward.extensions,
    deadline: sentAt + options.upgradeMs,
    signal: options.signal,
  });
  if (answer.kind !== 'switched') {
    if (answer.kind === 'failed' && options.signal.aborted) return { kind: 'failed', error: 'aborted', cause: '' };
    return answer;
  }
  return {
    kind: 'opened',
    transport,
    target,
    answer,
    connectMs: dialed.ms,
    upgradeMs: clock.now() - sentAt,
  };
}

async function dialTarget(options: OpeningOptions, target: Target): Promise<Dialed | NotOpened | Retry> {
  const { clock, signal } = options;
  const metrics = options.metrics.target(options.upstream.name, target.name);
  if (target.endpoint.kind === 'echo') {
    metrics.dial('ok', 0);
    return { kind: 'dialed', transport: new EchoTransport(), ms: 0 };
  }
  const startedAt = clock.now();
  try {
    const transport = await options.dialer.dial({
      endpoint: target.endpoint,
      tls: options.upstream.tls,
      localAddress: options.upstream.nextLocalAddress(),
      timeoutMs: options.connectMs,
      signal,
    });
    const ms = clock.now() - startedAt;
    metrics.dial('ok', ms / 1000);
    return { kind: 'dialed', transport, ms };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    // A dial that we gave up says nothing of the target.
    if (error.code !== 'aborted') metrics.dial(error.code, (clock.now() - startedAt) / 1000);
    const failure: NotOpened = { kind: 'failed', error: error.code, cause: error.cause_code };
    // Without a descriptor no other target can be dialed either.
    const isFinal = signal.aborted || error.code === 'aborted' || error.code === 'no_descriptor';
    return isFinal ? failure : { kind: 'retry', failure, ms: clock.now() - startedAt };
  }
}

function targetOf(target: Target, path: string): string {
  const { endpoint } = target;
  return endpoint.kind === 'echo' ? path : `${endpoint.base}${path}`;
}

function logRetried(options: OpeningOptions, target: Target, retry: Retry): void {
  options.log.event('warn', 'target.dial_failed', {
    upstream: options.upstream.name,
    target: target.name,
    cause: retry.failure.cause,
    ms: Math.round(retry.ms),
    request_id: options.forward.requestId,
  });
}
