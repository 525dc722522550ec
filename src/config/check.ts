// Owns the checks across keys: names that must be unique or exist, routes that match the same set, values that
// contradict each other, and what has no effect. It must not read files.

import { bindKey, takesAnyPort } from '../protocol/addresses/bind-address.ts';
import { patternKey, rewriteProblem } from '../protocol/path.ts';
import { addressListsOf, UNIX } from './address-lists.ts';
import { parseTargetUrl, printable } from './addresses.ts';
import { checkAuth } from './check-auth.ts';
import { checkEffect } from './check-effect.ts';
import { checkHeaders } from './check-headers.ts';
import { checkHolderNames } from './check-holder-names.ts';
import { checkHttp } from './check-http.ts';
import { checkTwice, checkUnique } from './check-names.ts';
import { checkPathSyntax } from './check-path-syntax.ts';
import { checkPaths } from './check-paths.ts';
import { checkPolicies } from './check-policies.ts';
import { checkUpstreams } from './check-upstreams.ts';
import type { CrossReport, Written } from './cross-report.ts';
import type { Keys } from './keys/row.ts';
import { timeouts } from './keys/timeouts.ts';
import { listenerName, routeName } from './names.ts';
import type { PathSegments } from './problems.ts';
import { didYouMean } from './suggest.ts';
import type { ParsedConfig, ParsedShared } from './types.ts';

type ParsedRoute = ParsedConfig['routes'][number];

export function checkConfig(config: ParsedConfig, written: Written, report: CrossReport): void {
  checkListeners(config, written, report);
  checkProxies(config, report);
  checkFrames(config, report);
  checkPolicies(config, written, report);
  checkAuth(config, written, report);
  checkShared(config.defaults, ['defaults'], report);
  for (const [index, route] of config.routes.entries()) checkRoute(route, index, written, report);
  const overlapping = checkOverlaps(config, written, report);
  checkPathSyntax(config, report);
  checkPaths(config, written, report);
  checkHeaders(config, written, report);
  checkHolderNames(config, report);
  // A name made of host and path is the same when these are, which has been told, or was not understood.
  const named = config.routes.map((route, index) =>
    route.name === undefined && (overlapping.has(index) || written.isFaulty(['routes', index, 'match']))
      ? null
      : routeName(route),
  );
  checkUnique(named, 'routes', report);
  checkUpstreams(config, written, report);
  checkUse(config, written, report);
  checkHttp(config, written, report);
  checkEffect(config, written, report);
  checkWaits(config, report);
}

function checkWaits(config: ParsedConfig, report: CrossReport): void {
  const rows: Keys = timeouts;
  for (const [key, ms] of Object.entries(config.timeouts)) {
    if (rows[key]?.needed === true && ms === Number.POSITIVE_INFINITY)
      report('warning', ['timeouts', key], 'off: nothing else ends this wait');
  }
}

function checkListeners(config: ParsedConfig, written: Written, report: CrossReport): void {
  checkUnique(config.listeners.map(listenerName), 'listeners', report);
  const addresses = new Map<string, number>();
  for (const [index, listener] of config.listeners.entries()) {
    const { address, mode } = listener;
    const { bind } = address;
    const list = listener.trusted_proxies ?? config.trusted_proxies;
    const isFaulty = written.isFaulty(['trusted_proxies']) || written.isFaulty(['listeners', index, 'trusted_proxies']);
    // Who stands in a file is not known here.
    const trustsNobody = !('file' in list) && list.length === 0 && !isFaulty;
    if (listener.proxy_protocol !== 'off' && trustsNobody)
      report('error', ['listeners', index, 'proxy_protocol'], NOBODY_TRUSTED);
    if (listener.redirect_http && listener.tls !== undefined)
      report('error', ['listeners', index, 'redirect_http'], 'is for listeners without tls: here it would never end');
    else if (listener.redirect_http && !config.listeners.some(({ tls }) => tls !== undefined))
      report('warning', ['listeners', index, 'redirect_http'], 'leads nowhere: no listener has tls');
    if (mode !== undefined && bind.kind !== 'unix')
      report('error', ['listeners', index, 'mode'], 'only a unix socket has a mode');
    if (takesAnyPort(bind)) continue;
    const key = bindKey(bind);
    const first = addresses.get(key);
    if (first === undefined) addresses.set(key, index);
    else report('error', ['listeners', index, 'address'], `listeners[${first}] has the same address`);
  }
}

export const EVERYBODY = 'every client can claim any address';

const NOBODY_TRUSTED = 'nobody could connect: name who sends the header in trusted_proxies';

function checkProxies(config: ParsedConfig, report: CrossReport): void {
  for (const { path, input, words } of addressListsOf(config)) {
    if ('file' in input || !words.includes(UNIX)) continue;
    for (const [index, block] of input.entries())
      if (block.endsWith('/0')) report('warning', [...path, index], EVERYBODY);
  }
}

function checkRoute(route: ParsedRoute, index: number, written: Written, report: CrossReport): void {
  const path = ['routes', index];
  for (const [at, name] of (route.match.listeners ?? []).entries()) {
    if (written.listeners.has(name)) continue;
    const guess = didYouMean(name, written.listeners);
    report('error', [...path, 'match', 'listeners', at], `there is no listener "${printable(name)}"${guess}`);
  }
  checkTwice(route.match.hosts ?? [], [...path, 'match', 'hosts'], report);
  checkShared(route, path, report);
  checkTwice(route.relax, [...path, 'relax'], report);
  const loose = route.relax.indexOf('connection_token');
  if (loose !== -1) report('warning', [...path, 'relax', loose], SMUGGLING);
  for (const key of BACKENDS) checkBackend(route[key], [...path, key], written, report);
  const hasBackend = BACKENDS.some((key) => route[key] !== undefined || written.isFaulty([...path, key]));
  if (!hasBackend) report('error', [...path, 'upstream'], NO_BACKEND);
  const wrong = route.rewrite === undefined ? null : rewriteProblem(route.rewrite, route.match.path);
  if (wrong !== null) report('error', [...path, 'rewrite'], wrong);
}

/** Where a route leads. */
const BACKENDS = ['upstream', 'http'] as const;
const NO_BACKEND = 'is missing: where WebSockets go; or give http: where other requests go';

function checkBackend(text: string | undefined, path: PathSegments, written: Written, report: CrossReport): void {
  if (text === undefined) return;
  if (text.includes(':')) {
    const url = parseTargetUrl(text, path.at(-1) === 'http' ? 'http' : 'ws');
    if ('problem' in url) report('error', path, url.problem);
  } else if (!written.upstreams.has(text)) {
    const guess = didYouMean(text, written.upstreams);
    report('error', path, `there is no upstream "${printable(text)}"${guess}`);
  }
}

type Said = { readonly [K in keyof ParsedShared]?: ParsedShared[K] | undefined };

/** Of a route, or of `defaults`. */
function checkShared(own: Said, path: PathSegments, report: CrossReport): void {
  for (const key of ['origins', 'subprotocols'] as const) {
    const list = own[key] ?? 'any';
    if (list !== 'any') checkTwice(list, [...path, key], report);
  }
}

const SMUGGLING = 'requests can be smuggled through any proxy in front that trusted_proxies does not name';

/** Two routes with a host, a path shape and a listener in common: for some request neither goes before the other. */
function checkOverlaps(config: ParsedConfig, written: Written, report: CrossReport): ReadonlySet<number> {
  const overlapping = new Set<number>();
  const taken = new Map<string, number>();
  const everywhere = config.listeners.map(listenerName);
  for (const [index, { match }] of config.routes.entries()) {
    if (written.isFaulty(['routes', index, 'match'])) continue;
    const shape = patternKey(match.path);
    let other: number | undefined;
    // An empty list matches nothing in particular, which is everything.
    for (const host of match.hosts?.length ? match.hosts : ['']) {
      for (const listener of match.listeners?.length ? match.listeners : everywhere) {
        const key = `${host}\n${listener}\n${shape}`;
        const first = taken.get(key);
        if (first === undefined) taken.set(key, index);
        else if (first !== index) other ??= first;
      }
    }
    if (other === undefined) continue;
    overlapping.add(index);
    const fix = areHalves(config.routes[index], config.routes[other]) ? HALVES : '';
    report('error', ['routes', index, 'match'], `routes[${other}] matches the same requests${fix}`);
  }
  return overlapping;
}

type Backends = ParsedConfig['routes'][number] | undefined;

/** One for WebSockets, the other for all else: who knows other proxies writes two. */
function areHalves(one: Backends, other: Backends): boolean {
  const lacks = (key: (typeof BACKENDS)[number]) => (one?.[key] === undefined) !== (other?.[key] === undefined);
  return BACKENDS.every(lacks);
}

const HALVES = ': give one route both upstream and http';

/** `max_frame_size` above `max_message_size` would never be reached: one of the two is a mistake. */
function checkFrames(config: ParsedConfig, report: CrossReport): void {
  for (const side of ['from_client', 'from_backend'] as const) {
    const whole = config.limits[side];
    if (isOver(whole.max_frame_size, whole.max_message_size)) {
      report('error', ['limits', side, 'max_frame_size'], 'is larger than max_message_size');
      continue;
    }
    for (const [index, route] of config.routes.entries()) {
      const own = route.limits[side];
      if (!isOver(own.max_frame_size ?? whole.max_frame_size, own.max_message_size ?? whole.max_message_size)) continue;
      const key = own.max_frame_size === undefined ? 'max_message_size' : 'max_frame_size';
      const message =
        own.max_frame_size === undefined
          ? `is smaller than max_frame_size of limits.${side}`
          : `is larger than max_message_size${own.max_message_size === undefined ? ` of limits.${side}` : ''}`;
      report('error', ['routes', index, 'limits', side, key], message);
    }
  }
}

function isOver(frame: number, message: number): boolean {
  return frame !== Number.POSITIVE_INFINITY && frame > message;
}

function checkUse(config: ParsedConfig, written: Written, report: CrossReport): void {
  const isClear = (route: ParsedRoute, index: number): boolean =>
    BACKENDS.some((key) => route[key] !== undefined) &&
    BACKENDS.every((key) => !written.isFaulty(['routes', index, key]));
  if (!config.routes.every(isClear)) return;
  const used = new Set(config.routes.flatMap((route) => BACKENDS.map((key) => route[key])));
  for (const name of Object.keys(config.upstreams)) {
    if (!used.has(name)) report('warning', ['upstreams', name], 'no route uses this upstream');
  }
  for (const [index, listener] of config.listeners.entries()) {
    const name = listenerName(listener);
    if (listener.redirect_http) continue;
    const reached = config.routes.some(({ match }) => !match.listeners?.length || match.listeners.includes(name));
    if (!reached) report('warning', ['listeners', index], 'no route matches on this listener');
  }
}
