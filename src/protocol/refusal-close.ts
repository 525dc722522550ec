// Which close code stands for a refusal where a page is to read it: a browser tells its page nothing of an HTTP answer.
// And which refusals are told so at all. It sends nothing.

import { REFUSALS, type RefusalSlug } from './refusals.ts';

/** By the status of the HTTP answer; 1008 (policy) for all others. */
const CODES: ReadonlyMap<number, number> = new Map([
  [401, 3000],
  [403, 3003],
  [404, 4404],
  [429, 1013],
  [502, 1014],
  [503, 1013],
  [504, 1014],
]);
const POLICY = 1008;
const TRY_AGAIN_LATER = 1013;
const BAD_GATEWAY = 1014;
/** RFC 6455 7.4.2: for private use. */
const PRIVATE = 4000;

/** By HTTP always: a flood is not to cost a WebSocket each. */
const BY_HTTP: ReadonlySet<string> = new Set<RefusalSlug>([
  'too_many_sessions',
  'too_many_handshakes',
  'overload',
  'draining',
]);

/** Why a handshake is refused: one of our slugs, or `backend_refused` where a backend did. */
export type RefusalCause = RefusalSlug | 'backend_refused';

/** Those of them that a complete upgrade can meet with, and a Close tells: `close_codes` takes them. */
export const READABLE_REFUSALS = [
  'loop',
  'no_route',
  'misdirected',
  'encoded_path',
  'dot_segment',
  'double_slash',
  'target_too_long',
  'address_not_allowed',
  'origin_not_allowed',
  'subprotocol',
  'multiple_credentials',
  'unauthorized',
  'scope_missing',
  'too_many_sessions_per_identity',
  'too_many_handshakes_per_identity',
  'quota_used',
  'too_many_auth_failures',
  'auth_unavailable',
  'too_many_sessions_per_ip',
  'too_many_handshakes_per_ip',
  'no_target',
  'no_local_port',
  'no_descriptor',
  'backend_dns',
  'backend_unreachable',
  'backend_tls',
  'backend_handshake',
  'backend_timeout',
  'backend_refused',
  'internal_error',
] as const satisfies readonly RefusalCause[];

export function isReadable(slug: RefusalSlug): boolean {
  return !BY_HTTP.has(slug);
}

export function refusalCode(slug: RefusalSlug): number {
  return CODES.get(REFUSALS[slug].status) ?? POLICY;
}

/** Of a backend's own refusal. */
export function backendRefusalCode(status: number): number {
  if (status === 429 || status === 503) return TRY_AGAIN_LATER;
  return status >= 500 ? BAD_GATEWAY : PRIVATE + status;
}
