// A request that passed every check: what was decided about it, what its backend is asked for, and the session that it
// becomes. It keeps no state.

import type { LogConfig } from '../config/types.ts';
import type { AbortLike } from '../net/abort.ts';
import type { Transport } from '../net/transport.ts';
import { changedFields, type FieldChanges } from '../protocol/field-changes.ts';
import type { HeadField } from '../protocol/http-head.ts';
import { entryFor } from '../protocol/subprotocols.ts';
import type { UpgradeRequest } from '../protocol/upgrade-request.ts';
import { Session } from '../session/session.ts';
import { type Opened, type OpeningOutcome, type OpeningProgress, openBackend } from '../upstream/open-backend.ts';
import type { Arrival } from './arrival.ts';
import type { Grant } from './auth/method.ts';
import type { EdgeContext } from './context.ts';
import { changesFor } from './field-edits.ts';
import type { Holdings } from './holdings.ts';
import { shownPath } from './logged-path.ts';
import { ownText } from './own-text.ts';
import { proxiedOf, templateFacts } from './request-facts.ts';
import { SessionCredential } from './session-credential.ts';
import { policyWithin } from './session-policy.ts';
import { type SessionFacts, type SessionHost, SessionRecord } from './session-record.ts';
import type { Route } from './snapshot.ts';

export interface Admitted {
  /** What its session will be called. */
  readonly session: string;
  readonly arrival: Arrival;
  readonly request: UpgradeRequest;
  readonly route: Route;
  /** Path after the rewrite, and query. */
  readonly path: string;
  /** Offered to the backend. */
  readonly protocols: readonly string[];
  /** Of these what it may choose: no credential. */
  readonly answerable: readonly string[];
  /** Named to the client where the backend chooses none; null: nothing. */
  readonly marker: string | null;
  readonly holdings: Holdings;
  /** Null: nothing was asked of it, or it is anonymous. */
  readonly grant: Grant | null;
}

interface OpeningFor {
  readonly client: Transport;
  readonly signal: AbortLike;
  readonly progress: OpeningProgress;
}

/** The backend of one of its targets. Rejects with faults of our own only; whoever gives up aborts `signal`. */
export function openFor(
  admitted: Admitted,
  context: EdgeContext,
  { client, signal, progress }: OpeningFor,
): Promise<OpeningOutcome> {
  const { arrival, request, route, path, protocols, answerable, holdings, grant } = admitted;
  const { timeouts, compression } = route.config;
  return openBackend({
    clock: context.clock,
    wheel: context.wheel,
    dialer: context.dialer,
    log: context.log,
    metrics: context.metrics,
    route,
    holdings,
    forward: {
      request,
      protocols,
      extensions: compression === 'passthrough' ? request.deflateOffers : [],
      clientAddress: arrival.client,
      peerAddress: arrival.peer,
      peerTrusted: arrival.peerTrusted,
      proto: arrival.proto,
      source: arrival.source,
      sendForwarded: context.snapshot.config.send_forwarded,
      listenerPort: arrival.listener.port,
      requestId: arrival.requestId,
      // Where credentials end sessions, a backend may renew one.
      sessionId: route.auth === null ? null : admitted.session,
      instanceId: context.instanceId,
      key: request.key,
      changes: requestChanges(admitted),
    },
    answerable,
    holder: grant,
    mayRetry: true,
    path,
    connectMs: timeouts.connect,
    upgradeMs: timeouts.upgrade,
    signal,
    proxied: () => proxiedOf(arrival, client),
    progress,
  });
}

/** The fields of the backend's 101 as the client gets them, and our own cookie. */
export function answerFields(admitted: Admitted, { answer, cookie }: Opened): readonly HeadField[] {
  const edits = admitted.route.edits.response;
  const fields =
    edits === null ? answer.fields : changedFields(answer.fields, changesFor(edits, templateFacts(admitted)));
  return cookie === null ? fields : [...fields, { name: 'Set-Cookie', lower: 'set-cookie', value: cookie }];
}

/** What the client's 101 names. */
export function answerProtocol({ marker }: Admitted, { answer }: Opened): string | null {
  return answer.protocol ?? marker;
}

function requestChanges(admitted: Admitted): FieldChanges | null {
  const edits = admitted.route.edits.request;
  return edits === null ? null : changesFor(edits, templateFacts(admitted));
}

/** The session that it becomes, which has counted nothing and taken over nothing yet. */
export function makeSession(admitted: Admitted, opened: Opened, client: Transport, host: SessionHost): SessionRecord {
  const { route, holdings, grant } = admitted;
  const { clock, snapshot } = host;
  const { auth: methods, wallNow } = snapshot;
  const credential = grant === null ? null : new SessionCredential({ grant, methods, wallNow, now: clock.now() });
  const facts = sessionFacts(admitted, opened, snapshot.config.log);
  const record = new SessionRecord({ host, route, target: opened.target, facts, holdings, credential, grant });
  record.session = new Session({
    clock: host.clock,
    wheel: host.wheel,
    policy: policyWithin(route.policy, grant?.quota ?? null),
    owner: record,
    client,
    backend: opened.transport,
    deflate: opened.answer.deflate,
    metrics: record.metrics,
    term: credential,
  });
  return record;
}

/** They outlive the head, so they keep nothing of it. */
export function sessionFacts(admitted: Admitted, opened: Opened, log: LogConfig): SessionFacts {
  const { session, arrival, request, route, marker, grant } = admitted;
  const { client, peer } = arrival;
  const identity = grant?.identity ?? null;
  const { config } = route;
  const { protocol } = opened.answer;
  const path = shownPath({ path: request.path, query: request.query, pattern: config.match.path, log });
  return {
    session: ownText(session),
    listener: arrival.listenerName,
    route: config.name,
    upstream: opened.upstream.name,
    target: opened.target.name,
    client: ownText(client),
    peer: peer === client ? undefined : peer,
    path: ownText(path),
    request_id: arrival.requestId,
    // Clients put tokens into this field, so only names that the config knows are shown.
    subprotocol: protocol === null ? (marker ?? undefined) : (entryFor(protocol, config.subprotocols) ?? 'unlisted'),
    auth: grant?.auth,
    identity: identity === null ? undefined : ownText(identity),
    connect_ms: Math.round(opened.connectMs),
    upgrade_ms: Math.round(opened.upgradeMs),
  };
}
