// How many cores this process may use: by its affinity, and by the quota of its cgroup.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as path from 'node:path';

type ReadText = (file: string) => string;

/** At least 1. A part of a core is none: a worker on half a core would be throttled half of the time. */
export function usableCores(read: ReadText = readText, affine: number = availableParallelism()): number {
  return Math.max(1, Math.min(affine, Math.floor(cgroupCores(read))));
}

/** The smallest quota of those that hold; Infinity: none does. */
function cgroupCores(read: ReadText): number {
  let cores = Number.POSITIVE_INFINITY;
  for (const { controllers, folder } of groupsOf(read)) {
    // A quota of any group above holds, too. In a container the own one is often the root of what is seen.
    for (let at = folder; ; at = path.posix.dirname(at)) {
      const quota = controllers === '' ? quotaOf2(read, at) : quotaOf1(read, at);
      cores = Math.min(cores, quota ?? Number.POSITIVE_INFINITY);
      if (at === '/' || at === '.') break;
    }
  }
  return cores;
}

function groupsOf(read: ReadText): { readonly controllers: string; readonly folder: string }[] {
  const lines = (textOf(read, '/proc/self/cgroup') ?? '').split('\n');
  const groups = lines.map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  return groups
    .map((found) => ({ controllers: found?.[1] ?? 'none', folder: found?.[2] ?? '/' }))
    .filter(({ controllers }) => controllers === '' || controllers.split(',').includes('cpu'));
}

/** Version 2: `max 100000`, or a quota and its period. */
function quotaOf2(read: ReadText, folder: string): number | null {
  const found = /^(\d+) (\d+)\s*$/.exec(textOf(read, path.posix.join('/sys/fs/cgroup', folder, 'cpu.max')) ?? '');
  return found === null ? null : shareOf(found[1], found[2]);
}

function quotaOf1(read: ReadText, folder: string): number | null {
  for (const root of ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct']) {
    const quota = textOf(read, path.posix.join(root, folder, 'cpu.cfs_quota_us'));
    const period = textOf(read, path.posix.join(root, folder, 'cpu.cfs_period_us'));
    // -1: none.
    if (quota !== null && period !== null && !quota.startsWith('-')) return shareOf(quota, period);
  }
  return null;
}

function shareOf(quota: string | undefined, period: string | undefined): number | null {
  const cores = Number(quota) / Number(period);
  return Number.isFinite(cores) && cores > 0 ? cores : null;
}

function textOf(read: ReadText, file: string): string | null {
  try {
    return read(file);
  } catch {
    return null;
  }
}

function readText(file: string): string {
  return readFileSync(file, 'latin1');
}
