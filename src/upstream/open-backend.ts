// From a routed request to a backend that has switched protocols: picks targets, dials, retries, exchanges heads.
// It knows no client socket; who gives up aborts the signal.

import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import { DialError, type Dialer } from '../net/dial.ts';
import type { Transport } from '../net/transport.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import { buildBackendRequest, type ForwardOptions } from '../protocol/backend-request.ts';
import type { RefusalSlug } from '../protocol/refusals.ts';
import { type ExchangeProgress, exchange, type RelayedRefusal, type Switched } from './backend-handshake.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

export interface OpeningOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  /** Its upstream is asked for anew with each try: a reload may have given it another one. */
  readonly route: { readonly upstream: Upstream };
  /** Keeps the slot and the connection of the present try; its owner gives them back, however this ends. */
  readonly holdings: OpeningHoldings;
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

export interface OpeningHoldings {
  takeSlot(target: Target): void;
  /** False when nobody waits for it any more. */
  keepBackend(transport: Transport): boolean;
}

export interface OpeningProgress extends ExchangeProgress {
  target: Target | null;
  /** Targets tried. */
  tries: number;
}

export interface Opened {
  readonly kind: 'opened';
  readonly transport: Transport;
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

/** Rejects with faults of our own only. What was taken is in `holdings`, whatever comes of it. */
export async function openBackend(options: OpeningOptions): Promise<OpeningOutcome> {
  const { route, holdings, progress } = options;
  const tried = new Set<Target>();
  let failure: NotOpened = { kind: 'failed', error: 'no_target', cause: 'none has room' };
  for (;;) {
    const { upstream } = route;
    const target = progress.tries > upstream.retries ? null : upstream.pick(tried, upstream.keyOf(options.forward));
    if (target === null) return failure;
    tried.add(target);
    holdings.takeSlot(target);
    progress.target = target;
    progress.tries += 1;
    const outcome = await tryTarget(options, upstream, target);
    if (outcome.kind !== 'retry') return outcome;
    failure = outcome.failure;
    // Only a dial that failed comes here: no byte of the request was sent, so another target may have it.
    const isLast = progress.tries > upstream.retries || !upstream.canPick(tried);
    if (!isLast) logRetried(options, upstream, target, outcome);
  }
}

const ABORTED: NotOpened = { kind: 'failed', error: 'aborted', cause: '' };

interface Retry {
  readonly kind: 'retry';
  readonly failure: NotOpened;
  readonly ms: number;
}

async function tryTarget(options: OpeningOptions, upstream: Upstream, target: Target): Promise<OpeningOutcome | Retry> {
  const dialed = await dialTarget(options, upstream, target);
  if (dialed.kind !== 'dialed') return dialed;
  const { transport } = dialed;
  const { forward, clock } = options;
  const sentAt = clock.now();
  const request = buildBackendRequest({
    ...forward,
    target: target.reach.base + options.path,
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
    headBytesMax: upstream.headBytesMax,
    relax: upstream.relax,
    progress: options.progress,
  });
  if (answer.kind !== 'switched') {
    if (answer.kind === 'failed' && options.signal.aborted) return ABORTED;
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

async function dialTarget(
  options: OpeningOptions,
  upstream: Upstream,
  target: Target,
): Promise<Dialed | NotOpened | Retry> {
  const { clock, signal } = options;
  const metrics = options.metrics.target(upstream.name, target.name);
  const startedAt = clock.now();
  try {
    const transport = await target.reach.connect({
      dialer: options.dialer,
      tls: upstream.tls,
      nextLocalAddress: () => upstream.nextLocalAddress(),
      timeoutMs: options.connectMs,
      signal,
    });
    if (!options.holdings.keepBackend(transport)) return ABORTED;
    const ms = clock.now() - startedAt;
    metrics.dial('ok', ms / 1000);
    target.dials.succeeded(clock.now());
    return { kind: 'dialed', transport, ms };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    // A dial that we gave up says nothing of the target.
    if (error.code !== 'aborted') metrics.dial(error.code, (clock.now() - startedAt) / 1000);
    if (error.code.startsWith('backend_')) target.dials.failed(clock.now());
    const failure: NotOpened = { kind: 'failed', error: error.code, cause: error.cause_code };
    // Without a descriptor no other target can be dialed either.
    const isFinal = signal.aborted || error.code === 'aborted' || error.code === 'no_descriptor';
    return isFinal ? failure : { kind: 'retry', failure, ms: clock.now() - startedAt };
  }
}

function logRetried(options: OpeningOptions, upstream: Upstream, target: Target, retry: Retry): void {
  options.log.event('warn', 'target.dial_failed', {
    upstream: upstream.name,
    target: target.name,
    cause: retry.failure.cause,
    ms: Math.round(retry.ms),
    request_id: options.forward.requestId,
  });
}
