// Every field name that framegate reads, sets or removes, in lower case, and to whom the field belongs: to one hop, to
// both ends, or to the proxies between them. It reads no values and judges no message.

/** RFC 9110 7.6.1, with the older names that proxies have always removed, and RFC 9113's leftover of h2c. */
const HOP_BY_HOP = [
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const;

/** What a request is judged, routed or logged by, and what its backend gets from us. */
const REQUEST = [
  'authorization',
  'content-length',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'origin',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'user-agent',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-framegate-session',
  'x-real-ip',
  'x-request-id',
] as const;

/** What is read of answers, and what ours hold. */
const RESPONSE = [
  'allow',
  'alt-svc',
  'cache-control',
  'content-encoding',
  'content-security-policy',
  'content-type',
  'cross-origin-resource-policy',
  'date',
  'location',
  'retry-after',
  'sec-websocket-accept',
  'www-authenticate',
  'x-content-type-options',
] as const;

/** Where content delivery networks, clouds, proxies and servers look for the client's address. */
const CLIENT_ADDRESS = [
  'ali-cdn-real-ip',
  'cdn-real-ip',
  'cdn-src-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'client-ip',
  'cloudfront-viewer-address',
  'do-connecting-ip',
  'eo-connecting-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'forwarded',
  'forwarded-for',
  'incap-client-ip',
  'proxy-client-ip',
  'remote-addr',
  'true-client-ip',
  'wl-proxy-client-ip',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-external-address',
  'x-envoy-internal',
  'x-nf-client-connection-ip',
  'x-original-forwarded-for',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-sucuri-clientip',
  'x-vercel-forwarded-for',
  'x-vercel-proxied-for',
] as const;

/** Where a proxy that signs users in, or ends TLS, says who they are. RFC 9440 for the last but one. */
const CLIENT_IDENTITY = [
  'client-cert',
  'client-cert-chain',
  'remote-email',
  'remote-groups',
  'remote-name',
  'remote-user',
  'ssl-client-cert',
  'x-arr-clientcert',
  'x-authenticated-user',
  'x-client-cert',
  'x-remote-group',
  'x-remote-groups',
  'x-remote-user',
] as const;

/** What a proxy says of the request as it was before: scheme, port, target, method. */
const CLIENT_REQUEST = [
  'cloudfront-forwarded-proto',
  'fastly-ssl',
  'front-end-https',
  'wl-proxy-ssl',
  'x-arr-ssl',
  'x-client-port',
  'x-envoy-original-path',
  'x-forwarded',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-method',
  'x-original-proto',
  'x-original-uri',
  'x-original-url',
  'x-real-port',
  'x-rewrite-url',
  'x-scheme',
  'x-url-scheme',
] as const;

/** Families of the same three kinds, by how their names begin. */
const CLAIM_PREFIXES = [
  'fly-forwarded-',
  'tailscale-user-',
  'x-amzn-mtls-',
  'x-amzn-oidc-',
  'x-auth-request-',
  'x-authentik-',
  'x-forwarded-',
  'x-goog-authenticated-user-',
  'x-ms-client-principal',
  'x-remote-extra-',
  'x-ssl-client-',
  'x-webauth-',
] as const;

/** What our request to a backend says in any case, and what it never does; those of one hop besides. */
const OWN_REQUEST: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'forwarded',
  'host',
  'via',
  'x-forwarded',
]);
const FRAMEGATE_PREFIX = 'x-framegate-';
const OWN_PREFIXES = ['x-forwarded-', FRAMEGATE_PREFIX] as const;

const HANDSHAKE_PREFIX = 'sec-websocket-';
const SAFE_NAME = /^[a-z0-9-]+$/;

/** What may be read or set: other names do not compile. */
export type FieldName = (typeof HOP_BY_HOP)[number] | (typeof REQUEST)[number] | (typeof RESPONSE)[number];

const hopByHop: ReadonlySet<string> = new Set(HOP_BY_HOP);
const endToEnd: ReadonlySet<string> = new Set([...REQUEST, ...RESPONSE]);
const claims: ReadonlySet<string> = new Set([...CLIENT_ADDRESS, ...CLIENT_IDENTITY, ...CLIENT_REQUEST]);

export function isHopByHop(lower: string): boolean {
  return hopByHop.has(lower);
}

/** Only a proxy may claim this of a client: believed from trusted ones, removed from all other requests. */
export function isProxyClaim(lower: string): boolean {
  return claims.has(lower) || CLAIM_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** The same for what a backend gets from us in any case: the client's own is put in its place. */
export function isReplacedClaim(lower: string): boolean {
  return lower === 'x-real-ip' || lower === 'x-request-id';
}

/** Nobody but framegate sets or removes this in a request to a backend. */
export function isOwnRequestField(lower: string): boolean {
  if (isOwnField(lower) || isReplacedClaim(lower) || OWN_REQUEST.has(lower)) return true;
  return OWN_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** The same for our 101 to a client. RFC 9110 8.6: that has no Content-Length. */
export function isOwnAnswerField(lower: string): boolean {
  return isOwnField(lower) || lower === 'content-length' || lower.startsWith(FRAMEGATE_PREFIX);
}

function isOwnField(lower: string): boolean {
  return isHopByHop(lower) || lower.startsWith(HANDSHAKE_PREFIX);
}

/**
 * Whether a proxy in front may name the client in a field of this name: none that means something else, or whose value
 * is ours. X-Real-IP is read before it is replaced.
 */
export function mayNameClient(lower: string): boolean {
  if (lower === 'x-real-ip') return true;
  if (!isSafeName(lower) || isHopByHop(lower) || lower.startsWith(HANDSHAKE_PREFIX)) return false;
  return !endToEnd.has(lower) || lower === 'x-forwarded-for' || lower === 'forwarded';
}

/** Backends that map names to variables make `_` and `.` the same as `-`: a second spelling of our own fields. */
export function isSafeName(lower: string): boolean {
  return SAFE_NAME.test(lower);
}

/** RFC 9110 7.6.1: meant for whoever gets the message in the end, so no Connection may name it. */
export function isKnownEndToEnd(lower: string): boolean {
  return endToEnd.has(lower) || lower.startsWith(HANDSHAKE_PREFIX) || isProxyClaim(lower);
}
