// Turns what the schema parsed into the complete, frozen Config: defaults by name, route blocks merged, paths resolved.
// It must not judge: `check.ts` has.

import { parseTargetUrl } from './addresses.ts';
import { endpointName, implicitUpstreamName, listenerName, routeName, targetName } from './names.ts';
import { pathText } from './problems.ts';
import { resolvePath } from './substitute.ts';
import type {
  AdminConfig,
  CloseCodes,
  Config,
  DirectionLimits,
  Endpoint,
  Limits,
  ListenerConfig,
  ParsedConfig,
  RouteConfig,
  TlsConfig,
  UpstreamConfig,
} from './types.ts';

/** What a Config does not hold itself, kept beside it for `renderConfig` and `wasGiven`. */
export interface Origin {
  /** Paths of all keys that the config named. */
  readonly given: ReadonlySet<string>;
  /** Paths whose text came through `{file: path}`. */
  readonly secrets: ReadonlySet<string>;
  /** Text of keys that hold file names, by path: the Config has the contents. */
  readonly files: ReadonlyMap<string, string>;
}

interface BuildContext {
  readonly baseDir: string;
  readonly origin: Origin;
  readonly tls: ReadonlyMap<string, TlsConfig>;
}

const ORIGIN = Symbol('framegate.config.origin');
const NO_ORIGIN: Origin = { given: new Set(), secrets: new Set(), files: new Map() };

type ParsedRoute = ParsedConfig['routes'][number];
type LimitOverrides = ParsedRoute['limits'];
type DirectionInput = ParsedConfig['limits']['from_client'];

const KIB = 1024;
/** One fragment per KiB of the largest message, and never fewer than this. */
const FRAGMENTS_MIN = 1024;
/** What is shown instead of a text that came from a file. */
export const SECRET = '***';
/** Who may connect to it may stop the process: nobody but its own user. */
const ADMIN_SOCKET_MODE = 0o600;

export function buildConfig(parsed: ParsedConfig, context: BuildContext): Config {
  const upstreams: Record<string, UpstreamConfig> = Object.create(null);
  for (const [name, upstream] of Object.entries(parsed.upstreams)) {
    upstreams[name] = buildUpstream(name, upstream, context);
  }
  for (const { upstream } of parsed.routes) {
    if (upstreams[upstream] !== undefined) continue;
    // A URL stands for an upstream of its own.
    upstreams[implicitUpstreamName(upstream)] = implicitUpstream(upstream, context.baseDir);
  }
  const config: Config = {
    listeners: parsed.listeners.map((listener) => buildListener(listener, context.baseDir)),
    trusted_proxies: parsed.trusted_proxies,
    routes: parsed.routes.map((route) => buildRoute(route, parsed)),
    upstreams,
    limits: mergeLimits(parsed.limits, { from_client: {}, from_backend: {} }),
    timeouts: parsed.timeouts,
    close_codes: mergeCodes(parsed.close_codes, {}),
    drain: parsed.drain,
    reload: parsed.reload,
    admin: parsed.admin === undefined ? null : buildAdmin(parsed.admin, context.baseDir),
    log: parsed.log,
  };
  return freeze(withOrigin(config, context.origin));
}

/** `config` itself, not frozen yet. */
export function withOrigin(config: Config, origin: Origin): Config {
  return Object.defineProperty(config, ORIGIN, { value: origin });
}

export function originOf(config: Config): Origin {
  // A symbol of this module: only buildConfig sets it, and always to an Origin.
  return (config as Config & { readonly [ORIGIN]?: Origin })[ORIGIN] ?? NO_ORIGIN;
}

/** True when the config named this key (`limits.max_sessions`) and did not leave it to its default. */
export function wasGiven(config: Config, path: string): boolean {
  return originOf(config).given.has(path);
}

function buildListener(listener: ParsedConfig['listeners'][number], baseDir: string): ListenerConfig {
  const { bind, text } = listener.address;
  const address =
    bind.kind === 'unix'
      ? { kind: 'unix' as const, path: resolvePath(baseDir, bind.path), mode: listener.mode ?? null }
      : bind;
  return {
    name: listenerName(listener),
    address,
    address_text: text,
    backlog: listener.backlog,
    health_path: listener.health_path,
    paths: listener.paths,
  };
}

function buildAdmin(admin: NonNullable<ParsedConfig['admin']>, baseDir: string): AdminConfig {
  const { bind, text } = admin.address;
  const address =
    bind.kind === 'unix'
      ? { kind: 'unix' as const, path: resolvePath(baseDir, bind.path), mode: ADMIN_SOCKET_MODE }
      : bind;
  return { address, address_text: text, token: admin.token, hosts: admin.hosts, public: admin.public };
}

function buildRoute(route: ParsedRoute, parsed: ParsedConfig): RouteConfig {
  return {
    name: routeName(route),
    match: {
      hosts: route.match.hosts ?? [],
      path: route.match.path.text,
      encoded_slashes: route.match.encoded_slashes,
      listeners: route.match.listeners ?? [],
    },
    upstream: parsed.upstreams[route.upstream] === undefined ? implicitUpstreamName(route.upstream) : route.upstream,
    rewrite: route.rewrite ?? null,
    limits: mergeLimits(parsed.limits, route.limits),
    own_max_sessions: route.limits.max_sessions ?? Number.POSITIVE_INFINITY,
    own_max_sessions_per_ip: route.limits.max_sessions_per_ip ?? Number.POSITIVE_INFINITY,
    own_handshakes_per_second_per_ip: route.limits.handshakes_per_second_per_ip ?? Number.POSITIVE_INFINITY,
    timeouts: { ...parsed.timeouts, ...defined(route.timeouts) },
    close_codes: mergeCodes(parsed.close_codes, route.close_codes),
    compression: route.compression,
    subprotocols: route.subprotocols,
    relax: route.relax,
  };
}

function mergeLimits(whole: ParsedConfig['limits'], own: LimitOverrides): Limits {
  return {
    max_head_size: whole.max_head_size,
    max_target_size: whole.max_target_size,
    max_header_fields: whole.max_header_fields,
    max_early_bytes: own.max_early_bytes ?? whole.max_early_bytes,
    max_sessions: whole.max_sessions,
    max_handshakes: whole.max_handshakes,
    max_waiting_handshakes: whole.max_waiting_handshakes,
    handshakes_per_second: whole.handshakes_per_second,
    handshake_burst: burstOf(whole.handshakes_per_second, whole.handshake_burst),
    max_sessions_per_ip: whole.max_sessions_per_ip,
    handshakes_per_second_per_ip: whole.handshakes_per_second_per_ip,
    max_buffered: own.max_buffered ?? whole.max_buffered,
    max_buffered_total: whole.max_buffered_total,
    from_client: mergeDirection(whole.from_client, own.from_client),
    from_backend: mergeDirection(whole.from_backend, own.from_backend),
  };
}

function mergeDirection(whole: DirectionInput, own: LimitOverrides['from_client']): DirectionLimits {
  const message = own.max_message_size ?? whole.max_message_size;
  const frame = own.max_frame_size ?? whole.max_frame_size;
  const fragments = own.max_fragments ?? whole.max_fragments;
  const messages = own.messages_per_second ?? whole.messages_per_second;
  const bytes = own.bytes_per_second ?? whole.bytes_per_second;
  const controls = own.control_frames_per_second ?? whole.control_frames_per_second;
  const auto = Math.max(FRAGMENTS_MIN, Math.ceil(message / KIB));
  return {
    max_message_size: message,
    max_frame_size: Math.min(frame, message),
    max_fragments: fragments === 'auto' ? auto : fragments,
    messages_per_second: messages,
    message_burst: burstOf(messages, own.message_burst ?? whole.message_burst),
    bytes_per_second: bytes,
    byte_burst: burstOf(bytes, own.byte_burst ?? whole.byte_burst),
    control_frames_per_second: controls,
    control_frame_burst: burstOf(controls, own.control_frame_burst ?? whole.control_frame_burst),
    on_rate_exceeded: own.on_rate_exceeded ?? whole.on_rate_exceeded,
    validate_utf8: own.validate_utf8 ?? whole.validate_utf8,
  };
}

/** Twice the rate, at least 1, unless the config says otherwise; a rate that is off has no burst. */
function burstOf(rate: number, given: number | undefined): number {
  if (rate === Number.POSITIVE_INFINITY) return rate;
  return given ?? Math.max(1, 2 * rate);
}

function mergeCodes(whole: Readonly<Record<string, number | undefined>>, own: typeof whole): CloseCodes {
  const merged: Record<string, number> = Object.create(null);
  return Object.assign(merged, defined(whole), defined(own));
}

function buildUpstream(
  name: string,
  upstream: ParsedConfig['upstreams'][string],
  context: BuildContext,
): UpstreamConfig {
  const { host } = upstream;
  const { secrets } = context.origin;
  const shown = (text: string, index: number): string =>
    secrets.has(pathText(['upstreams', name, 'targets', index, 'url'])) ? SECRET : text;
  return {
    name,
    targets: upstream.targets.map((target, index) => ({
      name: targetName(target),
      url: shown(target.url.text, index),
      endpoint: resolveEndpoint(target.url.endpoint, context.baseDir),
      weight: target.weight,
      max_sessions: target.max_sessions,
    })),
    host: host === 'client' || host === 'target' ? host : { literal: host },
    balance: upstream.balance,
    max_handshakes: upstream.max_handshakes,
    retries: upstream.retries,
    local_addresses: upstream.local_addresses,
    max_head_size: upstream.max_head_size,
    relax: upstream.relax,
    tls: context.tls.get(name) ?? null,
  };
}

/** What `upstreams.NAME: { targets: [{ url }] }` would be. `url` has passed the checks. */
function implicitUpstream(url: string, baseDir: string): UpstreamConfig {
  const parsed = parseTargetUrl(url);
  const endpoint = 'value' in parsed ? parsed.value : ({ kind: 'echo' } as const);
  const target = {
    name: endpointName(endpoint),
    url,
    endpoint: resolveEndpoint(endpoint, baseDir),
    weight: 1,
    max_sessions: Number.POSITIVE_INFINITY,
  };
  return {
    name: implicitUpstreamName(url),
    targets: [target],
    host: 'client',
    balance: 'least_sessions',
    max_handshakes: { percent: 75 },
    retries: 2,
    local_addresses: [],
    max_head_size: 16 * KIB,
    relax: [],
    tls: null,
  };
}

function resolveEndpoint(endpoint: Endpoint, baseDir: string): Endpoint {
  return endpoint.kind === 'unix' ? { ...endpoint, path: resolvePath(baseDir, endpoint.path) } : endpoint;
}

function defined<T extends object>(block: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // Keys that were left out are absent or undefined; spreading an undefined would hide the default.
  return Object.fromEntries(Object.entries(block).filter(([, value]) => value !== undefined)) as never;
}

/** Deeply; bytes are left alone, they cannot be frozen. */
export function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    if (typeof child === 'object' && child !== null && !ArrayBuffer.isView(child)) freeze(child);
  }
  return Object.freeze(value);
}
