// What the next config changes: which paths, and which of them need a restart. It loads and binds nothing.

import { isDeepStrictEqual } from 'node:util';
import { isEqualInSteps } from '../config/stepwise-equal.ts';
import type { Config, ListenerConfig } from '../config/types.ts';

/** Named parts are told apart by their names, not by their places in a list. */
const NAMED = new Set(['listeners', 'routes', 'targets']);
/** What a route repeats of the blocks for all, and of `defaults`. */
const MERGED = /^routes\[[^\]]*\]\.((limits|timeouts|close_codes)\b.*|.*)$/;
/** What a listener takes from the top level. */
const INHERITED = /^listeners\[[^\]]*\]\.(trusted_proxies|client_ip_from)$/;

type PlainMap = Readonly<Record<string, unknown>>;

/** Every path at which the two differ, such as `timeouts.idle` or `routes[chat].rewrite`; sorted. In small steps. */
export function* changedPaths(before: Config, after: Config): Generator<void, string[]> {
  const found: string[] = [];
  yield* compareMaps('', plainMap(before), plainMap(after), found);
  const all = new Set(found);
  // A block for all changes the merged blocks of the routes too: that is one change, not one for each route.
  return [...all].filter((path) => !all.has(sourceOf(path))).sort();
}

/** Looks at each value once: a comparison of the wholes before that of their parts would look at it on every level. */
function* compare(path: string, before: unknown, after: unknown, found: string[]): Generator<void> {
  if (isMap(before) && isMap(after)) yield* compareMaps(path, before, after, found);
  else if (!(yield* isEqualInSteps(before, after))) found.push(path);
}

function* compareMaps(path: string, before: PlainMap, after: PlainMap, found: string[]): Generator<void> {
  yield;
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const inner = path === '' ? key : `${path}.${key}`;
    const one = before[key];
    const other = after[key];
    if (NAMED.has(key) && Array.isArray(one) && Array.isArray(other)) yield* compareNamed(inner, one, other, found);
    else yield* compare(inner, one, other, found);
  }
}

function* compareNamed(
  path: string,
  before: readonly unknown[],
  after: readonly unknown[],
  found: string[],
): Generator<void> {
  const known = byName(before);
  const next = byName(after);
  for (const name of new Set([...known.keys(), ...next.keys()])) {
    const inner = `${path}[${name}]`;
    const one = known.get(name);
    const other = next.get(name);
    if (one === undefined || other === undefined) found.push(inner);
    else yield* compare(inner, one, other, found);
  }
}

function byName(items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [isMap(item) ? String(item.name) : '', item]));
}

function plainMap(config: Config): PlainMap {
  return { ...config };
}

/** Bytes are compared whole, and so are addresses. */
function isMap(value: unknown): value is PlainMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  return !('digest' in value && 'blocks' in value);
}

/** Where a change of a route or a listener may come from; '' for what is no part of one. */
function sourceOf(path: string): string {
  const [, inherited] = INHERITED.exec(path) ?? [];
  if (inherited !== undefined) return inherited;
  const [, key = '', block] = MERGED.exec(path) ?? [];
  return key === '' || block !== undefined ? key : `defaults.${key}`;
}

interface Obstacle {
  readonly path: string;
  readonly message: string;
}

const NEEDS_RESTART = 'needs a restart: it cannot change while framegate runs';

/** What a running process cannot take on. */
export function restartObstacles(before: Config, after: Config): Obstacle[] {
  const found: Obstacle[] = [];
  if (!isDeepStrictEqual(before.admin?.address, after.admin?.address)) {
    found.push({
      path: before.admin === null || after.admin === null ? 'admin' : 'admin.address',
      message: NEEDS_RESTART,
    });
  }
  if (before.workers !== after.workers) found.push({ path: 'workers', message: NEEDS_RESTART });
  if (before.revocations.dir !== after.revocations.dir) {
    found.push({ path: 'revocations.dir', message: NEEDS_RESTART });
  }
  if (before.log.format !== after.log.format) found.push({ path: 'log.format', message: NEEDS_RESTART });
  for (const [index, listener] of after.listeners.entries()) {
    const bound = before.listeners.find((one) => one.address_text === listener.address_text);
    if (bound === undefined) continue;
    // Settings of the socket itself: it is bound already, and a second one cannot be while it is.
    if (bound.backlog !== listener.backlog) {
      found.push({ path: `listeners[${index}].backlog`, message: NEEDS_RESTART });
    }
    if (modeOf(bound) !== modeOf(listener)) found.push({ path: `listeners[${index}].mode`, message: NEEDS_RESTART });
  }
  return found;
}

function modeOf({ address }: ListenerConfig): number | null {
  return address.kind === 'unix' ? address.mode : null;
}
