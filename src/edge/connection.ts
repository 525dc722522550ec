// One accepted connection until it is a session, refused or gone: reads the head, applies the checks in their fixed
// order, opens the backend, answers. The only reader and closer of the client's transport until the session takes it.

import { TimerEntry } from '../limits/timer-wheel.ts';
import { Abort } from '../net/abort.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import { namesInstance } from '../protocol/forward.ts';
import { HeadStep, type RequestHead, RequestHeadParser } from '../protocol/http-head.ts';
import { valuesOf } from '../protocol/lists.ts';
import { buildRelayedRefusal } from '../protocol/refusal-body.ts';
import { buildRefusal, REFUSALS, type RefusalSlug } from '../protocol/refusals.ts';
import { judgeUpgradeRequest, type UpgradeRequest } from '../protocol/upgrade-request.ts';
import { buildClientSwitch } from '../protocol/upgrade-response.ts';
import { Session } from '../session/session.ts';
import { chooseRoute, type RouteRefusal } from './choose-route.ts';
import { EarlyBytes } from './early-bytes.ts';
import type { Edge } from './edge.ts';
import type { RelayedRefusal } from './exchange.ts';
import { type Barred, Seat } from './gates.ts';
import { asksForHealth, healthAnswer } from './health.ts';
import type { EdgeListener } from './live-listener.ts';
import { type Opened, type OpeningProgress, openBackend } from './opening.ts';
import { RefusalReport } from './refusal-report.ts';
import { SessionRecord } from './session-record.ts';
import type { Route } from './snapshot.ts';

/** After a refusal what still comes is read and dropped, so that the answer is not lost to a reset; at most this. */
const LINGER_MS = 2_000;
const LINGER_BYTES = 262_144;
/** Retry-After of our own refusals: random within this, so that all who were refused do not come back at once. */
const RETRY_AFTER_MAX_S = 5;

type State =
  | { readonly kind: 'reading'; readonly parser: RequestHeadParser }
  | { readonly kind: 'opening'; readonly early: EarlyBytes; readonly abort: Abort; readonly seat: Seat }
  | { readonly kind: 'lingering'; discarded: number }
  | { readonly kind: 'over' };

export interface ConnectionOptions {
  readonly edge: Edge;
  readonly listener: EdgeListener;
  readonly transport: Transport;
  readonly onGone?: () => void;
}

/** A request that passed every check, and what was decided about it. */
interface Admitted {
  readonly request: UpgradeRequest;
  readonly route: Route;
  /** Path after the rewrite, and query. */
  readonly path: string;
  readonly protocols: readonly string[];
}

export class Connection extends TimerEntry implements TransportReader {
  readonly listener: EdgeListener;
  private readonly edge: Edge;
  private readonly transport: Transport;
  private readonly onGone: (() => void) | null;
  private readonly report: RefusalReport;
  private state: State;

  constructor(options: ConnectionOptions) {
    super();
    this.edge = options.edge;
    this.listener = options.listener;
    this.transport = options.transport;
    this.onGone = options.onGone ?? null;
    const { clock, wheel, snapshot } = this.edge;
    const { limits, timeouts } = snapshot.config;
    const parser = new RequestHeadParser({
      headBytesMax: limits.max_head_size,
      targetBytesMax: limits.max_target_size,
      fieldsMax: limits.max_header_fields,
    });
    this.state = { kind: 'reading', parser };
    this.report = new RefusalReport(this.edge, this.listener.name, this.transport.remoteAddress);
    this.transport.reader = this;
    wheel.schedule(this, clock.now() + timeouts.handshake);
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    const { state } = this;
    switch (state.kind) {
      case 'reading':
        this.readHead(state.parser, bytes, start, end);
        return;
      case 'opening':
        state.early.append(bytes, start, end);
        this.holdBack(state.early);
        return;
      case 'lingering':
        state.discarded += end - start;
        if (state.discarded > LINGER_BYTES) this.close();
        return;
      case 'over':
        return;
      default:
        unreachable(state);
    }
  }

  onEnd(): void {
    // Its own FIN ends no answer that is still on its way: ours, which stands behind it, closes the connection.
    if (this.state.kind === 'lingering' && this.transport.pending > 0) return;
    this.onClientGone();
  }

  onLost(): void {
    this.onClientGone();
  }

  onTaken(): void {}

  override onTimer(): void {
    const { state } = this;
    if (state.kind === 'reading') this.refuseLateHead(state.parser);
    else if (state.kind === 'opening') this.refuse('backend_timeout', 'open');
    else this.close();
  }

  /** What it has taken of the limits; null before its head was let in. */
  get seat(): Seat | null {
    return this.state.kind === 'opening' ? this.state.seat : null;
  }

  /** Stop waiting for this handshake: framegate is going down. */
  drain(): void {
    if (this.state.kind === 'opening') this.refuse('draining');
    else if (this.state.kind === 'reading' && this.state.parser.bytesSeen === 0) this.close();
  }

  /** Cut it off, whatever it is at. */
  close(): void {
    if (this.state.kind === 'opening') this.leaveOpening(this.state);
    this.state = { kind: 'over' };
    this.edge.wheel.cancel(this);
    this.transport.destroy();
    this.edge.removeConnection(this);
    this.onGone?.();
  }

  /** Answer with a refusal of our own, then half-close and linger. */
  refuse(slug: RefusalSlug, cause?: string): void {
    if (this.state.kind === 'lingering' || this.state.kind === 'over') return;
    const row = REFUSALS[slug];
    this.report.count(slug);
    if (slug === 'backend_timeout')
      this.report.metrics.limitEnds.add(cause === 'ETIMEDOUT' ? 'connect' : (cause ?? ''));
    this.report.write({ error: slug, status: row.status, cause, discarded: this.discardedEarlyBytes() });
    const retryAfter = String(1 + Math.floor(Math.random() * RETRY_AFTER_MAX_S));
    this.answer(buildRefusal(slug, this.report.requestId, 'retryAfter' in row ? [['Retry-After', retryAfter]] : []));
  }

  private readHead(parser: RequestHeadParser, bytes: Buffer, start: number, end: number): void {
    const step = parser.feed(bytes, start, end);
    if (step === HeadStep.NeedData) return;
    if (step === HeadStep.Violation || parser.head === null) {
      this.report.noteHead(parser, this.isPeerTrusted());
      this.refuse(parser.violation ?? 'request_line');
      return;
    }
    const head = this.listener.live.read(parser.head);
    if (this.answersHealth(head)) return;
    this.report.noteComplete();
    const admitted = this.admit(head);
    if ('slug' in admitted) this.refuse(admitted.slug, admitted.cause);
    else this.enter(admitted, bytes.subarray(parser.position, end));
  }

  /** A probe is neither routed nor counted nor logged. */
  private answersHealth(head: RequestHead): boolean {
    const { edge } = this;
    const path = this.listener.live.config.health_path;
    if (path === null || !asksForHealth(head, path)) return false;
    this.answer(healthAnswer(head.method, !edge.draining && !edge.refusing));
    return true;
  }

  /** The checks of a complete head, in their order: what was decided, or the slug of the first that refuses. */
  private admit(head: RequestHead): Admitted | RouteRefusal {
    const { edge, report, transport, listener } = this;
    const { snapshot } = edge;
    report.noteHead(head, this.isPeerTrusted());
    report.client = snapshot.trusted.clientOf(transport.remoteAddress, valuesOf(head.fields, 'x-forwarded-for'));
    const verdict = judgeUpgradeRequest(head);
    if (!verdict.ok) return { slug: verdict.slug };
    const { request } = verdict;
    report.noteRequest(request);
    if (namesInstance(head, edge.instanceId)) return { slug: 'loop' };
    const { route, path, refusal } = chooseRoute(snapshot, listener.live.config.name, request);
    if (route !== null) report.noteRoute(route);
    if (route === null || refusal !== null) return refusal ?? { slug: 'no_route' };
    const protocols = allowedProtocols(request.protocols, route.config.subprotocols);
    if (protocols.length === 0 && request.protocols.length > 0) return { slug: 'subprotocol' };
    return { request, route, path, protocols };
  }

  /** Rates and caps, asked last: what is refused for anything else takes nothing of them. */
  private enter(admitted: Admitted, rest: Buffer): void {
    const { edge, report } = this;
    const { route } = admitted;
    if (edge.refusing || route.draining) {
      this.refuse('draining');
      return;
    }
    const seat = edge.buffers.isOver ? OVERLOAD : edge.gates.enter(report.client, route, edge.clock.now());
    if (seat instanceof Seat) {
      this.open(admitted, seat, rest);
      return;
    }
    report.metrics.fromClient.limitHits.add(seat.limit);
    this.refuse(seat.slug, seat.limit);
  }

  private open(admitted: Admitted, seat: Seat, rest: Buffer): void {
    const { edge } = this;
    const { limits, timeouts } = admitted.route.config;
    const early = new EarlyBytes(limits.max_early_bytes, edge.buffers);
    const state: State = { kind: 'opening', early, abort: new Abort(), seat };
    this.state = state;
    edge.wheel.schedule(this, edge.clock.now() + timeouts.open);
    if (rest.length > 0) early.append(rest, 0, rest.length);
    this.holdBack(early);
    const progress: OpeningProgress = { target: null, tries: 0 };
    this.report.progress = progress;
    this.openAndSettle(admitted, state, progress).catch((error: unknown) => {
      edge.log.event('error', 'handshake.fault', { request_id: this.report.requestId, error: stackOf(error) });
      this.refuse('internal_error');
    });
  }

  private async openAndSettle(
    admitted: Admitted,
    state: Extract<State, { kind: 'opening' }>,
    progress: OpeningProgress,
  ): Promise<void> {
    const { edge, report } = this;
    const { request, route } = admitted;
    const { timeouts, compression } = route.config;
    const outcome = await openBackend({
      clock: edge.clock,
      wheel: edge.wheel,
      dialer: edge.dialer,
      log: edge.log,
      metrics: edge.metrics,
      upstream: route.upstream,
      forward: {
        request,
        protocols: admitted.protocols,
        extensions: compression === 'passthrough' ? request.deflateOffers : [],
        clientAddress: report.client,
        peerAddress: this.transport.remoteAddress,
        peerTrusted: report.peerTrusted,
        secure: false,
        listenerPort: this.listener.port,
        requestId: report.requestId,
        instanceId: edge.instanceId,
        key: request.key,
      },
      path: admitted.path,
      connectMs: timeouts.connect,
      upgradeMs: timeouts.upgrade,
      signal: state.abort,
      progress,
    });
    if (this.state !== state) {
      // Refused or gone meanwhile; what was opened for it goes too.
      if (outcome.kind === 'opened') discard(outcome);
      return;
    }
    if (outcome.kind === 'opened') this.beginSession(admitted, outcome, state);
    else if (outcome.kind === 'refused') this.relayRefusal(outcome);
    else if (outcome.error !== 'aborted') this.refuse(outcome.error, outcome.cause);
  }

  private beginSession(admitted: Admitted, opened: Opened, state: Extract<State, { kind: 'opening' }>): void {
    const { edge, transport, report } = this;
    const { request, route } = admitted;
    const { answer, target } = opened;
    edge.wheel.cancel(this);
    this.state = { kind: 'over' };
    const { protocol, extensions, fields } = answer;
    const response = buildClientSwitch({ key: request.key, protocol, extensions, fields });
    edge.gates.opened(state.seat);
    report.count('ok');
    report.metrics.profile.recordHandshake(opened.connectMs, opened.upgradeMs, report.openMs);
    const facts = report.sessionFacts(opened);
    const record = new SessionRecord({ edge, route, target, facts, seat: state.seat });
    record.session = new Session({
      clock: edge.clock,
      wheel: edge.wheel,
      policy: route.policy,
      owner: record,
      client: transport,
      backend: opened.transport,
      deflate: answer.deflate,
      metrics: record.metrics,
    });
    edge.promote(this, record);
    transport.write(response, 0, response.length, true);
    record.session.start(state.early.take(), answer.leftover);
  }

  private relayRefusal(refusal: RelayedRefusal): void {
    const { status } = refusal;
    this.report.count('backend_refused');
    this.report.write({
      error: 'backend_refused',
      status,
      cause: `status ${status}`,
      discarded: this.discardedEarlyBytes(),
    });
    this.answer(buildRelayedRefusal(refusal));
  }

  private refuseLateHead(parser: RequestHeadParser): void {
    if (parser.bytesSeen > 0) {
      this.report.noteHead(parser, this.isPeerTrusted());
      this.refuse('handshake_timeout');
      return;
    }
    // Not one byte came: there is no request to answer.
    const { status } = REFUSALS.handshake_timeout;
    this.edge.metrics.listener(this.listener.name).rejected.add('handshake_timeout');
    this.report.write({ error: 'handshake_timeout', status, cause: 'no byte', discarded: 0 });
    this.answer(NOTHING);
  }

  /** Send the last bytes this client gets, then FIN, then drop what still comes. */
  private answer(bytes: Buffer): void {
    const { edge, transport } = this;
    if (this.state.kind === 'opening') this.leaveOpening(this.state);
    this.state = { kind: 'lingering', discarded: 0 };
    if (bytes.length > 0) transport.write(bytes, 0, bytes.length, true);
    transport.end();
    transport.resume();
    edge.wheel.schedule(this, edge.clock.now() + LINGER_MS);
  }

  private onClientGone(): void {
    const { state } = this;
    const isMidHead = state.kind === 'reading' && state.parser.bytesSeen > 0;
    if (isMidHead) this.report.noteHead(state.parser, this.isPeerTrusted());
    if (isMidHead || state.kind === 'opening') this.report.count('client_gone');
    if (state.kind === 'reading' || state.kind === 'opening') this.report.writeGone();
    this.close();
  }

  /** Give back what an opening holds and stop it. */
  private leaveOpening(state: Extract<State, { kind: 'opening' }>): void {
    this.state = { kind: 'over' };
    state.early.take();
    this.edge.gates.leave(state.seat, this.edge.clock.now());
    state.abort.abort();
  }

  /** Not read any more until it is a session or refused; `timeouts.open` bounds that. */
  private holdBack(early: EarlyBytes): void {
    if (early.isFull || this.edge.buffers.isOver) this.transport.pause();
  }

  private isPeerTrusted(): boolean {
    return this.edge.snapshot.trusted.trusts(this.transport.remoteAddress);
  }

  private discardedEarlyBytes(): number {
    return this.state.kind === 'opening' ? this.state.early.size : 0;
  }
}

const NOTHING = Buffer.alloc(0);
const OVERLOAD: Barred = { slug: 'overload', limit: 'max_buffered_total' };

function discard(opened: Opened): void {
  opened.transport.destroy();
  opened.target.release();
}

/** The offered subprotocols that the route lists, in the order of the offer. */
function allowedProtocols(offered: readonly string[], allowed: 'any' | readonly string[]): readonly string[] {
  return allowed === 'any' ? offered : offered.filter((protocol) => allowed.includes(protocol));
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function unreachable(state: never): never {
  throw new Error(`no such state: ${String(state)}`);
}
