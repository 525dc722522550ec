// Owns the checks across keys of rates, buffers, draining and the admin listener: what contradicts each other or needs
// something that is not there. It must not read files.

import { type BindAddress, bindKey, isLocal, takesAnyPort } from '../protocol/addresses/bind-address.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { limits } from './keys/limits.ts';
import type { Keys } from './keys/row.ts';
import type { PathSegments } from './problems.ts';
import type { ParsedConfig } from './types.ts';
import { formatDuration, formatSize } from './units.ts';

type ParsedRoute = ParsedConfig['routes'][number];

const OFF = Number.POSITIVE_INFINITY;
const SIDES = ['from_client', 'from_backend'] as const;
type Side = (typeof SIDES)[number];
type Values = Readonly<Record<string, unknown>>;
/** What stands in for a faulty value is not what was meant. */
type IsFaulty = Written['isFaulty'];

/** Each burst of one direction, and those of all connections, with the rate it belongs to. */
const BURSTS = burstsOf(limits.from_client.keys);
const GLOBAL_BURSTS = burstsOf(limits);

function burstsOf(rows: Keys): readonly (readonly [burst: string, rate: string])[] {
  return Object.entries(rows).flatMap(([key, { follows }]) =>
    follows?.rule === 'burst' ? [[key, follows.key] as const] : [],
  );
}

export function checkPolicies(config: ParsedConfig, { isFaulty }: Written, report: CrossReport): void {
  checkBursts(config, isFaulty, report);
  checkJudging(config, isFaulty, report);
  checkBuffers(config, report);
  checkDrain(config, report);
  checkAdmin(config, isFaulty, report);
}

/** A burst of a rate that is off would say nothing. */
function checkBursts({ limits: whole, routes }: ParsedConfig, isFaulty: IsFaulty, report: CrossReport): void {
  const needs = (path: PathSegments, burst: string, rate: string) => {
    if (!isFaulty([...path, rate])) report('error', [...path, burst], `needs ${rate}, which is off`);
  };
  const all: Values = whole;
  for (const [burst, rate] of GLOBAL_BURSTS) {
    if (all[burst] !== undefined && all[rate] === OFF) needs(['limits'], burst, rate);
  }
  for (const side of SIDES) {
    const ofAll: Values = whole[side];
    const ofRoutes: readonly Values[] = routes.map((route) => route.limits[side]);
    for (const [burst, rate] of BURSTS) {
      // A route that only sets the rate takes the burst from here.
      const isTaken = ofRoutes.some((own) => isOn(own[rate]) && own[burst] === undefined);
      if (ofAll[burst] !== undefined && ofAll[rate] === OFF && !isTaken) needs(['limits', side], burst, rate);
      if (isFaulty(['limits', side, rate])) continue;
      for (const [index, own] of ofRoutes.entries()) {
        const isIdle = own[burst] !== undefined && (own[rate] ?? ofAll[rate]) === OFF;
        if (isIdle) needs(['routes', index, 'limits', side], burst, rate);
      }
    }
  }
}

function isOn(rate: unknown): boolean {
  return rate !== undefined && rate !== OFF;
}

/**
 * RFC 7692 7.2.1: a compressed message is no text before it is inflated, and with context takeover one that is missing
 * breaks all that follow. So both need routes without compression.
 */
function checkJudging(config: ParsedConfig, isFaulty: IsFaulty, report: CrossReport): void {
  for (const side of SIDES) {
    for (const key of ['validate_utf8', 'on_rate_exceeded'] as const) {
      const inherited: number[] = [];
      for (const [index, route] of config.routes.entries()) {
        if ((route.compression ?? config.defaults.compression) === 'off') continue;
        if (isFaulty(['routes', index, 'compression']) || isFaulty(['defaults', 'compression'])) continue;
        const own = ownJudging(route, side, key);
        if (own === true) {
          report('error', ['routes', index, 'limits', side, key], `${needsOff(key)} in this route (${WHY})`);
        } else if (own === undefined && isJudging(config.limits[side][key])) inherited.push(index);
      }
      if (inherited.length === 0) continue;
      const where = inherited.map((index) => `routes[${index}]`).join(', ');
      report('error', ['limits', side, key], `${needsOff(key)} in ${where} (${WHY})`);
    }
  }
}

const WHY = 'the default passthrough lets compressed messages through, which cannot be judged or left out';

function needsOff(key: 'validate_utf8' | 'on_rate_exceeded'): string {
  return `${key === 'validate_utf8' ? 'on' : 'drop'} needs compression: off`;
}

function isJudging(value: boolean | string): boolean {
  return value === true || value === 'drop';
}

/** What the route itself says: undefined when nothing. */
function ownJudging(route: ParsedRoute, side: Side, key: 'validate_utf8' | 'on_rate_exceeded'): boolean | undefined {
  const own = route.limits[side][key];
  return own === undefined ? undefined : isJudging(own);
}

function checkBuffers({ limits, routes }: ParsedConfig, report: CrossReport): void {
  // No spread: routes can be more than a call takes arguments.
  const one = routes.reduce((most, route) => Math.max(most, route.limits.max_buffered ?? 0), limits.max_buffered);
  if (limits.max_buffered_total < one) {
    report(
      'warning',
      ['limits', 'max_buffered_total'],
      `one session may hold more: max_buffered is ${formatSize(one)}`,
    );
  }
}

function checkDrain({ drain }: ParsedConfig, report: CrossReport): void {
  const before = drain.delay + drain.grace + drain.spread;
  if (before < drain.timeout) return;
  const message = `is not above delay + grace + spread, which are ${formatDuration(before)}: the last would be cut off`;
  report('error', ['drain', 'timeout'], message);
}

function checkAdmin({ admin, listeners }: ParsedConfig, isFaulty: IsFaulty, report: CrossReport): void {
  if (admin === undefined) return;
  const path: PathSegments = ['admin', 'address'];
  const { bind } = admin.address;
  if (admin.token === null && !isLocal(bind) && !isFaulty(['admin', 'token']))
    report('error', path, 'needs a token: this address is neither loopback nor a unix socket');
  const same = listeners.findIndex(({ address }) => isSameAddress(address.bind, bind));
  if (same !== -1) report('error', path, `listeners[${same}] has the same address`);
  for (const key of ['hosts', 'public'] as const) {
    const values: readonly string[] = admin[key];
    for (const [index, value] of values.entries()) {
      if (values.indexOf(value) < index) report('error', ['admin', key, index], 'stands in this list twice');
    }
  }
}

function isSameAddress(a: BindAddress, b: BindAddress): boolean {
  return !takesAnyPort(a) && bindKey(a) === bindKey(b);
}
