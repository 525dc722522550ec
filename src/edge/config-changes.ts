// What the next config changes: which paths, and which of them need a restart. It loads and binds nothing.

import { isDeepStrictEqual } from 'node:util';
import type { Config, ListenerConfig } from '../config/schema.ts';

/** Named parts are told apart by their names, not by their places in a list. */
const NAMED = new Set(['listeners', 'routes', 'targets']);
/** What a route repeats of the blocks for all. */
const MERGED = /^routes\[[^\]]*\]\.((?:limits|timeouts|close_codes)\b.*)$/;

/** Every path at which the two differ, such as `timeouts.idle` or `routes[chat].rewrite`; sorted. */
export function changedPaths(before: Config, after: Config): string[] {
  const found: string[] = [];
  compare('', before, after, found);
  const all = new Set(found);
  // A block for all changes the merged blocks of the routes too: that is one change, not one for each route.
  return [...all].filter((path) => !all.has(MERGED.exec(path)?.[1] ?? '')).sort();
}

function compare(path: string, before: unknown, after: unknown, found: string[]): void {
  if (isDeepStrictEqual(before, after)) return;
  if (!isMap(before) || !isMap(after)) {
    found.push(path);
    return;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const inner = path === '' ? key : `${path}.${key}`;
    const one = before[key];
    const other = after[key];
    if (NAMED.has(key) && Array.isArray(one) && Array.isArray(other)) compareNamed(inner, one, other, found);
    else compare(inner, one, other, found);
  }
}

function compareNamed(path: string, before: readonly unknown[], after: readonly unknown[], found: string[]): void {
  const known = byName(before);
  const next = byName(after);
  for (const name of new Set([...known.keys(), ...next.keys()])) {
    const inner = `${path}[${name}]`;
    const one = known.get(name);
    const other = next.get(name);
    if (one === undefined || other === undefined) found.push(inner);
    else compare(inner, one, other, found);
  }
}

function byName(items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [isMap(item) ? String(item.name) : '', item]));
}

/** Bytes are compared whole. */
function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

export interface Obstacle {
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
