// Turns what the schema parsed into the complete, frozen Config: names made, route blocks merged, paths resolved.
// It must not judge: `check.ts` has.

import assert from 'node:assert/strict';
import type { BindAddress } from '../protocol/addresses/bind-address.ts';
import type { AddressLists } from './address-lists.ts';
import { defaultPort, parseTargetUrl } from './addresses.ts';
import { buildAuth } from './build-auth.ts';
import { goneRules } from './gone-targets.ts';
import type { LoadedAuth } from './load-auth.ts';
import type { LoadedTls } from './load-tls.ts';
import {
  completeLimits,
  completeTimeouts,
  mergeCodes,
  mergeHeaders,
  mergeLimits,
  mergeTimeouts,
  ownLimits,
  sharedKeys,
} from './merge.ts';
import { implicitUpstreamName, listenerName, routeName, targetName } from './names.ts';
import { type Origin, withOrigin } from './origin.ts';
import { pathText } from './problems.ts';
import { defaultUpstream } from './schema.ts';
import { SECRET } from './secret-file.ts';
import { checkTypeOf, servedBy } from './served.ts';
import { resolvePath } from './substitute.ts';
import type {
  AdminConfig,
  BalanceConfig,
  Config,
  DiscoverConfig,
  Endpoint,
  HealthConfig,
  Limits,
  ListenAddress,
  ListenerConfig,
  ParsedConfig,
  ParsedShared,
  RouteConfig,
  SharedKeys,
  Timeouts,
  UpstreamConfig,
} from './types.ts';

interface BuildContext {
  readonly baseDir: string;
  readonly origin: Origin;
  readonly tls: LoadedTls;
  readonly auth: LoadedAuth;
  readonly lists: AddressLists;
}

type ParsedRoute = ParsedConfig['routes'][number];
type ParsedUpstream = ParsedConfig['upstreams'][string];
type ParsedDiscovery = NonNullable<ParsedUpstream['discover']>;

/** What routes are laid over: as it was parsed, and as it is in force. */
interface Whole {
  readonly parsed: ParsedConfig;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
}

/** Who may connect to it may stop the process: nobody but its own user. */
const ADMIN_SOCKET_MODE = 0o600;

export function buildConfig(parsed: ParsedConfig, context: BuildContext): Config {
  const whole: Whole = {
    parsed,
    limits: completeLimits(parsed.limits),
    timeouts: completeTimeouts(parsed.timeouts),
  };
  const config: Config = {
    ...parsed,
    listeners: parsed.listeners.map((listener, index) => buildListener(listener, index, parsed, context)),
    trusted_proxies: context.lists.of(parsed.trusted_proxies),
    defaults: { ...parsed.defaults, ...clientLists(parsed.defaults, context.lists) },
    routes: parsed.routes.map((route) => buildRoute(route, whole, context.lists)),
    auth: buildAuth(parsed, context.auth),
    upstreams: buildUpstreams(parsed, context),
    limits: whole.limits,
    timeouts: whole.timeouts,
    close_codes: mergeCodes(parsed.close_codes, {}),
    revocations: buildRevocations(parsed.revocations, context.baseDir),
    admin: parsed.admin === undefined ? null : buildAdmin(parsed.admin, context.baseDir),
  };
  return freeze(withOrigin(config, context.origin));
}

function buildRevocations({ dir }: ParsedConfig['revocations'], baseDir: string): Config['revocations'] {
  return dir === undefined ? { dir: null, dir_text: null } : { dir: resolvePath(baseDir, dir), dir_text: dir };
}

/** Those with a block of their own, and those that a URL in a route stands for. */
function buildUpstreams(parsed: ParsedConfig, context: BuildContext): Config['upstreams'] {
  const upstreams: Record<string, UpstreamConfig> = Object.create(null);
  const served = servedBy(parsed);
  for (const [name, upstream] of Object.entries(parsed.upstreams)) {
    upstreams[name] = buildUpstream(name, upstream, context, checkTypeOf(name, served));
  }
  let defaults: ParsedUpstream | null = null;
  for (const text of parsed.routes.flatMap(({ upstream, http }) => [upstream, http])) {
    if (text === undefined || upstreams[text] !== undefined) continue;
    defaults ??= defaultUpstream();
    upstreams[implicitUpstreamName(text)] = implicitUpstream(text, defaults, context);
  }
  return upstreams;
}

function buildListener(
  listener: ParsedConfig['listeners'][number],
  index: number,
  parsed: ParsedConfig,
  { baseDir, tls, lists }: BuildContext,
): ListenerConfig {
  const { address, mode = null, tls: _, ...rest } = listener;
  return {
    ...rest,
    name: listenerName(listener),
    address: listenAddress(address.bind, mode, baseDir),
    address_text: address.text,
    tls: tls.listeners.get(index) ?? null,
    trusted_proxies: lists.of(listener.trusted_proxies ?? parsed.trusted_proxies),
    client_ip_from: listener.client_ip_from ?? parsed.client_ip_from,
  };
}

function buildAdmin({ address, ...rest }: NonNullable<ParsedConfig['admin']>, baseDir: string): AdminConfig {
  return { ...rest, address: listenAddress(address.bind, ADMIN_SOCKET_MODE, baseDir), address_text: address.text };
}

function listenAddress(bind: BindAddress, mode: number | null, baseDir: string): ListenAddress {
  return bind.kind === 'unix' ? { kind: 'unix', path: resolvePath(baseDir, bind.path), mode } : bind;
}

function buildRoute(route: ParsedRoute, { parsed, limits, timeouts }: Whole, lists: AddressLists): RouteConfig {
  const { match } = route;
  const own = sharedKeys(route, parsed.defaults);
  const http = upstreamName(route.http, parsed);
  // There can be thousands: frozen, what a spread copied has a hidden class of its own each time.
  return Object.assign({}, route, ownLimits(route.limits), own, clientLists(own, lists), {
    name: routeName(route),
    match: Object.assign({}, match, {
      hosts: match.hosts ?? [],
      path: match.path.text,
      listeners: match.listeners ?? [],
    }),
    upstream: upstreamName(route.upstream, parsed) ?? http ?? '', // the checks ask for one of the two
    sockets: route.upstream !== undefined,
    http,
    rewrite: route.rewrite ?? null,
    limits: mergeLimits(parsed.limits, limits, route.limits),
    timeouts: mergeTimeouts(parsed.timeouts, timeouts, route.timeouts),
    close_codes: mergeCodes(parsed.close_codes, route.close_codes),
    record: route.record ?? parsed.record,
    headers: mergeHeaders(route.headers, parsed.defaults.headers),
  });
}

function upstreamName(text: string | undefined, { upstreams }: ParsedConfig): string | null {
  if (text === undefined) return null;
  return upstreams[text] === undefined ? implicitUpstreamName(text) : text;
}

function clientLists({ allow, deny }: ParsedShared, lists: AddressLists): Pick<SharedKeys, 'allow' | 'deny'> {
  return { allow: allow === 'any' ? allow : lists.of(allow), deny: lists.of(deny) };
}

/** `checkType`: of checks that name none. */
function buildUpstream(
  name: string,
  upstream: ParsedUpstream,
  context: BuildContext,
  checkType: 'websocket' | 'http' = 'websocket',
): UpstreamConfig {
  const { targets, host, tls: _, discover, ...rest } = upstream;
  const gone = goneRules(upstream);
  const { secrets } = context.origin;
  const shown = (text: string, index: number): string =>
    secrets.has(pathText(['upstreams', name, 'targets', index, 'url'])) ? SECRET : text;
  return {
    ...rest,
    name,
    targets: targets.map(({ url, ...target }, index) => ({
      ...target,
      name: targetName({ name: target.name, url }),
      url: shown(url.text, index),
      endpoint: resolveEndpoint(url.endpoint, context.baseDir),
    })),
    host: host === 'client' || host === 'target' ? host : { literal: host },
    tls: context.tls.upstreams.get(name) ?? null,
    balance: buildBalance(name, upstream.balance),
    health: buildHealth(upstream.health, checkType),
    discover: discover === undefined ? null : buildDiscovery(discover, context.baseDir),
    on_gone: upstream.on_gone ?? gone.on_gone,
    hold: upstream.hold ?? gone.hold,
  };
}

function buildHealth({ active, ...rest }: ParsedUpstream['health'], type: 'websocket' | 'http'): HealthConfig {
  return { ...rest, active: active === 'off' ? active : { ...active, type: active.type ?? type } };
}

function buildBalance(name: string, balance: ParsedUpstream['balance']): BalanceConfig {
  if (typeof balance === 'string') return { kind: balance };
  const { hash, sticky } = balance;
  if (hash !== undefined) return { kind: 'hash', key: hash };
  assert(sticky !== undefined, 'the schema asks for one of the two');
  return { ...sticky, kind: 'sticky', cookie: sticky.cookie ?? `fg-${name}` };
}

function buildDiscovery({ dns, file }: ParsedDiscovery, baseDir: string): DiscoverConfig {
  if (dns !== undefined) return { ...dns, kind: 'dns', port: dns.port ?? defaultPort(dns.scheme) };
  assert(file !== undefined, 'the schema asks for one of the two');
  return { kind: 'file', path: resolvePath(baseDir, file.path), path_text: file.path };
}

/** What `upstreams.NAME: { targets: [{ url }] }` would be. `url` has passed the checks. */
function implicitUpstream(text: string, defaults: ParsedUpstream, context: BuildContext): UpstreamConfig {
  const parsed = parseTargetUrl(text);
  const endpoint = 'value' in parsed ? parsed.value : ({ kind: 'echo' } as const);
  const targets = defaults.targets.map((target) => ({ ...target, url: { text, endpoint } }));
  return buildUpstream(implicitUpstreamName(text), { ...defaults, targets }, context);
}

function resolveEndpoint(endpoint: Endpoint, baseDir: string): Endpoint {
  return endpoint.kind === 'unix' ? { ...endpoint, path: resolvePath(baseDir, endpoint.path) } : endpoint;
}

/** Deeply; bytes are left alone, they cannot be frozen. What is frozen already was so by this, and routes share it. */
export function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    if (typeof child === 'object' && child !== null && !ArrayBuffer.isView(child) && !Object.isFrozen(child))
      freeze(child);
  }
  return Object.freeze(value);
}
