// Owns the checks within one method of `auth`: keys that need each other, what has no effect, and what is sent where
// others can read it. It must not read files.

import { isLocal } from '../protocol/addresses/bind-address.ts';
import { printable } from './addresses.ts';
import { meet, type ParsedMethod, placeText } from './auth-places.ts';
import { checkTwice } from './check-names.ts';
import type { CrossReport, Written } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import type { ParsedConfig, ServiceUrl } from './types.ts';

type Kinds = { readonly [K in keyof ParsedMethod]-?: NonNullable<ParsedMethod[K]> };
type ParsedTls = NonNullable<ParsedConfig['upstreams'][string]['tls']>;

/** Of a JWK Set, what is for one that is fetched. */
const OF_URL = ['insecure', 'tls', 'refresh', 'cooldown', 'timeout', 'max_size'] as const;
const IN_THE_CLEAR = 'goes to another machine in the clear: https://, or insecure: true';

export function checkMethod(method: ParsedMethod, path: PathSegments, written: Written, report: CrossReport): void {
  for (const [kind, block] of Object.entries(method))
    if (block !== undefined) checkCommon(block, [...path, kind], report);
  const { api_key, jwt, introspection, hmac, forward } = method;
  if (api_key !== undefined) checkDecode(api_key, [...path, 'api_key'], report);
  if (jwt !== undefined) checkJwt(jwt, [...path, 'jwt'], written, report);
  if (introspection !== undefined) checkService(introspection, [...path, 'introspection'], report);
  if (introspection !== undefined) checkDecode(introspection, [...path, 'introspection'], report);
  if (hmac !== undefined) checkHmac(hmac, [...path, 'hmac'], report);
  if (forward !== undefined) checkForward(forward, [...path, 'forward'], report);
}

/** RFC 2104 3: a key as long as the hash; whoever sees one request can try out shorter ones. */
const SECRET_BYTES = 32;
const SHORT_SECRET = `is below ${SECRET_BYTES} bytes: it could be guessed`;

/** Of one method. */
const PLACES_MAX = 16;

type Common = Kinds[keyof Kinds];

function checkCommon(block: Common, path: PathSegments, report: CrossReport): void {
  if (!block.bind && block.grace > 0) report('warning', [...path, 'grace'], 'has no effect: bind is off');
  if (!block.bind && 'recheck' in block && block.recheck !== Number.POSITIVE_INFINITY)
    report('warning', [...path, 'recheck'], 'has no effect: bind is off');
  if (!('from' in block)) return;
  if (block.from.length > PLACES_MAX) {
    report('error', [...path, 'from', PLACES_MAX], `at most ${PLACES_MAX} places are looked at for one handshake`);
    return;
  }
  // Two places that hold one text would be two credentials.
  for (const [at, place] of block.from.entries()) {
    const other = block.from.slice(0, at).find((one) => meet(one, place));
    if (other !== undefined)
      report('error', [...path, 'from', at], `what stands there stands at ${printable(placeText(other))}, too`);
  }
}

function checkDecode(
  { decode, from }: Pick<Kinds['jwt'], 'decode' | 'from'>,
  path: PathSegments,
  report: CrossReport,
): void {
  if (decode !== 'off' && !from.some(({ kind }) => kind === 'subprotocol_prefix'))
    report('error', [...path, 'decode'], 'is for subprotocol_prefix, and from has none');
}

function checkJwt(jwt: Kinds['jwt'], path: PathSegments, { isGiven }: Written, report: CrossReport): void {
  checkDecode(jwt, path, report);
  checkTwice(jwt.algorithms, [...path, 'algorithms'], report);
  checkOne(['secret', 'key', 'jwks'], path, isGiven, report);
  const { jwks } = jwt;
  if (jwks === undefined) return;
  const at = [...path, 'jwks'];
  const { file, url } = jwks;
  checkOne(['file', 'url'], at, isGiven, report);
  if (url !== undefined) checkService({ ...jwks, url }, at, report);
  for (const key of file === undefined || url !== undefined ? [] : OF_URL)
    if (isGiven([...at, key])) report('warning', [...at, key], 'has no effect: it is for a set that is fetched');
}

function checkOne(keys: readonly string[], path: PathSegments, isGiven: Written['isGiven'], report: CrossReport): void {
  const [first, second] = keys.filter((key) => isGiven([...path, key]));
  if (first === undefined) report('error', [...path, keys[0] ?? ''], `one of ${keys.join(', ')} is required`);
  else if (second !== undefined)
    report('error', [...path, second], `${first} is there already: one of both is enough`, 'key');
}

interface Service {
  readonly url: ServiceUrl;
  readonly insecure: boolean;
  readonly tls?: ParsedTls | undefined;
}

function checkService({ url, insecure, tls }: Service, path: PathSegments, report: CrossReport): void {
  const isOpen = isInTheClear(url);
  if (isOpen && !insecure) report('error', [...path, 'url'], IN_THE_CLEAR);
  if (isOpen && insecure) report('warning', [...path, 'insecure'], 'whoever is on the way can answer in its place');
  if (!isOpen && insecure) report('warning', [...path, 'insecure'], 'has no effect: url does not need it');
  checkTls(url, tls, path, report);
}

function checkTls({ endpoint }: ServiceUrl, tls: ParsedTls | undefined, path: PathSegments, report: CrossReport): void {
  if (tls === undefined) return;
  if (!endpoint.secure) report('warning', [...path, 'tls'], 'has no effect: url is http://');
  else if (!tls.verify) report('warning', [...path, 'tls', 'verify'], 'whoever is on the way can answer in its place');
}

function isInTheClear({ endpoint }: ServiceUrl): boolean {
  const { host, port, secure } = endpoint;
  return !secure && !isLocal({ kind: 'tcp', host, port });
}

function checkForward({ url, send, take, tls }: Kinds['forward'], path: PathSegments, report: CrossReport): void {
  checkTwice(send, [...path, 'send'], report);
  checkTwice(take, [...path, 'take'], report);
  checkTls(url, tls, path, report);
  const sent = ['authorization', 'cookie'].filter((name) => send.includes(name));
  if (sent.length > 0 && isInTheClear(url))
    report('warning', [...path, 'url'], `${sent.join(' and ')} of clients go to another machine in the clear`);
}

function checkHmac(hmac: Kinds['hmac'], path: PathSegments, report: CrossReport): void {
  const { keys, algorithms, headers, replay } = hmac;
  for (const [at, { secret }] of keys.entries())
    if (Buffer.byteLength(secret) < SECRET_BYTES) report('warning', [...path, 'keys', at, 'secret'], SHORT_SECRET);
  checkTwice(algorithms, [...path, 'algorithms'], report);
  checkTwice(headers, [...path, 'headers'], report);
  if (!headers.includes('date') && !headers.includes('x-aux-date'))
    report('error', [...path, 'headers'], 'needs date or x-aux-date: nothing else tells how old a signature is');
  if (replay !== 'refuse') return;
  if (!headers.includes('x-nonce'))
    report('error', [...path, 'replay'], 'refuse needs x-nonce among headers: nothing else tells two requests apart');
  report('warning', [...path, 'replay'], 'counts on this machine alone: elsewhere a signature can be used once more');
}
