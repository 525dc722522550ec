// The judge of a complete request head that asks for no WebSocket: by the same rules as an upgrade's as far as they go,
// and by those that tell where its body ends. What passes goes to a backend in parsed parts.

import type { BodyFraming } from './body-reader.ts';
import { isToken } from './charset.ts';
import { isHopByHop, isKnownEndToEnd } from './field-names.ts';
import type { HeadField, RequestHead } from './http-head.ts';
import { firstValueOf, strictElements, valuesOf } from './lists.ts';
import type { RefusalSlug } from './refusals.ts';
import { type JudgedRequest, judgePlace } from './request-place.ts';

export interface PlainRequest extends JudgedRequest {
  readonly body: BodyFraming;
  /** It waits for a 100 (Continue) before it sends its body. */
  readonly awaitsContinue: boolean;
}

/**
 * The registered ones (IANA, RFC 9110 16.1) that servers know. Not CONNECT, a tunnel, and TRACE, which shows what
 * proxies add (9.3.6, 9.3.8); and no other spelling: a method is told by its case, and not every backend does so.
 */
const METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT PATCH DELETE OPTIONS QUERY PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH ACL BIND ' +
    'UNBIND REBIND REPORT CHECKOUT MERGE MKACTIVITY MKCALENDAR LINK UNLINK M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE'
  ).split(' '),
);
const NO_BODY: BodyFraming = { kind: 'none' };
const CHUNKED: BodyFraming = { kind: 'chunked' };

/** The word, wherever another reader of the list may find it: as an element, quoted, or beside no token. */
const WEBSOCKET = /(?<![!#$%&'*+\-.^_`|~0-9A-Za-z])websocket(?![!#$%&'*+\-.^_`|~0-9A-Za-z])/i;

/** Whether a request asks for a WebSocket, though it may do so in a wrong way: it is never forwarded as another one. */
export function asksForWebSocket(fields: readonly HeadField[]): boolean {
  return valuesOf(fields, 'upgrade').some((value) => WEBSOCKET.test(value));
}

export function judgePlainRequest(head: RequestHead): PlainRequest | RefusalSlug {
  const { method, version, fields } = head;
  if (method === 'PRI' && version === '2.0') return 'http_version';
  if (!METHODS.has(method)) return 'method_refused';
  if (version !== '1.1' && version !== '1.0') return 'http_version';
  const place = judgePlace(head);
  if (typeof place === 'string') return place;
  const connection = strictElements(valuesOf(fields, 'connection'), isToken);
  if (connection === null) return 'connection_token';
  if (connection.some(isKnownEndToEnd)) return 'connection_option';
  const body = bodyFramingOf(head);
  if (typeof body === 'string') return body;
  const expect = valuesOf(fields, 'expect');
  // RFC 9110 10.1.1: 100-continue is the only expectation, and HTTP/1.0 has none.
  if (version === '1.1' && expect.some((value) => value.toLowerCase() !== '100-continue')) return 'expect';
  // Not spread: that makes a shape of its own for each request.
  return {
    host: place.host,
    hostname: place.hostname,
    path: place.path,
    query: place.query,
    decodedPath: place.decodedPath,
    head,
    origin: firstValueOf(fields, 'origin') ?? null,
    protocols: [],
    nominated: new Set(connection.filter((name) => !isHopByHop(name))),
    body,
    awaitsContinue: version === '1.1' && expect.length > 0 && body.kind !== 'none',
  };
}

/** RFC 9112 6, refusing what two readers could end at two places. */
export function bodyFramingOf({ version, fields }: RequestHead): BodyFraming | RefusalSlug {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  const [length] = lengths;
  if (codings.length > 0) {
    // RFC 9112 6.1: HTTP/1.0 knows none, so its framing is faulty; and with a length somebody was to be misled.
    if (version === '1.0' || length !== undefined) return 'transfer_encoding';
    return codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' ? CHUNKED : 'transfer_encoding';
  }
  if (length === undefined) return NO_BODY;
  if (lengths.length > 1 || !/^(?:0|[1-9][0-9]*)$/.test(length)) return 'content_length';
  const bytes = Number(length);
  if (!Number.isSafeInteger(bytes)) return 'content_length';
  return bytes === 0 ? NO_BODY : { kind: 'length', bytes };
}
