// Every answer of our own that refuses a handshake: its slug, status and fixed fields, and the bytes of the response.
// It does not decide who is refused, and it never repeats bytes of a peer.

import { isVisible } from './charset.ts';
import { statusPhrase } from './status-phrases.ts';

interface RefusalRow {
  readonly status: number;
  /** One sentence for the reference in README. */
  readonly text: string;
  /** The rule that was broken, where a document states it. */
  readonly rule?: string;
  readonly fields?: readonly (readonly [name: string, value: string])[];
  /** The caller passes a Retry-After of its choice. */
  readonly retryAfter?: boolean;
  /** The body, as text, for who speaks no JSON: instead of slug and request id. */
  readonly plain?: string;
  /** A 5xx that says nothing of us or of a backend: nobody has to look at it. */
  readonly clientsFault?: boolean;
}

export const REFUSALS = {
  https_only: {
    status: 308,
    text: 'The listener has redirect_http: Location says where the same is served over TLS.',
    rule: 'RFC 9110 15.4.9',
  },
  plain_http: {
    status: 400,
    text: 'The first byte on a TLS listener is a letter: somebody speaks HTTP without TLS.',
    plain: 'this port speaks TLS\n',
  },
  bare_lf: { status: 400, text: 'A line of the head ends in LF without CR.', rule: 'RFC 9112 2.2' },
  bare_cr: { status: 400, text: 'A CR in the head is not followed by LF.', rule: 'RFC 9112 2.2' },
  ctl: { status: 400, text: 'NUL in the head, or a control byte in a field value.', rule: 'RFC 9110 5.5' },
  obs_text: { status: 400, text: 'A byte above 0x7F in a field that decides the handshake.', rule: 'RFC 9110 5.5' },
  obs_fold: { status: 400, text: 'A line of the head begins with a space or tab.', rule: 'RFC 9112 5.2' },
  header_name: { status: 400, text: 'A field name is empty or is not a token up to its colon.', rule: 'RFC 9112 5.1' },
  http_syntax: {
    status: 400,
    text: 'The chunks of a body are not those of HTTP/1.1.',
    rule: 'RFC 9112 7.1',
  },
  request_line: { status: 400, text: 'The request line is not METHOD SP TARGET SP HTTP/x.y.', rule: 'RFC 9112 3' },
  target_char: { status: 400, text: 'A byte that no request target may hold.', rule: 'RFC 9112 3.2' },
  target_form: { status: 400, text: 'The target is neither a path nor an absolute URL.', rule: 'RFC 9112 3.2' },
  double_slash: { status: 400, text: 'The path begins with "//", as sent or after the rewrite.', rule: 'RFC 3986 4.2' },
  authority: { status: 400, text: 'The authority of an absolute target is not Host.', rule: 'RFC 9112 3.2.2' },
  dot_segment: { status: 400, text: 'The path has a "." or ".." segment, escaped or not.', rule: 'RFC 3986 5.2.4' },
  encoded_path: {
    status: 400,
    text: 'A bad escape in the path, or one that leads to another route when decoded.',
    rule: 'RFC 3986 2.1',
  },
  host: { status: 400, text: 'Host is missing, stands twice or is malformed.', rule: 'RFC 9112 3.2' },
  dup_field: { status: 400, text: 'A field that may stand once stands twice.', rule: 'RFC 6455 11.3, RFC 9110 5.3' },
  connection_token: {
    status: 400,
    text: 'Connection is not a list of tokens with "upgrade" in it.',
    rule: 'RFC 6455 4.2.1, RFC 9110 7.6.1',
  },
  connection_option: {
    status: 400,
    text: 'Connection names a field that is meant for the backend, such as Cookie.',
    rule: 'RFC 9110 7.6.1',
  },
  key: { status: 400, text: 'Sec-WebSocket-Key is missing or not 16 bytes in base64.', rule: 'RFC 6455 4.2.1' },
  content_length: { status: 400, text: 'Content-Length is not one decimal number.', rule: 'RFC 9110 8.6' },
  body: { status: 400, text: 'An upgrade announces a body.', rule: 'RFC 6455 4.1' },
  transfer_encoding: {
    status: 400,
    text: 'An upgrade has a Transfer-Encoding, or another request one beside chunked, in HTTP/1.0 or with a length.',
    rule: 'RFC 9112 6.1',
  },
  extensions: { status: 400, text: 'Sec-WebSocket-Extensions is malformed or too long.', rule: 'RFC 6455 9.1' },
  multiple_credentials: {
    status: 400,
    text: 'One method finds its credential in two places, or twice in one.',
    rule: 'RFC 6750 2',
  },
  subprotocol: {
    status: 400,
    text: 'Sec-WebSocket-Protocol is malformed, too long, or names none that the route allows.',
    rule: 'RFC 6455 11.3.4',
  },
  proxy_header: {
    status: 400,
    text: 'The connection began with no PROXY header, or a broken one, where the listener expects it.',
    rule: 'proxy-protocol.txt 2',
  },
  unauthorized: {
    status: 401,
    text: 'No method of the route finds a credential, or the one that does finds a bad one.',
    rule: 'RFC 9110 11.6.1',
  },
  scope_missing: {
    status: 403,
    text: 'The credential is good, but lacks a scope or claim, or is not for this route.',
    rule: 'RFC 6750 3.1',
  },
  address_not_allowed: { status: 403, text: "The client's address is not one that the route allows, or it denies it." },
  origin_not_allowed: {
    status: 403,
    text: 'The Origin is none that the route allows, or there is none and there has to be.',
    rule: 'RFC 6455 10.2',
  },
  no_route: { status: 404, text: 'No route for this Host and path, or for an upgrade one without upstream.' },
  method: {
    status: 405,
    text: 'The method is not GET, of an upgrade or where the route has no http.',
    rule: 'RFC 6455 4.1',
    fields: [['Allow', 'GET']],
  },
  method_refused: {
    status: 405,
    text: 'The method is CONNECT or TRACE, or none that HTTP servers know, in this case.',
    rule: 'RFC 9110 9.1, 9.3.6, 9.3.8',
    fields: [['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']],
  },
  body_timeout: { status: 408, text: 'Not one byte of the body of a request came for timeouts.body.' },
  handshake_timeout: { status: 408, text: 'The head was not complete within timeouts.handshake.' },
  body_too_large: { status: 413, text: 'The body of a request is larger than limits.max_body_size.' },
  target_too_long: {
    status: 414,
    text: 'The target, as sent or after the rewrite, is longer than limits.max_target_size.',
    rule: 'RFC 9112 3',
  },
  expect: {
    status: 417,
    text: 'An upgrade has an Expect field, or another request one that is not 100-continue.',
    rule: 'RFC 9110 10.1.1',
  },
  misdirected: {
    status: 421,
    text: 'No route of this listener is for this Host, but one of a listener with another tls.client_auth is.',
    rule: 'RFC 9110 15.5.20',
  },
  upgrade_required: {
    status: 426,
    text: 'Upgrade is not a list of protocols with "websocket" in it, and the route has no http.',
    rule: 'RFC 6455 4.2.1, RFC 9110 7.8',
    fields: [['Upgrade', 'websocket']],
  },
  version: {
    status: 426,
    text: 'Sec-WebSocket-Version is not 13.',
    rule: 'RFC 6455 4.4',
    fields: [['Sec-WebSocket-Version', '13']],
  },
  too_many_sessions_per_ip: {
    status: 429,
    text: 'limits.max_sessions_per_ip of this client is reached.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  too_many_handshakes_per_ip: {
    status: 429,
    text: 'This client is over limits.handshakes_per_second_per_ip.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  too_many_requests_per_ip: {
    status: 429,
    text: 'This client is over limits.requests_per_second_per_ip.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  too_many_sessions_per_identity: {
    status: 429,
    text: 'The sessions that this identity may have at a time are open.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  too_many_handshakes_per_identity: {
    status: 429,
    text: 'This identity is over the rate of its handshakes, or a service that `forward` asks says 429.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  quota_used: {
    status: 429,
    text: 'The handshakes that its quota gives this identity in a time are used.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  too_many_auth_failures: {
    status: 429,
    text: 'This client is over limits.auth_failures_per_minute_per_ip, or one name was tried too often.',
    rule: 'RFC 6585 4',
    retryAfter: true,
  },
  head_too_large: { status: 431, text: 'The head is larger than limits.max_head_size.', rule: 'RFC 6585 5' },
  too_many_fields: { status: 431, text: 'The head has more fields than limits.max_header_fields.', rule: 'RFC 6585 5' },
  internal_error: { status: 500, text: 'A fault in framegate itself; the log has it under this request id.' },
  backend_dns: { status: 502, text: 'The name of the backend did not resolve.' },
  backend_unreachable: { status: 502, text: 'The connection to the backend was refused or reset.' },
  backend_tls: { status: 502, text: 'TLS to the backend failed, or its certificate was not accepted.' },
  backend_handshake: { status: 502, text: 'The backend gave no valid answer to the upgrade.', rule: 'RFC 6455 4.1' },
  backend_answer: { status: 502, text: 'The backend gave no valid answer to a request without upgrade.' },
  too_many_sessions: { status: 503, text: 'limits.max_sessions is reached.', retryAfter: true },
  too_many_handshakes: {
    status: 503,
    text: 'limits.max_waiting_handshakes or handshakes_per_second is reached, or no turn came in timeouts.open.',
    retryAfter: true,
  },
  auth_unavailable: {
    status: 503,
    text: 'Who decides about a credential cannot be asked, or there is no answer within timeouts.auth.',
    retryAfter: true,
  },
  overload: {
    status: 503,
    text: 'Too much memory is taken: limits.max_buffered_total, or nine tenths of limits.max_memory.',
    retryAfter: true,
  },
  draining: {
    status: 503,
    text: 'framegate, the route or the target is draining, or a reload has taken one away.',
    retryAfter: true,
  },
  no_target: { status: 503, text: 'No target of the upstream is up and has room.', retryAfter: true },
  no_local_port: { status: 503, text: 'No free local port towards the backend.', retryAfter: true },
  no_descriptor: { status: 503, text: 'No file descriptor left.', retryAfter: true },
  backend_timeout: { status: 504, text: 'The backend was not connected, or did not answer, in time.' },
  http_version: {
    status: 505,
    text: 'The HTTP version is not 1.1, or of a request without upgrade neither that nor 1.0.',
    rule: 'RFC 9112 2.3',
    clientsFault: true,
  },
  loop: { status: 508, text: 'The request passed this instance before.', rule: 'RFC 9110 7.6.3' },
} as const satisfies Record<string, RefusalRow>;

export type RefusalSlug = keyof typeof REFUSALS;

/** What a handshake is refused with. */
export interface Refusal {
  readonly slug: RefusalSlug;
  /** For the log: what exactly was wrong, or the config key of the limit. Never bytes of a peer as they came. */
  readonly cause?: string | undefined;
  /** For the log: of the targets of its upstream, how many take no session, and why. */
  readonly targets?: { readonly down: number; readonly full: number; readonly draining: number } | undefined;
  /** Response fields that only this answer has, with values of our own. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
  /** Seconds until it is worth while to come again, where that is known. */
  readonly retryAfter?: number;
}

/** Whether a refusal with this `error` is the doing of the client: all 4xx, and what says so. */
export function isClientsFault(error: string): boolean {
  if (!Object.hasOwn(REFUSALS, error)) return false;
  const row: RefusalRow = REFUSALS[error as RefusalSlug]; // looked up right before
  return row.status < 500 || row.clientsFault === true;
}

/**
 * The whole HTTP response of a refusal, after which the connection closes. `extra` are further fields with values of
 * our own, such as Retry-After.
 */
export function buildRefusal(
  slug: RefusalSlug,
  requestId: string,
  extra: readonly (readonly [name: string, value: string])[] = [],
): Buffer {
  const row: RefusalRow = REFUSALS[slug];
  if (!isVisible(requestId)) throw new Error('a request id holds visible ASCII only');
  const body = row.plain ?? JSON.stringify({ status: row.status, error: slug, request_id: requestId });
  // RFC 9110 7.8: a 426 names the protocol in Upgrade, and Connection has to list that field.
  const connection = slug === 'upgrade_required' ? 'Upgrade, close' : 'close';
  const lines = [`HTTP/1.1 ${row.status} ${statusPhrase(row.status)}`];
  for (const [name, value] of [...(row.fields ?? []), ...extra]) {
    if (!OWN_VALUE.test(value)) throw new Error(`the value of ${name} must be printable ASCII`);
    lines.push(`${name}: ${value}`);
  }
  lines.push(
    `Content-Type: ${row.plain === undefined ? 'application/json' : 'text/plain'}`,
    `Content-Length: ${body.length}`,
    `Connection: ${connection}`,
    'Cache-Control: no-store',
  );
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

const OWN_VALUE = /^[\x20-\x7e]*$/;
