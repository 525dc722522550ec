// Owns the schema of the config file. It must not read files, environment or clock.

import type * as zod from 'zod';
import { familyOf } from '../protocol/addresses/ip-address.ts';
import { isHostname, parseBlock, parseHostLiteral, parseListenAddress, parseTargetUrl } from './addresses.ts';
import { BALANCES, LATER_BALANCES } from './balances.ts';
import { closeCodes } from './close-code-keys.ts';
import { limitOverrides, limits, timeoutOverrides, timeouts } from './limit-keys.ts';
import { listenerPaths, match } from './path-keys.ts';
import { admin, drain, healthPath, log, reload } from './process-keys.ts';
import { routeRelax, upstreamRelax } from './relax-keys.ts';
import {
  choice,
  choiceOff,
  count,
  countOr,
  countOrShare,
  documented,
  MAP_KEY,
  nameText,
  parsedText,
  size,
  subprotocolText,
} from './scalars.ts';
import { z } from './zod.ts';

const SESSIONS_MAX = 10_000_000;

const MODE_PROBLEM = 'expected three octal digits in quotes, such as "0660"';

const listener = z.strictObject({
  name: documented(nameText(), 'Name in routes, logs and metrics; unique.', {
    type: 'name',
    default: 'the address',
  }).optional(),
  address: documented(
    parsedText((text) => {
      const parsed = parseListenAddress(text);
      return 'problem' in parsed ? parsed : { value: { text, bind: parsed.value } };
    }),
    'host:port, "[v6]:port", ":port" for all addresses, or unix:/path.sock. Port 0 takes any free port.',
    { type: 'address' },
  ).prefault('127.0.0.1:8080'),
  mode: documented(
    z
      .string({ error: MODE_PROBLEM })
      .regex(/^0?[0-7]{3}$/, { error: MODE_PROBLEM })
      .transform((text) => Number.parseInt(text, 8)),
    'Permissions of a unix socket, such as "0660".',
    { type: 'octal text', default: "the process's umask" },
  ).optional(),
  backlog: count(
    'Connections that the kernel holds until they are accepted. Without it a burst of clients is refused or unbounded.',
    1,
    65_535,
  ).prefault(4096),
  health_path: healthPath.prefault('off'),
  paths: listenerPaths,
});

const SUBPROTOCOLS_PROBLEM = 'expected any, or a list such as [chat.v1, chat.v2]';

const route = z.strictObject({
  name: documented(nameText(), 'Name in logs and metrics; unique.', {
    type: 'name',
    default: 'host + path',
  }).optional(),
  match,
  upstream: documented(z.string(), 'A key of upstreams, or a target URL.', {
    type: 'name or URL',
    default: 'required',
  }),
  rewrite: documented(
    z.string(),
    'Path for the backend; a "*" at its end is what followed the prefix of match.path. The query is kept.',
    {
      type: 'path',
      default: 'unchanged',
    },
  ).optional(),
  limits: documented(limitOverrides, 'Overrides limits for this route, key by key.', { type: 'map' }).prefault({}),
  timeouts: documented(timeoutOverrides, 'Overrides timeouts for this route, key by key.', { type: 'map' }).prefault(
    {},
  ),
  close_codes: documented(closeCodes, 'Overrides close_codes for this route, key by key.', { type: 'map' }),
  compression: choiceOff(
    'permessage-deflate offers go through as they are (other extensions are removed), or no extension does.',
    ['passthrough'],
  ).prefault('passthrough'),
  subprotocols: documented(
    z.union([z.literal('any'), z.array(subprotocolText())], {
      error: (issue) => (Array.isArray(issue.input) ? undefined : SUBPROTOCOLS_PROBLEM),
    }),
    'Subprotocols that clients may offer, with a "*" at the end all that begin so; others are removed, and 400 when ' +
      'some were offered and none is left.',
    { type: 'any, list of names' },
  ).prefault('any'),
  relax: routeRelax.prefault([]),
});

const target = z.strictObject({
  name: documented(nameText(), 'Name in logs and metrics; unique in its upstream.', {
    type: 'name',
    default: 'host:port',
  }).optional(),
  url: documented(
    parsedText((text) => {
      const parsed = parseTargetUrl(text);
      return 'problem' in parsed ? parsed : { value: { text, endpoint: parsed.value } };
    }),
    'ws://, wss://, http:// or https://host:port/base, ws+unix:/path.sock:/base, or builtin:echo for trying out. ' +
      'One from a file needs a name beside it.',
    { type: 'URL', default: 'required' },
  ),
  weight: count('Share of new sessions, relative to the other targets.', 1, 256).prefault(1),
  max_sessions: countOr(
    'Sessions on this target at a time; when all are full, 503. Without it one surge takes a backend down.',
    1,
    SESSIONS_MAX,
    ['off'],
  ).prefault('off'),
});

const filePath = (description: string) =>
  documented(z.string().min(1, { error: 'expected the path of a PEM file' }), description, {
    type: 'file',
    default: 'none',
  }).optional();

const tls = documented(
  z.strictObject({
    ca: filePath("PEM file of the authorities to trust instead of the system's."),
    cert: filePath('PEM file with the client certificate and its chain.'),
    key: filePath('PEM file with the key of cert.'),
    server_name: documented(
      parsedText((text) =>
        isHostname(text) && familyOf(text) === 0
          ? { value: text }
          : { problem: 'expected a host name: SNI carries no address (RFC 6066 3)' },
      ),
      "Name to ask for and to verify, instead of the URL's.",
      { type: 'host', default: 'the host of the url' },
    ).optional(),
    verify: documented(
      z.boolean(),
      'Whether the certificate must be valid. Without it anyone on the way can read and change everything.',
      {
        type: 'true, false',
      },
    ).prefault(true),
  }),
  'TLS towards wss:// and https:// targets.',
  { type: 'map', default: 'verify with the system authorities' },
).optional();

const INSTEAD = `expected one of ${BALANCES.join(', ')}`;
const LATER_BALANCE = Object.fromEntries(LATER_BALANCES.map((name) => [name, INSTEAD]));

const upstream = z.strictObject({
  targets: documented(z.array(target).min(1, { error: 'needs at least one target' }), 'Backends of this upstream.', {
    type: 'list',
    default: 'required',
  }),
  host: documented(
    parsedText((text) => (text === 'client' || text === 'target' ? { value: text } : parseHostLiteral(text))),
    "Host sent to the backend: the client's, the target's host:port, or a literal.",
    { type: 'client, target, host' },
  ).prefault('client'),
  balance: choice('How a target is chosen, by weight.', BALANCES, LATER_BALANCE).prefault('least_sessions'),
  max_handshakes: countOrShare(
    'Of limits.max_handshakes those that may wait for this upstream at a time, a share being all with one upstream; ' +
      'above it they wait for their turn. Without it one silent backend refuses the clients of all others.',
    1,
    SESSIONS_MAX,
  ).prefault('75%'),
  retries: count(
    'More targets tried after a failed dial, each once, never after a byte of the request was sent. ' +
      'Without it one dead target fails its share of clients.',
    0,
    255,
  ).prefault(2),
  local_addresses: documented(
    z.array(parsedText((text) => (familyOf(text) === 0 ? { problem: 'expected an IP address' } : { value: text }))),
    'Source addresses used in turn; each carries about 28000 sessions to one target.',
    { type: 'list of addresses', default: "the system's choice" },
  ).prefault([]),
  max_head_size: size(
    "Status line and header fields of a backend's answer; over it 502. Without it one answer fills the memory.",
    { min: 64, max: 1024 * 1024, off: false },
  ).prefault('16KiB'),
  relax: upstreamRelax.prefault([]),
  tls,
});

const MAP_KEY_PROBLEM =
  'a name here begins with a letter or digit and has at most 64 letters, digits, ".", "_" and "-"';

/** The config file. `zod.input` of it is what people write, `zod.output` is what `build.ts` completes. */
export const configSchema = z.strictObject({
  listeners: documented(z.array(listener).min(1, { error: 'needs at least one listener' }), 'Where clients connect.', {
    type: 'list',
    default: 'one on 127.0.0.1:8080',
  }).prefault([{}]),
  trusted_proxies: documented(
    z.array(parsedText(parseBlock)),
    'Address blocks whose X-Forwarded-* and X-Request-ID are believed.',
    { type: 'list of CIDR blocks' },
  ).prefault([]),
  routes: documented(z.array(route).min(1, { error: 'needs at least one route' }), 'Which request goes where.', {
    type: 'list',
    default: 'required',
  }),
  upstreams: documented(
    z.record(z.string().regex(MAP_KEY, { error: MAP_KEY_PROBLEM }), upstream),
    'Groups of backends, by name.',
    { type: 'map' },
  ).prefault({}),
  limits,
  timeouts,
  close_codes: closeCodes,
  drain,
  reload,
  admin,
  log,
});

/** A config in the form of the file, for `createProxy`. */
export type ConfigInput = zod.input<typeof configSchema>;
/** What the schema makes of it: values parsed, defaults in place, nothing merged yet. */
export type ParsedConfig = zod.output<typeof configSchema>;
