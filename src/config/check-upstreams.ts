// Owns the checks across keys of upstreams: names of targets, what contradicts each other, and what has no effect.
// It must not read files.

import { checkTwice, checkUnique } from './check-names.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { targetName } from './names.ts';
import type { PathSegments } from './problems.ts';
import type { ParsedConfig } from './types.ts';
import { formatDuration } from './units.ts';

type ParsedUpstream = ParsedConfig['upstreams'][string];
type IsFaulty = Written['isFaulty'];

const INSECURE_NONE = 'browsers take a cookie with SameSite=None only if it is Secure: secure: on';

export function checkUpstreams({ upstreams }: ParsedConfig, { isFaulty }: Written, report: CrossReport): void {
  for (const [name, upstream] of Object.entries(upstreams)) {
    const path = ['upstreams', name];
    checkTargets(upstream, path, isFaulty, report);
    checkTwice(upstream.relax, [...path, 'relax'], report);
    checkTls(upstream, path, report);
    checkBalance(upstream, path, report);
    checkRebalance(upstream, path, report);
    checkHealth(upstream, [...path, 'health'], isFaulty, report);
  }
}

function checkTargets(
  { targets, discover }: ParsedUpstream,
  path: PathSegments,
  isFaulty: IsFaulty,
  report: CrossReport,
): void {
  checkUnique(targets.map(targetName), 'targets', report, path);
  if (targets.length === 0 && discover === undefined && !isFaulty(path))
    report('error', [...path, 'targets'], 'needs at least one target, or discover');
}

function checkTls({ tls, targets, discover }: ParsedUpstream, path: PathSegments, report: CrossReport): void {
  if (tls === undefined) return;
  const isSecure = targets.some(({ url }) => url.endpoint.kind === 'tcp' && url.endpoint.secure);
  const mayBe = discover?.file !== undefined || discover?.dns?.scheme === 'wss';
  if (!isSecure && !mayBe) report('warning', [...path, 'tls'], 'has no effect: no target is wss:// or https://');
  if (tls.verify === false)
    report('warning', [...path, 'tls', 'verify'], 'anyone on the way to this backend can be it');
}

function checkBalance({ balance }: ParsedUpstream, path: PathSegments, report: CrossReport): void {
  if (typeof balance === 'string' || balance.sticky === undefined) return;
  const { same_site, secure } = balance.sticky;
  if (same_site === 'none' && secure !== 'on')
    report(secure === 'off' ? 'error' : 'warning', [...path, 'balance', 'sticky', 'same_site'], INSECURE_NONE);
}

function checkRebalance({ balance, rebalance }: ParsedUpstream, path: PathSegments, report: CrossReport): void {
  if (rebalance === 'off' || rebalance === undefined) return;
  const kind = typeof balance === 'string' ? balance : balance.hash === undefined ? 'sticky' : 'hash';
  if (kind !== 'source_ip' && kind !== 'hash' && kind !== 'sticky') return;
  report('warning', [...path, 'rebalance'], `balance: ${kind} sends most of those that it closes to the same target`);
}

function checkHealth(
  { health: { active, passive } }: ParsedUpstream,
  path: PathSegments,
  isFaulty: IsFaulty,
  report: CrossReport,
): void {
  if (passive !== 'off' && passive.eject_max < passive.eject && !isFaulty([...path, 'passive']))
    report('error', [...path, 'passive', 'eject_max'], `is below eject, which is ${formatDuration(passive.eject)}`);
  if (active === 'off' || isFaulty([...path, 'active'])) return;
  const unused = (key: keyof typeof active, why: string): void => {
    if (active[key] !== undefined) report('warning', [...path, 'active', key], `has no effect: ${why}`);
  };
  if (active.type === 'tcp') for (const key of ['path', 'host'] as const) unused(key, 'tcp only connects');
  if (active.type === 'websocket') return;
  for (const key of ['subprotocol', 'send', 'expect'] as const) unused(key, 'it is for type: websocket');
}
