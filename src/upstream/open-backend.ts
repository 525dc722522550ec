// From a routed request to a backend that has switched protocols: picks targets, dials, retries, exchanges heads.
// It knows no client socket; who gives up aborts the signal.

import assert from 'node:assert/strict';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { Transport } from '../net/transport.ts';
import type { Log } from '../observe/log.ts';
import {
  buildBackendRequest,
  type ForwardedFields,
  type ForwardOptions,
  isSaidSecure,
} from '../protocol/backend-request.ts';
import type { Holder } from '../protocol/claims.ts';
import type { RefusalSlug } from '../protocol/refusals.ts';
import {
  type ExchangeOutcome,
  type ExchangeProgress,
  exchange,
  type RelayedRefusal,
  type Switched,
} from './backend-handshake.ts';
import type { BalanceKey } from './balance/balancer.ts';
import type { MustWait, NotChosen, TargetChooser } from './choose-target.ts';
import { type DialOutcome, type DialTargetOptions, dialTarget } from './dial-target.ts';
import type { NoRoom } from './room.ts';
import { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

/** What it takes to get a connection to one target of an upstream. */
export interface ReachingOptions extends DialTargetOptions {
  readonly log: Log;
  /** Its upstream is asked for anew with each try: a reload may have given it another one. */
  readonly route: { readonly upstream: Upstream };
  /** Keeps the slot and the connection of the present try; its owner gives them back, however this ends. */
  readonly holdings: ReachingHoldings;
  /** What targets are chosen by. */
  readonly forward: Pick<ForwardedFields, 'request' | 'clientAddress' | 'requestId'>;
  /** Who it is by the route's auth. */
  readonly holder: Holder | null;
  /** More than one target may be tried. */
  readonly mayRetry: boolean;
  /** Written while it goes on, for whoever gives up in between. */
  readonly progress: ReachingProgress;
}

interface OpeningOptions extends ReachingOptions {
  readonly wheel: TimerWheel;
  /** All of the forwarded request but what depends on the target and its upstream. */
  readonly forward: Omit<ForwardOptions, 'target' | 'hostField' | 'hiddenCookie'>;
  /** Of the subprotocols that are offered those that it may choose. */
  readonly answerable: readonly string[];
  /** Path after the rewrite, and query. */
  readonly path: string;
  readonly upgradeMs: number;
  readonly progress: OpeningProgress;
}

type ReachingHoldings = DialTargetOptions['holdings'] & TargetChooser;

export interface ReachingProgress {
  target: Target | null;
  /** Targets tried. */
  tries: number;
  /** Since when `target` has been. */
  askedAt: number;
}

export interface OpeningProgress extends ExchangeProgress, ReachingProgress {}

/** A connection that nobody reads yet, and what was chosen. */
export interface Reached {
  readonly kind: 'reached';
  readonly upstream: Upstream;
  readonly target: Target;
  readonly key: BalanceKey;
  readonly transport: Transport;
  readonly ms: number;
}

export interface Opened {
  readonly kind: 'opened';
  readonly transport: Transport;
  /** Whose target it is: its route may have another one by now. */
  readonly upstream: Upstream;
  readonly target: Target;
  readonly answer: Switched;
  /** By which the client will name the target, as Set-Cookie says it; null when it need not be told. */
  readonly cookie: string | null;
  readonly connectMs: number;
  readonly upgradeMs: number;
}

interface NotOpened {
  readonly kind: 'failed';
  /** Of `no_target`. */
  readonly targets?: NoRoom;
  /** `aborted`: nobody waits for it any more. */
  readonly error: RefusalSlug | 'aborted';
  readonly cause: string;
}

type ReachingOutcome = Reached | NotOpened | MustWait;

export type OpeningOutcome = Opened | NotOpened | MustWait | RelayedRefusal;

/** Rejects with faults of our own only. What was taken is in `holdings`, whatever comes of it. */
export async function openBackend(options: OpeningOptions): Promise<OpeningOutcome> {
  const reached = await reachBackend(options);
  return reached.kind === 'reached' ? askTarget(options, reached) : reached;
}

/** The same up to the connection: not a byte of a request was sent. */
export async function reachBackend(options: ReachingOptions): Promise<ReachingOutcome> {
  const { route, holdings, progress, signal } = options;
  const tried = new Set<Target>();
  let failed: Failed | null = null;
  for (;;) {
    const { upstream } = route;
    if (failed !== null && progress.tries > triesAfterFirst(options, upstream)) return failed.failure;
    const { request, clientAddress } = options.forward;
    const key = upstream.keyOf({ request, clientAddress, holder: options.holder });
    const answer = holdings.choose({ upstream, tried, key, isRetry: failed !== null });
    const target: Target | NotChosen = answer instanceof Promise ? await answer : answer;
    if (!(target instanceof Target)) return notReached(options, upstream, target, failed);
    if (failed !== null) logRetried(options, upstream, failed);
    tried.add(target);
    progress.target = target;
    progress.tries += 1;
    progress.askedAt = options.clock.now();
    const dialed = await dialTarget(options, upstream, target);
    countRetry(options, upstream, dialed);
    if (dialed.kind === 'dialed') {
      const { transport, ms } = dialed;
      return { kind: 'reached', upstream, target, key, transport, ms };
    }
    const failure: NotOpened = { kind: 'failed', error: dialed.error, cause: dialed.cause };
    // Without a descriptor no other target can be dialed either.
    if (signal.aborted || dialed.error === 'aborted' || dialed.error === 'no_descriptor') return failure;
    // No byte of the request was sent, so another target may have it.
    failed = { failure, target, dialed };
  }
}

/** The last try. */
interface Failed {
  readonly failure: NotOpened;
  readonly target: Target;
  readonly dialed: Extract<DialOutcome, { kind: 'failed' }>;
}

/** A try that has failed says more than that there is no other target. */
function notReached(
  { signal, metrics }: ReachingOptions,
  { name }: Upstream,
  answer: NotChosen,
  failed: Failed | null,
): NotOpened | MustWait {
  if (signal.aborted) return { kind: 'failed', error: 'aborted', cause: '' };
  if (answer.kind === 'over_budget') metrics.upstream(name).retries.add('over_budget');
  if (failed !== null) return failed.failure;
  if (answer.kind === 'none')
    return { kind: 'failed', error: 'no_target', cause: answer.cause, targets: answer.targets };
  assert(answer.kind === 'full', 'the first try needs no budget');
  return answer;
}

function triesAfterFirst({ mayRetry }: ReachingOptions, { retries }: Upstream): number {
  return mayRetry ? retries : 0;
}

/** A dial that was given up says nothing. */
function countRetry({ progress, metrics }: ReachingOptions, upstream: Upstream, dialed: DialOutcome): void {
  if (progress.tries < 2) return;
  if (dialed.kind === 'dialed') metrics.upstream(upstream.name).retries.add('ok');
  else if (dialed.error !== 'aborted') metrics.upstream(upstream.name).retries.add('failed');
}

async function askTarget(
  options: OpeningOptions,
  { upstream, target, key, transport, ms }: Reached,
): Promise<OpeningOutcome> {
  const { forward, clock } = options;
  const sentAt = clock.now();
  const request = buildBackendRequest({
    ...forward,
    target: target.reach.base + options.path,
    hostField: target.hostField(forward.request.host),
    hiddenCookie: upstream.stickyCookie,
  });
  const answer = await exchange({
    transport,
    wheel: options.wheel,
    request,
    key: forward.key,
    protocols: options.answerable,
    extensions: forward.extensions,
    deadline: sentAt + options.upgradeMs,
    signal: options.signal,
    headBytesMax: upstream.headBytesMax,
    relax: upstream.relax,
    progress: options.progress,
  });
  if (answer.kind !== 'switched') {
    tellRefusal(target, answer, options);
    return answer;
  }
  const upgradeMs = clock.now() - sentAt;
  options.metrics.target(upstream.name, target.name).upgraded(upgradeMs / 1000);
  const cookie = upstream.cookieFor(target, key, isSaidSecure(forward));
  return { kind: 'opened', transport, upstream, target, answer, cookie, connectMs: ms, upgradeMs };
}

function tellRefusal(
  target: Target,
  answer: Exclude<ExchangeOutcome, Switched>,
  { forward, holdings }: OpeningOptions,
): void {
  const { clientAddress } = forward;
  if (answer.kind === 'refused') tellAnswer(target, answer.status, clientAddress, holdings.trial);
  else if (answer.error !== 'aborted') target.watch?.answeredBadly(clientAddress, holdings.trial);
}

/**
 * What the status of an answer says of its target. 502 to 504: a proxy or a server in front of the backend says that it
 * does not work. 500 and others say that something went wrong, but neither that it works nor that it does not.
 */
export function tellAnswer({ watch }: Target, status: number, client: string, trial: number): void {
  if (status >= 502 && status <= 504) watch?.answeredBadly(client, trial);
  else if (status < 500) watch?.answeredWell(trial);
}

function logRetried(
  { log, forward }: ReachingOptions,
  upstream: Upstream,
  { target, dialed: { cause, ms } }: Failed,
): void {
  log.event('warn', 'target.dial_failed', {
    upstream: upstream.name,
    target: target.name,
    cause,
    ms: Math.round(ms),
    request_id: forward.requestId,
  });
}
