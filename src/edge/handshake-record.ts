// What is known so far about one handshake, gathered while it is checked: for its line in the log if it fails, for the
// session's lines if it succeeds. Peer bytes are cut to a bound here; the log escapes them.

import type { RouteMetrics } from '../observe/metrics.ts';
import type { FieldName } from '../protocol/field-names.ts';
import type { HeadField, RequestHead } from '../protocol/http-head.ts';
import { isClientsFault } from '../protocol/refusals.ts';
import type { RelaxedCheck } from '../protocol/relax.ts';
import { entryFor } from '../protocol/subprotocols.ts';
import type { UpgradeRequest } from '../protocol/upgrade-request.ts';
import type { Opened, OpeningProgress } from '../upstream/open-backend.ts';
import type { Edge } from './edge.ts';
import { loggedPath, withoutUserinfo } from './logged-path.ts';
import { ownText } from './own-text.ts';
import type { SessionFacts } from './session-record.ts';
import type { Route } from './snapshot.ts';

/** Longer values of host, path, origin and user_agent are cut. */
const FIELD_BYTES_MAX = 256;
/** A trusted peer's X-Request-ID is kept if it is visible ASCII and not longer. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export interface Refused {
  readonly error: string;
  readonly status: number;
  readonly cause: string | undefined;
  /** Bytes the client sent behind its head, thrown away. */
  readonly discarded: number;
}

export class HandshakeRecord {
  /** The client's address: the socket's, or what a trusted proxy says. */
  client: string;
  peerTrusted = false;
  requestId: string;
  progress: OpeningProgress | null = null;
  /** When its connection was accepted. */
  readonly startedAt: number;
  private readonly edge: Edge;
  private readonly listener: string;
  private readonly peer: string;
  /** When its head was complete; null before. */
  private headAt: number | null = null;
  private host: string | undefined;
  private path: string | undefined;
  private query = '';
  private origin: string | undefined;
  private userAgent: string | undefined;
  private route: Route | null = null;

  constructor(edge: Edge, listener: string, peer: string) {
    this.edge = edge;
    this.listener = listener;
    this.peer = peer;
    this.client = peer;
    this.startedAt = edge.clock.now();
    this.requestId = edge.nextRequestId();
  }

  /** A head, or as much of it as was read before it broke a rule or came too late. */
  noteHead(head: Pick<RequestHead, 'target' | 'fields'>, peerTrusted: boolean): void {
    this.peerTrusted = peerTrusted;
    this.userAgent = fieldOf(head, 'user-agent');
    this.origin = fieldOf(head, 'origin');
    this.host = fieldOf(head, 'host');
    const queryAt = head.target.indexOf('?');
    this.path = queryAt < 0 ? head.target : head.target.slice(0, queryAt);
    this.query = queryAt < 0 ? '' : head.target.slice(queryAt);
    const requestId = fieldOf(head, 'x-request-id');
    if (peerTrusted && requestId !== undefined && REQUEST_ID.test(requestId)) this.requestId = requestId;
  }

  noteComplete(): void {
    this.headAt = this.edge.clock.now();
  }

  noteRequest(request: UpgradeRequest): void {
    this.host = request.host;
    this.path = request.path;
    this.query = request.query;
  }

  /** What of a request stays here goes into the log once for each peer. */
  notePeer(fields: readonly HeadField[]): void {
    const { listener, peer, peerTrusted, requestId } = this;
    this.edge.notices.note({ fields, listener, peer, peerTrusted, requestId });
  }

  noteRoute(route: Route): void {
    this.route = route;
  }

  /** What a route takes out of an offer: told by the entries of its list and by numbers, since clients offer tokens. */
  noteProtocols(offered: readonly string[], kept: readonly string[]): void {
    const list = this.route?.config.subprotocols ?? 'any';
    if (kept.length === offered.length || !this.edge.log.enabled('debug')) return;
    this.edge.log.event('debug', 'subprotocols.removed', {
      route: this.route?.config.name,
      client: this.client,
      removed: offered.length - kept.length,
      kept: kept.map((name) => entryFor(name, list)),
      request_id: this.requestId,
    });
  }

  /** What passed only because its check is switched off. */
  noteRelaxed(checks: readonly RelaxedCheck[]): void {
    for (const check of checks) this.metrics.relaxed.add(check);
  }

  /** Where this handshake is counted. */
  get metrics(): RouteMetrics {
    const { metrics } = this.edge;
    return this.route === null ? metrics.unrouted : metrics.route(this.route.config.name);
  }

  /** Since its head was complete. */
  get openMs(): number {
    return this.headAt === null ? 0 : this.edge.clock.now() - this.headAt;
  }

  /** The handshake is over. `result`: `ok`, `client_gone` or the slug of its refusal. */
  count(result: string): void {
    if (this.headAt === null) this.metrics.handshakes.add(result);
    else this.metrics.handshake(result, this.openMs / 1000);
  }

  /** It has become a session. */
  noteOpened({ connectMs, upgradeMs, answer }: Opened): void {
    this.count('ok');
    this.noteRelaxed(answer.relaxed);
    this.metrics.profile.recordHandshake(connectMs, upgradeMs, this.openMs);
  }

  /** The line of a refused handshake: what is the client's doing is for information, the rest wants a look. */
  write(refused: Refused): void {
    const { log, clock } = this.edge;
    const level = refused.status >= 500 && !isClientsFault(refused.error) ? 'warn' : 'info';
    if (!log.enabled(level)) return;
    log.event(level, 'handshake.refused', {
      status: refused.status,
      error: refused.error,
      ...this.facts(),
      cause: refused.cause,
      discarded_early_bytes: refused.discarded > 0 ? refused.discarded : undefined,
      ms: Math.round(clock.now() - this.startedAt),
    });
  }

  /** The client left before its 101: nothing was refused, and nobody is left to tell. */
  writeGone(): void {
    const { log, clock } = this.edge;
    if (!log.enabled('debug')) return;
    const ms = Math.round(clock.now() - this.startedAt);
    log.event('debug', 'handshake.refused', { error: 'client_gone', ...this.facts(), ms });
  }

  /** What the lines of the session say that this handshake became. The session keeps it, and nothing of the head. */
  sessionFacts(opened: Opened): SessionFacts {
    const { protocol } = opened.answer;
    const list = this.route?.config.subprotocols ?? 'any';
    return {
      session: ownText(this.edge.nextSessionId()),
      listener: this.listener,
      route: this.route?.config.name ?? '-',
      upstream: this.route?.upstream.name ?? '-',
      target: opened.target.name,
      client: ownText(this.client),
      peer: this.peer === this.client ? undefined : this.peer,
      path: ownText(this.shownPath() ?? ''),
      request_id: ownText(this.requestId),
      // Clients put tokens into this field, so only names that the config knows are shown.
      subprotocol: protocol === null ? undefined : (entryFor(protocol, list) ?? 'unlisted'),
      connect_ms: Math.round(opened.connectMs),
      upgrade_ms: Math.round(opened.upgradeMs),
    };
  }

  private facts(): Record<string, unknown> {
    const { progress, route } = this;
    return {
      listener: this.listener,
      client: this.client,
      peer: this.peer === this.client ? undefined : this.peer,
      host: shown(this.host),
      path: this.shownPath(),
      origin: shown(this.origin),
      user_agent: cut(this.userAgent),
      route: route?.config.name,
      upstream: route?.upstream.name,
      target: progress?.target?.name,
      tries: progress === null || progress.tries === 0 ? undefined : progress.tries,
      request_id: this.requestId,
    };
  }

  private shownPath(): string | undefined {
    if (this.path === undefined) return undefined;
    const { log } = this.edge.snapshot.config;
    const pattern = this.route?.config.match.path ?? null;
    return cut(loggedPath({ path: withoutUserinfo(this.path), query: this.query, pattern, log }));
  }
}

function fieldOf(head: Pick<RequestHead, 'fields'>, name: FieldName): string | undefined {
  return head.fields.find((field) => field.lower === name)?.value;
}

function shown(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cut(withoutUserinfo(text));
}

/** Heads are latin1, so a character is a byte. */
function cut(text: string | undefined): string | undefined {
  return text === undefined || text.length <= FIELD_BYTES_MAX ? text : text.slice(0, FIELD_BYTES_MAX);
}
