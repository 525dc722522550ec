// Owns the shape of a loaded config (types) and of the config file (schema).
// It must not read files, environment or clock.

import { isIP } from 'node:net';
import type * as zod from 'zod';
import type { RouteCheck, UpstreamCheck } from '../protocol/relax.ts';
import { isHostname, parseCidr, parseHostLiteral, parseListenAddress, parseTargetUrl } from './addresses.ts';
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
import type { CountOrShare } from './shares.ts';
import { z } from './zod.ts';

/** What a session's backend is reached by. `base` goes before the request's path and never ends in a slash. */
export type Endpoint =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly secure: boolean;
      readonly base: string;
    }
  | { readonly kind: 'unix'; readonly path: string; readonly base: string }
  | { readonly kind: 'echo' };

/** Where a listener binds. An empty `host` means every address of the machine. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number | null };

export interface ListenerConfig {
  readonly name: string;
  readonly address: ListenAddress;
  readonly address_text: string;
  readonly backlog: number;
  /** A GET of exactly this path without Upgrade asks for health; null when nothing does. */
  readonly health_path: string | null;
  readonly paths: { readonly leading_slashes: 'refuse' | 'merge' };
}

/** Limits of one direction. Sizes in bytes; Infinity is `off`, also for the burst of a rate that is off. */
export interface DirectionLimits {
  readonly max_message_size: number;
  readonly max_frame_size: number;
  readonly max_fragments: number;
  /** Rates may have up to three decimals, and so may bursts. */
  readonly messages_per_second: number;
  readonly message_burst: number;
  readonly bytes_per_second: number;
  readonly byte_burst: number;
  readonly control_frames_per_second: number;
  readonly control_frame_burst: number;
  readonly on_rate_exceeded: 'close' | 'pause' | 'drop';
  readonly validate_utf8: boolean;
}

export interface Limits {
  readonly max_head_size: number;
  readonly max_target_size: number;
  readonly max_header_fields: number;
  readonly max_early_bytes: number;
  /** Always the global cap, also in a route's merged limits: a route's own is `own_max_sessions`. */
  readonly max_sessions: number;
  readonly max_handshakes: number;
  readonly max_waiting_handshakes: number;
  readonly handshakes_per_second: number;
  readonly handshake_burst: number;
  /** As with `max_sessions`: a route's own are `own_max_sessions_per_ip` and `own_handshakes_per_second_per_ip`. */
  readonly max_sessions_per_ip: number;
  readonly handshakes_per_second_per_ip: number;
  readonly max_buffered: number;
  readonly max_buffered_total: number;
  readonly from_client: DirectionLimits;
  readonly from_backend: DirectionLimits;
}

/** Milliseconds; Infinity is `off`. */
export interface Timeouts {
  readonly handshake: number;
  readonly connect: number;
  readonly upgrade: number;
  readonly open: number;
  readonly idle: number;
  readonly message_stall: number;
  readonly write_stall: number;
  readonly slow_reader: number;
  readonly close: number;
  readonly client_ping_interval: number;
  readonly backend_ping_interval: number;
  readonly pong: number;
  readonly lifetime: number;
}

/** Close codes sent to the client instead of the standard ones, by cause; only what the config sets. No prototype. */
export type CloseCodes = Readonly<Record<string, number>>;

export interface RouteConfig {
  readonly name: string;
  /** Empty `hosts` match any Host, empty `listeners` any listener. Hosts are lower-case, without a trailing dot. */
  readonly match: {
    readonly hosts: readonly string[];
    readonly path: string;
    readonly encoded_slashes: 'refuse' | 'keep';
    readonly listeners: readonly string[];
  };
  /** A key of `upstreams`. */
  readonly upstream: string;
  readonly rewrite: string | null;
  readonly limits: Limits;
  /** What this route's limits say of these keys: they hold on this route alone, besides the global ones. */
  readonly own_max_sessions: number;
  readonly own_max_sessions_per_ip: number;
  readonly own_handshakes_per_second_per_ip: number;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  readonly compression: 'passthrough' | 'off';
  readonly subprotocols: 'any' | readonly string[];
  readonly relax: readonly RouteCheck[];
}

export interface TargetConfig {
  readonly name: string;
  /** For people: `***` when it came from a file. */
  readonly url: string;
  readonly endpoint: Endpoint;
  readonly weight: number;
  readonly max_sessions: number;
}

export interface TlsConfig {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  readonly server_name: string | null;
  readonly verify: boolean;
}

export interface UpstreamConfig {
  readonly name: string;
  readonly targets: readonly TargetConfig[];
  readonly host: 'client' | 'target' | { readonly literal: string };
  readonly balance: 'least_sessions' | 'round_robin';
  /** Of `limits.max_handshakes`; a share is all of them while there is one upstream only. */
  readonly max_handshakes: CountOrShare;
  readonly retries: number;
  readonly local_addresses: readonly string[];
  readonly max_head_size: number;
  readonly relax: readonly UpstreamCheck[];
  readonly tls: TlsConfig | null;
}

/** Milliseconds. delay + grace + spread < timeout. */
export interface DrainConfig {
  readonly delay: number;
  readonly grace: number;
  readonly spread: number;
  readonly timeout: number;
}

/** `max_ended`: a share from 0 to 1, Infinity for off. */
export interface ReloadConfig {
  readonly max_ended: number;
}

export interface AdminConfig {
  /** A unix socket is for the own user only. */
  readonly address: ListenAddress;
  readonly address_text: string;
  /** Never null when the address is neither loopback nor a unix socket. */
  readonly token: string | null;
  /** Lower-case, without a trailing dot. */
  readonly hosts: readonly string[];
  readonly public: readonly ('health' | 'metrics')[];
}

export interface LogConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'auto' | 'json' | 'pretty';
  readonly query: 'off' | 'names';
  readonly path: 'full' | 'route';
  readonly session_open: 'debug' | 'info';
  /** Infinity is `off`. */
  readonly lines_per_second: number;
}

export interface Config {
  readonly listeners: readonly ListenerConfig[];
  readonly trusted_proxies: readonly string[];
  readonly routes: readonly RouteConfig[];
  /** No prototype: a look-up by any name is safe. */
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly close_codes: CloseCodes;
  readonly drain: DrainConfig;
  readonly reload: ReloadConfig;
  /** Null: no admin listener. */
  readonly admin: AdminConfig | null;
  readonly log: LogConfig;
}

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
        isHostname(text) && isIP(text) === 0
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

const BALANCES = ['least_sessions', 'round_robin'] as const;
const INSTEAD = `expected one of ${BALANCES.join(', ')}`;
const LATER_BALANCE = { random_two: INSTEAD, source_ip: INSTEAD, hash: INSTEAD };

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
    z.array(parsedText((text) => (isIP(text) === 0 ? { problem: 'expected an IP address' } : { value: text }))),
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
    z.array(
      parsedText((text) => {
        const parsed = parseCidr(text);
        return 'problem' in parsed ? parsed : { value: `${parsed.value.address}/${parsed.value.prefix}` };
      }),
    ),
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
