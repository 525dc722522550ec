// Owns the checks across keys of upstreams: names of targets, what contradicts each other, and what has no effect.
// It must not read files.

import { checkTwice, checkUnique } from './check-names.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { goneRules } from './gone-targets.ts';
import { targetName } from './names.ts';
import type { PathSegments } from './problems.ts';
import { checkTypeOf, servedBy } from './served.ts';
import type { ParsedConfig } from './types.ts';
import { formatDuration } from './units.ts';

type ParsedUpstream = ParsedConfig['upstreams'][string];
type IsFaulty = Written['isFaulty'];

const INSECURE_NONE = 'browsers take a cookie with SameSite=None only if it is Secure: secure: on';

const OFF = Number.POSITIVE_INFINITY;
const NEVER_FULL = 'has no effect: no target is ever full, by max_sessions or max_handshakes_per_target';
const NOT_DISCOVERED = 'there is no discover';

export function checkUpstreams(config: ParsedConfig, { isFaulty }: Written, report: CrossReport): void {
  const served = servedBy(config);
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    const path = ['upstreams', name];
    checkTargets(upstream, path, isFaulty, report);
    checkTwice(upstream.relax, [...path, 'relax'], report);
    checkTls(upstream, path, report);
    checkBalance(upstream, path, report);
    checkQueue(upstream, path, report);
    checkDiscover(upstream, path, report);
    checkRebalance(upstream, path, report);
    checkHealth(upstream, [...path, 'health'], { isFaulty, usual: checkTypeOf(name, served) }, report);
  }
}

function checkTargets(
  { targets, discover }: ParsedUpstream,
  path: PathSegments,
  isFaulty: IsFaulty,
  report: CrossReport,
): void {
  // A name made of a url that was not understood is nobody's.
  const isNamed = (index: number, name: string | undefined) =>
    name !== undefined || !isFaulty([...path, 'targets', index, 'url']);
  const names = targets.map((target, index) => (isNamed(index, target.name) ? targetName(target) : null));
  checkUnique(names, 'targets', report, path);
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

/** Who can be full: targets of a file say so themselves, those of dns cannot. */
function checkQueue(upstream: ParsedUpstream, path: PathSegments, report: CrossReport): void {
  const { queue, targets, discover, max_handshakes_per_target } = upstream;
  const mayBeFull = discover?.file !== undefined || targets.some(({ max_sessions }) => max_sessions !== OFF);
  if (queue.size > 0 && !mayBeFull && max_handshakes_per_target === OFF)
    report('warning', [...path, 'queue', 'size'], NEVER_FULL);
}

function checkDiscover(upstream: ParsedUpstream, path: PathSegments, report: CrossReport): void {
  const { discover, on_gone, hold, empty } = upstream;
  const unused = (key: string, why: string) => report('warning', [...path, key], `has no effect: ${why}`);
  if (discover === undefined) {
    // What holds anyway says nothing: `framegate config` prints it.
    const usual = goneRules(upstream);
    if (on_gone !== undefined && on_gone !== usual.on_gone) unused('on_gone', NOT_DISCOVERED);
    if (hold !== undefined && hold !== usual.hold) unused('hold', NOT_DISCOVERED);
    if (empty === 'allow') unused('empty', NOT_DISCOVERED);
  }
  if (discover?.dns?.type === 'srv' && discover.dns.port !== undefined)
    report('warning', [...path, 'discover', 'dns', 'port'], 'has no effect: each record of type srv has its own');
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
  { isFaulty, usual }: { readonly isFaulty: IsFaulty; readonly usual: 'websocket' | 'http' },
  report: CrossReport,
): void {
  if (passive !== 'off' && passive.eject_max < passive.eject && !isFaulty([...path, 'passive']))
    report('error', [...path, 'passive', 'eject_max'], `is below eject, which is ${formatDuration(passive.eject)}`);
  if (active === 'off' || isFaulty([...path, 'active'])) return;
  const unused = (key: keyof typeof active, why: string): void => {
    if (active[key] !== undefined) report('warning', [...path, 'active', key], `has no effect: ${why}`);
  };
  const type = active.type ?? usual;
  if (type === 'tcp') for (const key of ['path', 'host'] as const) unused(key, 'tcp only connects');
  if (type === 'websocket') return;
  for (const key of ['subprotocol', 'send', 'expect'] as const) unused(key, 'it is for type: websocket');
}
