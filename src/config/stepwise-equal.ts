// Whether two values are the same, found out in small steps: a list of thousands is compared part by part.

import { isDeepStrictEqual } from 'node:util';

const ITEMS_AT_ONCE = 100;

export function* isEqualInSteps(a: unknown, b: unknown): Generator<void, boolean> {
  if (!Array.isArray(a) || !Array.isArray(b)) return isDeepStrictEqual(a, b);
  if (a.length !== b.length) return false;
  for (let start = 0; start < a.length; start += ITEMS_AT_ONCE) {
    if (start > 0) yield;
    const end = start + ITEMS_AT_ONCE;
    if (!isDeepStrictEqual(a.slice(start, end), b.slice(start, end))) return false;
  }
  return true;
}

/** Of two maps: value by value. */
export function* areMapsEqualInSteps(a: object, b: object): Generator<void, boolean> {
  const others = new Map(Object.entries(b));
  const own = Object.entries(a);
  if (own.length !== others.size) return false;
  for (const [key, value] of own) {
    if (!others.has(key) || !(yield* isEqualInSteps(value, others.get(key)))) return false;
  }
  return true;
}
