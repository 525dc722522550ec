// Tells once of each peer what of its requests does not reach a backend although somebody may count on it: fields with
// an unsafe name, and what it claims of its clients without being trusted. It changes no request.

import type { Log } from '../observe/log.ts';
import { isProxyClaim, isReplacedClaim, isSafeName } from '../protocol/field-names.ts';
import type { HeadField } from '../protocol/http-head.ts';

/** Peers remembered for each of the two; the one told longest ago is forgotten, and told of again. */
const PEERS_MAX = 1_024;
/** It may be so for every handshake. */
const UNCLEAR_EVERY_MS = 60_000;
/** Names in a line, and characters of each. */
const NAMES_MAX = 8;
const NAME_LENGTH_MAX = 64;

interface NoticedRequest {
  readonly fields: readonly HeadField[];
  readonly listener: string;
  /** Who holds the connection. */
  readonly peer: string;
  readonly peerTrusted: boolean;
  readonly requestId: string;
  /** The field that names the client where a trusted peer sends it. */
  readonly source: string;
}

export class PeerNotices {
  private readonly log: Log;
  /** At most PEERS_MAX entries each. */
  private readonly dropped = new Set<string>();
  private readonly replaced = new Set<string>();
  private unclearAt = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.log = log;
  }

  note(request: NoticedRequest): void {
    const { peer, fields } = request;
    const dropped = this.dropped.has(peer) ? [] : namesOf(fields, isUnsafe);
    if (isNew(this.dropped, peer, dropped)) this.log.event('info', 'peer.fields_dropped', factsOf(request, dropped));
    const replaced =
      request.peerTrusted || this.replaced.has(peer)
        ? []
        : namesOf(fields, (lower) => isClaim(lower) || lower === request.source);
    if (isNew(this.replaced, peer, replaced))
      this.log.event('info', 'peer.claims_replaced', factsOf(request, replaced));
  }

  /** A trusted peer does not name its client in the one field that is to do so: the peer counts as the client. */
  noteUnclear({ listener, peer, requestId, source }: NoticedRequest, cause: string, now: number): void {
    if (now - this.unclearAt < UNCLEAR_EVERY_MS) return;
    this.unclearAt = now;
    this.log.event('warn', 'client.unclear', { listener, peer, field: source, cause, request_id: requestId });
  }
}

/** Whether there is something to tell; `told` remembers the peer then. */
function isNew(told: Set<string>, peer: string, names: readonly string[]): boolean {
  if (names.length === 0) return false;
  if (told.size >= PEERS_MAX) for (const oldest of told.keys()) if (told.delete(oldest)) break;
  told.add(peer);
  return true;
}

function factsOf({ listener, peer, requestId }: NoticedRequest, names: readonly string[]): Record<string, unknown> {
  const fields = names.slice(0, NAMES_MAX).map((name) => name.slice(0, NAME_LENGTH_MAX));
  const more = names.length > NAMES_MAX ? names.length - NAMES_MAX : undefined;
  return { listener, peer, fields, more, request_id: requestId };
}

function isUnsafe(lower: string): boolean {
  return !isSafeName(lower);
}

function isClaim(lower: string): boolean {
  return isProxyClaim(lower) || isReplacedClaim(lower);
}

/** Each once, as it was sent first. */
function namesOf(fields: readonly HeadField[], fits: (lower: string) => boolean): string[] {
  const names = new Map<string, string>();
  for (const { name, lower } of fields) if (!names.has(lower) && fits(lower)) names.set(lower, name);
  return [...names.values()];
}
