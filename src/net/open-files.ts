// How many files this process may open, and how many sessions that allows. It reads one file of /proc when asked.

import { readFileSync } from 'node:fs';

/** Descriptors kept for listeners, the log, files of the config, look-ups and Node itself: at least this many. */
const RESERVE_MIN = 32;
const RESERVE_SHARE = 0.02;
/** One descriptor for the client, one for the backend. */
const DESCRIPTORS_PER_SESSION = 2;

/** The soft limit on open files; Infinity where there is none or where the system does not say (only Linux does). */
export function openFileLimit(readLimits: () => string = readProcLimits): number {
  let text: string;
  try {
    text = readLimits();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  const soft = /^Max open files\s+(\d{1,15}|unlimited)\s/m.exec(text)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/**
 * The most sessions that `limit` descriptors carry: libuv accepts and drops clients silently when they run out.
 * `besides`: descriptors for connections that are not sessions.
 */
export function sessionsMaxFor(limit: number, besides = 0): number {
  if (limit === Number.POSITIVE_INFINITY) return limit;
  const reserve = Math.max(RESERVE_MIN, limit * RESERVE_SHARE) + besides;
  return Math.max(0, Math.floor((limit - reserve) / DESCRIPTORS_PER_SESSION));
}

/** The limit on open files that `sessions` sessions need: the smallest whose `sessionsMaxFor` is not below it. */
export function openFilesNeededFor(sessions: number, besides = 0): number {
  const descriptors = sessions * DESCRIPTORS_PER_SESSION + besides;
  let limit = Math.floor(Math.max(descriptors + RESERVE_MIN, descriptors / (1 - RESERVE_SHARE)));
  // At most a few steps: rounding hides less than one session.
  while (sessionsMaxFor(limit, besides) < sessions) limit += 1;
  return limit;
}

function readProcLimits(): string {
  return readFileSync('/proc/self/limits', 'latin1');
}
