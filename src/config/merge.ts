// Owns the blocks in force: a route's laid over the top-level one's, and keys that follow others worked out.
// It must not judge.

import { limits } from './keys/limits.ts';
import { shared } from './keys/routes.ts';
import type { FollowRule, Keys, Row } from './keys/row.ts';
import { timeouts } from './keys/timeouts.ts';
import type {
  CloseCodes,
  FieldsConfig,
  HeadersConfig,
  Limits,
  OwnLimits,
  ParsedConfig,
  ParsedShared,
  Timeouts,
} from './types.ts';

type ParsedRoute = ParsedConfig['routes'][number];
type Values = Readonly<Record<string, unknown>>;

const OFF = Number.POSITIVE_INFINITY;
const KIB = 1024;
/** One fragment per KiB of the largest message, and never fewer than this. */
const FRAGMENTS_MIN = 1024;

/** `given` is what the config says of a key, `other` what holds for the one that it follows. */
const FOLLOW: Readonly<Record<FollowRule, (given: unknown, other: number) => number>> = {
  // Twice the rate, at least 1, unless the config says otherwise; a rate that is off has no burst.
  burst: (given, rate) => (rate === OFF ? OFF : typeof given === 'number' ? given : Math.max(1, 2 * rate)),
  fragments: (given, size) => (typeof given === 'number' ? given : Math.max(FRAGMENTS_MIN, Math.ceil(size / KIB))),
  at_most: (given, cap) => (typeof given === 'number' ? Math.min(given, cap) : cap),
};

/** What merging asks of some rows, for thousands of routes. */
interface Plan {
  readonly rows: Keys;
  readonly blocks: readonly (readonly [key: string, Plan])[];
  readonly followers: readonly (readonly [key: string, NonNullable<Row['follows']>])[];
}

const LIMITS = planOf(limits);
const TIMEOUTS = planOf(timeouts);

function planOf(rows: Keys): Plan {
  const entries = Object.entries(rows);
  return {
    rows,
    blocks: entries.flatMap(([key, row]) => (row.kind === 'block' ? [[key, planOf(row.keys)] as const] : [])),
    followers: entries.flatMap(([key, { follows }]) => (follows === undefined ? [] : [[key, follows] as const])),
  };
}

export function completeLimits(whole: ParsedConfig['limits']): Limits {
  // The type is made of the same rows, key by key.
  return complete(LIMITS, whole) as Limits;
}

export function completeTimeouts(whole: ParsedConfig['timeouts']): Timeouts {
  return complete(TIMEOUTS, whole) as Timeouts;
}

/** `base` is the top-level block `whole` as it is in force. A route that says nothing of it shares it. */
export function mergeLimits(whole: ParsedConfig['limits'], base: Limits, own: ParsedRoute['limits']): Limits {
  return merged(LIMITS, whole, base, own) as Limits;
}

export function mergeTimeouts(whole: ParsedConfig['timeouts'], base: Timeouts, own: ParsedRoute['timeouts']): Timeouts {
  return merged(TIMEOUTS, whole, base, own) as Timeouts;
}

/** The keys that a route has besides the global ones, by their names in a loaded route. */
const BESIDES = Object.entries<Row>(limits).flatMap(([key, { scope }]) =>
  scope === 'both' ? [[key, `own_${key}`] as const] : [],
);

/** Off where the route says nothing of them. */
export function ownLimits(own: Values): OwnLimits {
  const values: Record<string, unknown> = {};
  for (const [key, name] of BESIDES) values[name] = own[key] ?? OFF;
  return values as OwnLimits;
}

const SHARED = Object.keys(shared);

/** Each value whole: of the route, or else of `defaults`, which the silent ones share. */
export function sharedKeys(own: Values, defaults: ParsedShared): ParsedShared {
  const others: Values = defaults;
  // The type is made of the same rows, key by key.
  const values: Values = Object.fromEntries(SHARED.map((key) => [key, own[key] ?? others[key]]));
  return values as ParsedShared;
}

/** Fields go through as they came. */
const UNCHANGED: FieldsConfig = { set: {}, remove: [] };
const NO_HEADERS: HeadersConfig = { request: UNCHANGED, response: UNCHANGED };

/** What a route says of one way is all that is said of that. */
export function mergeHeaders(own: ParsedRoute['headers'], defaults: ParsedShared['headers']): HeadersConfig {
  const request = own?.request ?? defaults.request;
  const response = own?.response ?? defaults.response;
  if (request === undefined && response === undefined) return NO_HEADERS;
  return { request: request ?? UNCHANGED, response: response ?? UNCHANGED };
}

export function mergeCodes(whole: Readonly<Record<string, number | undefined>>, own: typeof whole): CloseCodes {
  const codes: Record<string, number> = Object.create(null);
  for (const block of [whole, own]) {
    for (const [cause, code] of Object.entries(block)) if (code !== undefined) codes[cause] = code;
  }
  return codes;
}

function complete(plan: Plan, whole: Values): Values {
  const blocks = new Map(plan.blocks);
  const value = (key: string): unknown => {
    const block = blocks.get(key);
    return block === undefined ? whole[key] : complete(block, blockOf(whole[key]));
  };
  // From a list: an object that grows key by key becomes slow and large beyond some twenty.
  const values = Object.fromEntries(Object.keys(plan.rows).map((key) => [key, value(key)]));
  follow(plan, values, whole, {});
  return values;
}

function merged(plan: Plan, whole: Values, base: Values, own: Values): Values {
  if (isSilent(plan.rows, own)) return base;
  // A copy keeps the shape, which all routes share.
  const values: Record<string, unknown> = Object.assign({}, base);
  for (const [key, said] of Object.entries(own)) {
    if (said !== undefined && plan.rows[key]?.scope === undefined) values[key] = said;
  }
  for (const [key, block] of plan.blocks) {
    values[key] = merged(block, blockOf(whole[key]), blockOf(base[key]), blockOf(own[key]));
  }
  follow(plan, values, whole, own);
  return values;
}

function follow(plan: Plan, values: Record<string, unknown>, whole: Values, own: Values): void {
  for (const [key, { rule, key: other }] of plan.followers) {
    values[key] = FOLLOW[rule](own[key] ?? whole[key], Number(values[other]));
  }
}

/** Nothing of what a route says overrides anything. */
function isSilent(keys: Keys, own: Values): boolean {
  return Object.entries(own).every(([key, value]) => {
    const row = keys[key];
    if (row?.kind === 'block') return isSilent(row.keys, blockOf(value));
    return value === undefined || row?.scope !== undefined;
  });
}

function blockOf(value: unknown): Values {
  return isBlock(value) ? value : {};
}

function isBlock(value: unknown): value is Values {
  return typeof value === 'object' && value !== null;
}
