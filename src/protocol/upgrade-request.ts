// The judge of a complete request head: method, version, target form, Host, then the upgrade fields, in this order.
// What passes is a WebSocket handshake in parsed parts; routes, addresses and credentials are not its business.

import { isProtocol, isToken } from './charset.ts';
import { PERMESSAGE_DEFLATE, parseExtensions } from './extensions.ts';
import { isHopByHop, isKnownEndToEnd } from './field-names.ts';
import type { HeadField, RequestHead } from './http-head.ts';
import { firstValueOf, strictElements, strictTokens, valuesOf } from './lists.ts';
import type { RefusalSlug } from './refusals.ts';
import type { RouteCheck } from './relax.ts';
import { detached, type JudgedRequest, judgePlace, type RequestPlace } from './request-place.ts';

export interface UpgradeRequest extends JudgedRequest {
  readonly key: string;
  /** The permessage-deflate offers as sent, in order. */
  readonly deflateOffers: readonly string[];
  /** Checks that it broke, and that are switched off where it goes. */
  readonly relaxed: readonly RouteCheck[];
}

/** Which checks are switched off for a request to this place; asked only when one of them is broken. */
export type RelaxedFor = (place: RequestPlace) => readonly RouteCheck[];

const ALL_STRICT: RelaxedFor = () => [];

export type RequestVerdict =
  | { readonly ok: true; readonly request: UpgradeRequest }
  | {
      readonly ok: false;
      readonly slug: RefusalSlug;
      readonly host: string;
      readonly path: string;
      readonly origin: string;
    };

const PROTOCOLS_MAX = 32;
/** A decode of base64 ignores junk, so the form is matched instead: 16 bytes. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** Of another length. The backend judges it again, and the accept value is made of whatever it is. */
const RELAXED_KEY = /^[+/0-9A-Za-z]{1,128}={0,2}$/;
export function judgeUpgradeRequest(head: RequestHead, relaxedFor: RelaxedFor = ALL_STRICT): RequestVerdict {
  const result = judge(head, relaxedFor);
  if (typeof result !== 'string') return { ok: true, request: result };
  const query = head.target.indexOf('?');
  return {
    ok: false,
    slug: result,
    host: firstValueOf(head.fields, 'host') ?? '',
    path: query === -1 ? head.target : head.target.slice(0, query),
    origin: firstValueOf(head.fields, 'origin') ?? '',
  };
}

function judge(head: RequestHead, relaxedFor: RelaxedFor): UpgradeRequest | RefusalSlug {
  // RFC 9113 3.4: "PRI * HTTP/2.0" is the preface of another version; PRI is no method.
  if (head.method === 'PRI' && head.version === '2.0') return 'http_version';
  // RFC 6455 4.1(2): the method is GET, in this case.
  if (head.method !== 'GET') return 'method';
  // RFC 9110 7.8: an Upgrade in HTTP/1.0 is ignored, so only 1.1 can become a WebSocket.
  if (head.version !== '1.1') return 'http_version';
  const place = judgePlace(head);
  if (typeof place === 'string') return place;
  const upgrade = judgeUpgradeFields(head.fields, (check) => relaxedFor(place).includes(check));
  if (typeof upgrade === 'string') return upgrade;
  return {
    ...place,
    head,
    origin: firstValueOf(head.fields, 'origin') ?? null,
    ...upgrade,
  };
}

type UpgradeFields = Pick<UpgradeRequest, 'key' | 'protocols' | 'deflateOffers' | 'nominated' | 'relaxed'>;

function judgeUpgradeFields(
  fields: readonly HeadField[],
  isRelaxed: (check: RouteCheck) => boolean,
): UpgradeFields | RefusalSlug {
  const relaxed: RouteCheck[] = [];
  // RFC 6455 4.2.1(3), (4), (6): tokens, not substrings, in any case, over all lines. RFC 9110 7.6.1, 7.8: a list with
  // anything else in it is none; another reader might cut `upgrade, authorization;x` elsewhere.
  const upgrade = strictElements(valuesOf(fields, 'upgrade'), isProtocol);
  if (upgrade === null || !upgrade.includes('websocket')) return 'upgrade_required';
  // RFC 6455 4.4: another version is answered with the one we speak, and no backend hears of it.
  const version = firstValueOf(fields, 'sec-websocket-version');
  if (version !== '13') return 'version';
  const connection = strictElements(valuesOf(fields, 'connection'), isToken);
  // What is no list of tokens stays refused: nobody can tell which fields it names.
  if (connection === null) return 'connection_token';
  if (!connection.includes('upgrade')) {
    if (!isRelaxed('connection_token')) return 'connection_token';
    relaxed.push('connection_token');
  }
  // RFC 9110 7.6.1: what is meant for the other end must not be named here. Without its Origin, Cookie or Authorization
  // the backend would see another request than was judged.
  if (connection.some(isKnownEndToEnd)) return 'connection_option';
  const key = firstValueOf(fields, 'sec-websocket-key');
  if (key === undefined || !RELAXED_KEY.test(key)) return 'key';
  if (!KEY.test(key)) {
    if (!isRelaxed('key')) return 'key';
    relaxed.push('key');
  }
  const body = judgeBody(fields);
  if (body !== null) return body;
  const offers = parseExtensions(valuesOf(fields, 'sec-websocket-extensions'));
  if (offers === null) return 'extensions';
  const protocols = strictTokens(valuesOf(fields, 'sec-websocket-protocol'), PROTOCOLS_MAX);
  if (protocols === null) return 'subprotocol';
  // RFC 9110 10.1.1: no 100 (Continue) will come, there is no body to wait for.
  if (valuesOf(fields, 'expect').length > 0) return 'expect';
  return {
    key,
    protocols: protocols.map(detached),
    deflateOffers: offers.filter((offer) => offer.name === PERMESSAGE_DEFLATE).map((offer) => offer.text),
    nominated: new Set(connection.filter((name) => !isHopByHop(name))),
    relaxed,
  };
}

/** A handshake has no body; whoever frames one differently than we do would find a second request in it. */
function judgeBody(fields: readonly HeadField[]): RefusalSlug | null {
  // RFC 9112 6.1: any coding, also one that HTTP allows.
  if (valuesOf(fields, 'transfer-encoding').length > 0) return 'transfer_encoding';
  const [length, ...more] = valuesOf(fields, 'content-length');
  if (length === undefined) return null;
  // RFC 9110 8.6: one decimal number.
  if (more.length > 0 || !/^(?:0|[1-9][0-9]*)$/.test(length)) return 'content_length';
  if (!Number.isSafeInteger(Number(length))) return 'content_length';
  return length === '0' ? null : 'body';
}
