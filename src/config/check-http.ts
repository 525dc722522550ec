// Owns the checks across keys of requests without upgrade: what has no effect on them or without them, and targets that
// know nothing of them. It must not read files.

import { isDeepStrictEqual } from 'node:util';
import { parseTargetUrl } from './addresses.ts';
import type { CrossReport, Written } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { type Served, servedBy } from './served.ts';
import type { ParsedConfig } from './types.ts';

type ParsedRoute = ParsedConfig['routes'][number];
type Block = 'limits' | 'timeouts';

/** Judge upgrades alone. */
const SHARED = ['origins', 'missing_origin', 'refuse_with', 'compression', 'subprotocols'] as const;

/** Of those that routes override: what holds for requests without upgrade alone, and what for both. */
const OF_HTTP: Readonly<Record<Block, readonly string[]>> = {
  limits: ['max_body_size'],
  timeouts: ['body', 'response'],
};
const OF_BOTH: Readonly<Record<Block, readonly string[]>> = {
  limits: [],
  timeouts: ['connect', 'open', 'auth', 'idle', 'write_stall'],
};
/** Those that routes do not. */
const GLOBAL: Readonly<Record<Block, readonly string[]>> = {
  limits: ['requests_per_second_per_ip', 'max_requests_per_connection'],
  timeouts: ['keep_alive'],
};
const BLOCKS = ['limits', 'timeouts'] as const;

const NO_SOCKETS = 'has no effect: this route takes no WebSockets';
const NO_HTTP = 'has no effect: this route has no http';
const NOBODY = 'has no effect: no route has http';

export function checkHttp(config: ParsedConfig, written: Written, report: CrossReport): void {
  const isClear = config.routes.every((_, index) => !written.isFaulty(['routes', index]));
  for (const [index, route] of config.routes.entries()) {
    const path = ['routes', index];
    if (written.isFaulty(path)) continue;
    if (route.upstream === undefined) checkSocketKeys(route, path, config, report);
    if (route.http === undefined) checkHttpKeys(route, path, report);
  }
  const served = servedBy(config);
  checkEcho(config, report);
  if (!isClear) return;
  checkHealth(config, served, report);
  if (config.routes.some(({ http }) => http !== undefined)) return;
  for (const block of BLOCKS) {
    for (const key of [...OF_HTTP[block], ...GLOBAL[block]])
      if (written.isGiven([block, key]) && !isUsual(config, block, key)) report('warning', [block, key], NOBODY);
  }
}

/** What `framegate config` prints holds every key: one with its default says nothing. */
function isUsual(config: ParsedConfig, block: Block, key: string): boolean {
  return Reflect.get(config[block], key) === USUAL.get(key);
}

const USUAL: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['requests_per_second_per_ip', Number.POSITIVE_INFINITY],
  ['max_requests_per_connection', 1000],
  ['max_body_size', 10 * 1024 * 1024],
  ['keep_alive', 15_000],
  ['body', 60_000],
  ['response', 120_000],
]);

function checkSocketKeys(route: ParsedRoute, path: PathSegments, config: ParsedConfig, report: CrossReport): void {
  for (const key of SHARED) {
    // What defaults say is said for the others.
    if (route[key] !== undefined && !isDeepStrictEqual(route[key], config.defaults[key]))
      report('warning', [...path, key], NO_SOCKETS);
  }
  if (route.relax.length > 0) report('warning', [...path, 'relax'], NO_SOCKETS);
  if (route.record !== undefined) report('warning', [...path, 'record'], NO_SOCKETS);
  for (const key of givenIn(route.close_codes)) report('warning', [...path, 'close_codes', key], NO_SOCKETS);
  for (const block of BLOCKS) {
    for (const key of givenIn(route[block]))
      if (!OF_HTTP[block].includes(key) && !OF_BOTH[block].includes(key))
        report('warning', [...path, block, key], NO_SOCKETS);
  }
}

function checkHttpKeys(route: ParsedRoute, path: PathSegments, report: CrossReport): void {
  for (const block of BLOCKS) {
    for (const key of givenIn(route[block]))
      if (OF_HTTP[block].includes(key)) report('warning', [...path, block, key], NO_HTTP);
  }
}

/** A block within counts when it says something. */
function givenIn(block: object): readonly string[] {
  const isGiven = (value: unknown): boolean =>
    typeof value === 'object' && value !== null ? Object.values(value).some(isGiven) : value !== undefined;
  return Object.entries(block).flatMap(([key, value]) => (isGiven(value) ? [key] : []));
}

/** It answers upgrades, and nothing else. */
function checkEcho({ routes, upstreams }: ParsedConfig, report: CrossReport): void {
  for (const [index, { http }] of routes.entries()) {
    if (http === undefined) continue;
    const url = http.includes(':') ? parseTargetUrl(http) : null;
    const own = url !== null && 'value' in url ? [url.value] : [];
    const endpoints = url === null ? (upstreams[http]?.targets ?? []).map((one) => one.url.endpoint) : own;
    if (endpoints.some(({ kind }) => kind === 'echo')) report('error', ['routes', index, 'http'], ONLY_SOCKETS);
  }
}

const ONLY_SOCKETS = 'builtin:echo knows WebSockets alone: name a server for other requests';

function checkHealth({ upstreams }: ParsedConfig, { sockets, http }: Served, report: CrossReport): void {
  for (const [name, { health }] of Object.entries(upstreams)) {
    if (!http.has(name) || sockets.has(name) || health.active === 'off') continue;
    if (health.active.type === 'websocket')
      report('warning', ['upstreams', name, 'health', 'active', 'type'], 'no route sends WebSockets to this upstream');
  }
}
