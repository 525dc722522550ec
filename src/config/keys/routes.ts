// Owns the keys of a route: what it matches, where it leads, and what it overrides.

import { ROUTE_CHECKS, UPSTREAM_CHECKS } from '../../protocol/relax.ts';
import { closeCodes } from './close-codes.ts';
import { headers } from './headers.ts';
import { limits } from './limits.ts';
import { inherited, overrides } from './overrides.ts';
import { record } from './record.ts';
import type { Keys } from './row.ts';
import { timeouts } from './timeouts.ts';

const match = {
  hosts: {
    kind: 'list',
    of: { kind: 'text', form: 'host' },
    values: 'list of hosts',
    unset: 'any',
    example: '[chat.example.com, "*.example.com"]',
    says: 'Host names, "*.example.com" for one label or more before it.',
    more: 'Port, case and a trailing dot of Host are ignored.',
  },
  path: {
    kind: 'text',
    form: 'path',
    values: 'path',
    default: '/*',
    says: '"/x" is exact, "/x/*" is /x and all below it, "{name}" is exactly one whole segment.',
    more: 'Case-sensitive, on the raw path.',
  },
  encoded_slashes: {
    kind: 'choice',
    words: ['refuse', 'keep'],
    default: 'refuse',
    says:
      '%2F and %5C in a path: 400 encoded_path when decoding them leads to another route, or (keep) they end no ' +
      'segment and go on as they came.',
    more: 'With keep the backend must not decode before it routes.',
  },
  listeners: {
    kind: 'list',
    of: { kind: 'text', form: 'plain' },
    values: 'list of names',
    unset: 'all',
    example: '[public]',
    says: 'Names of listeners.',
  },
} as const satisfies Keys;

/** What `defaults` may say for the routes that do not. */
export const shared = {
  allow: {
    kind: 'list',
    of: { kind: 'text', form: 'cidr' },
    or: { word: 'any', problem: 'expected any, a list of address blocks, or {file: path}' },
    file: true,
    values: 'any, list of CIDR blocks, {file}',
    default: 'any',
    example: '[10.0.0.0/8]',
    says: 'Address blocks of the clients that may connect: 403 address_not_allowed for others, and for unix sockets.',
  },
  deny: {
    kind: 'list',
    of: { kind: 'text', form: 'cidr' },
    file: true,
    values: 'list of CIDR blocks, {file}',
    default: [],
    says: 'Address blocks of clients that may not, whatever allow says: 403 address_not_allowed.',
  },
  origins: {
    kind: 'list',
    of: { kind: 'text', form: 'origin' },
    or: { word: 'any', problem: 'expected any, or a list such as [same, https://app.example.com]' },
    values: 'any, list of origins',
    default: 'any',
    example: '[same, https://app.example.com, "https://*.example.com"]',
    serves: 'sockets',
    says:
      'Origins of the pages that may connect, compared by scheme, host and port: 403 origin_not_allowed for others. ' +
      '"*." is one label or more, same is the host and port of Host (of X-Forwarded-Host where the peer is trusted), ' +
      '"null" what has no origin, such as sandboxed frames.',
    without: 'every page in the web can connect with the cookies of whoever visits it',
  },
  missing_origin: {
    kind: 'choice',
    words: ['auto', 'allow', 'refuse'],
    default: 'auto',
    serves: 'sockets',
    says: 'A handshake without Origin, which browsers always send: 403 origin_not_allowed, or let in.',
    more: 'auto refuses those with a credential that browsers add by themselves and a method of the route reads.',
  },
  refuse_with: {
    kind: 'choice',
    words: ['http', 'close'],
    default: 'http',
    serves: 'sockets',
    says:
      'How a client is refused whose head is a legal upgrade: by an HTTP answer, which browsers hide from pages, or ' +
      'by a 101 and a Close whose code and reason pages can read.',
    more: 'Where no route was found, defaults decides.',
  },
  compression: {
    kind: 'choice',
    words: ['passthrough'],
    off: true,
    default: 'passthrough',
    serves: 'sockets',
    says: 'permessage-deflate offers go through as they are (other extensions are removed), or no extension does.',
  },
  subprotocols: {
    kind: 'list',
    of: { kind: 'text', form: 'subprotocol' },
    or: { word: 'any', problem: 'expected any, or a list such as [chat.v1, chat.v2]' },
    values: 'any, list of names',
    default: 'any',
    serves: 'sockets',
    says:
      'Subprotocols that clients may offer, with a "*" at the end all that begin so; others are removed, and 400 ' +
      'when some were offered and none is left.',
  },
  auth: {
    kind: 'list',
    of: { kind: 'text', form: 'auth_name' },
    values: 'list of names of methods, anonymous',
    default: [],
    example: '[partners]',
    says:
      'Methods of auth in the order in which they are tried; none: everybody. anonymous, as the last, lets in who ' +
      'brought nothing.',
  },
  headers: {
    kind: 'block',
    default: {},
    says: 'Fields that are set, and fields that are removed. What framegate sets itself cannot be named.',
    more: 'request and response are each taken whole, of the route or of defaults.',
    keys: headers,
  },
} as const satisfies Keys;

export const route = {
  name: {
    kind: 'text',
    form: 'name',
    values: 'name',
    unset: 'host + path',
    example: 'echo',
    says: 'Name in logs and metrics; unique.',
  },
  match: {
    kind: 'block',
    default: {},
    says:
      'Which requests take this route: exact host before the longest "*." before any host, then literal before ' +
      '{name} before *.',
    keys: match,
  },
  upstream: {
    kind: 'text',
    form: 'plain',
    values: 'name or URL',
    unset: 'none, no WebSockets',
    usual: true,
    example: 'chat',
    says: 'Where WebSockets go: a key of upstreams, or a target URL. A route has this, or http, or both.',
  },
  http: {
    kind: 'text',
    form: 'plain',
    values: 'name or URL',
    unset: 'none, 426 upgrade_required',
    example: 'http://127.0.0.1:3000',
    says: 'Where requests go that ask for no upgrade: a key of upstreams, or a target URL.',
    more: 'Without upstream the route is for them alone, and an upgrade is 404 no_route.',
  },
  rewrite: {
    kind: 'text',
    form: 'plain',
    values: 'path',
    unset: 'unchanged',
    example: '/ws',
    says: 'Path for the backend; a "*" at its end is what followed the prefix of match.path.',
    more: 'The query is kept.',
  },
  limits: { kind: 'block', keys: overrides(limits), default: {}, says: 'Overrides limits for this route, key by key.' },
  timeouts: {
    kind: 'block',
    keys: overrides(timeouts),
    default: {},
    says: 'Overrides timeouts for this route, key by key.',
  },
  close_codes: {
    kind: 'block',
    keys: overrides(closeCodes),
    default: {},
    says: 'Overrides close_codes for this route, key by key.',
  },
  record: {
    kind: 'block',
    keys: record,
    words: ['off'],
    unset: 'that of all routes',
    values: 'map, off',
    example: 'off',
    serves: 'sockets',
    says: 'Overrides record for this route.',
  },
  ...inherited(shared),
  relax: {
    kind: 'list',
    of: {
      kind: 'choice',
      words: ROUTE_CHECKS,
      elsewhere: Object.fromEntries(
        UPSTREAM_CHECKS.map((name) => [
          name,
          `${name} is a check of the backend's 101: it belongs in upstreams.*.relax`,
        ]),
      ),
    },
    values: 'list of key, connection_token',
    default: [],
    serves: 'sockets',
    says:
      'Checks of requests that are switched off, for devices that cannot be mended: key (the length of ' +
      'Sec-WebSocket-Key), connection_token (Connection without "upgrade", but not from trusted proxies).',
    more: 'Each use is counted.',
  },
} as const satisfies Keys;
