// CPU time and memory of other processes, from /proc. Only Linux has it.

import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const NS_PER_SECOND = 1e9;

/**
 * User and system CPU seconds of a process (`utime + stime`). Where the kernel accounts for threads in nanoseconds,
 * those are taken: the ticks of /proc/PID/stat are the same time, rounded to 10 ms.
 */
export function cpuSeconds(pid: number): number {
  return preciseSeconds(pid) ?? tickSeconds(pid);
}

export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

/** `utime + stime` of the text of /proc/PID/stat. The name before them may hold spaces and parentheses. */
export function parseStat(text: string): { readonly parent: number; readonly cpuSeconds: number } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
}

/** The process and everything below it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    if (stat === null) continue;
    const { parent } = parseStat(stat);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const visit = (pid: number) => {
    found.push(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(root);
  return found;
}

/** Every process whose command line holds `text`, and those below them; not this one. */
export function processesNaming(text: string): number[] {
  const naming = readdirSync('/proc').filter((name) => {
    return /^\d+$/.test(name) && (read(`/proc/${name}/cmdline`) ?? '').includes(text);
  });
  const all = new Set(naming.flatMap((name) => processTree(Number(name))));
  return [...all].filter((pid) => pid !== process.pid && isAlive(pid));
}

/** Not while it only waits for its parent to notice its end. */
export function isAlive(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== null && !/\) [ZX] /.test(stat);
}

/** Proportional set size in bytes: pages shared with other processes count in parts. */
export function pssBytes(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    const kib = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')?.[1];
    if (kib === undefined) throw new Error(`no Pss in /proc/${pid}/smaps_rollup`);
    sum += Number(kib) * 1024;
  }
  return sum;
}

/** Open ones of all these processes; a process that has ended has none. */
export function descriptorsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      return sum;
    }
  }, 0);
}

function tickSeconds(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) throw new Error(`process ${pid} has ended`);
  return parseStat(stat).cpuSeconds;
}

function preciseSeconds(pid: number): number | null {
  let ns = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = read(`/proc/${pid}/task/${thread}/schedstat`);
      if (text !== null) ns += Number(text.split(' ')[0]);
    }
  } catch {
    return null;
  }
  return ns > 0 ? ns / NS_PER_SECOND : null;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}
