// A time as people and tools read it.

/** ECMA-262 21.4.1.1. */
const DATE_MS_MAX = 8.64e15;

/** `ms` since 1970; null for what is beyond all dates. */
export function isoTime(ms: number): string | null {
  return Math.abs(ms) <= DATE_MS_MAX ? new Date(ms).toISOString() : null;
}
