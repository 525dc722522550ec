// Owns the checks across keys of requests without upgrade: targets and their checks that know nothing of them.
// It must not read files.

import { parseTargetUrl, printable } from './addresses.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { type Served, servedBy } from './served.ts';
import type { ParsedConfig } from './types.ts';

export function checkHttp(config: ParsedConfig, written: Written, report: CrossReport): void {
  checkEcho(config, report);
  checkSticky(config, report);
  const isClear = config.routes.every((_, index) => !written.isFaulty(['routes', index]));
  if (isClear) checkHealth(config, servedBy(config), report);
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

/** Of libraries whose sessions begin with requests, each of which has to reach the target that knows the session. */
const POLLING = /(?:^|\/)(?:socket\.io|engine\.io|sockjs|signalr)(?:\/|$)/i;
const ANY_TARGET = ['least_sessions', 'round_robin', 'random_two'];

function checkSticky({ routes, upstreams }: ParsedConfig, report: CrossReport): void {
  for (const [index, { http, match }] of routes.entries()) {
    const upstream = http === undefined ? undefined : upstreams[http];
    if (upstream === undefined || !POLLING.test(match.path.text)) continue;
    const { balance, targets, discover } = upstream;
    const isOne = targets.filter(({ backup }) => !backup).length < 2 && discover === undefined;
    if (isOne || typeof balance !== 'string' || !ANY_TARGET.includes(balance)) continue;
    report('warning', ['routes', index, 'http'], `${SCATTERED} in upstream "${printable(http ?? '')}"`);
  }
}

const SCATTERED = 'sessions that begin by polling need one target for all their requests: balance: { sticky: {} }';
