// What a process uses, or several together, as plain figures, and as text under the names that prom-client gives them,
// so that existing dashboards work.

import type { Buckets, TextFormat } from './text-format.ts';

/** Of the time since they were read before, in seconds. */
interface Lag {
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly stddev: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Bytes of one part of the heap. */
interface HeapSpace {
  readonly space_size: number;
  readonly space_used_size: number;
  readonly space_available_size: number;
}

export interface RuntimeFigures {
  /** Of Node. */
  readonly version: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly cpuMicros: { readonly user: number; readonly system: number };
  readonly memory: {
    readonly rss: number;
    readonly heapTotal: number;
    readonly heapUsed: number;
    readonly external: number;
  };
  /** Descriptors; null where that is not told. */
  readonly open: number | null;
  readonly max: number | null;
  readonly virtualBytes: number | null;
  readonly lag: Lag;
  /** What keeps the event loop alive, by its type. */
  readonly resources: ReadonlyMap<string, number>;
  readonly heapSpaces: ReadonlyMap<string, HeapSpace>;
  /** By kind. */
  readonly gc: ReadonlyMap<string, Buckets>;
}

const MICROS = 1e6;

/**
 * Of `own` and the others as of one process: what is used is added up, of lags the worst is told, of starts that of
 * `own`.
 */
export function sumOfFigures(own: RuntimeFigures, others: readonly RuntimeFigures[]): RuntimeFigures {
  const all = [own, ...others];
  const sum = (of: (one: RuntimeFigures) => number) => all.reduce((total, one) => total + of(one), 0);
  const sumIfTold = (of: (one: RuntimeFigures) => number | null) =>
    of(own) === null ? null : sum((one) => of(one) ?? 0);
  const worst = (of: (lag: Lag) => number) => Math.max(...all.map(({ lag }) => of(lag)));
  return {
    version: own.version,
    startedAt: own.startedAt,
    cpuMicros: { user: sum(({ cpuMicros }) => cpuMicros.user), system: sum(({ cpuMicros }) => cpuMicros.system) },
    memory: {
      rss: sum(({ memory }) => memory.rss),
      heapTotal: sum(({ memory }) => memory.heapTotal),
      heapUsed: sum(({ memory }) => memory.heapUsed),
      external: sum(({ memory }) => memory.external),
    },
    open: sumIfTold(({ open }) => open),
    max: sumIfTold(({ max }) => max),
    virtualBytes: sumIfTold(({ virtualBytes }) => virtualBytes),
    lag: {
      mean: worst(({ mean }) => mean),
      min: Math.min(...all.map(({ lag }) => lag.min)),
      max: worst(({ max }) => max),
      stddev: worst(({ stddev }) => stddev),
      p50: worst(({ p50 }) => p50),
      p90: worst(({ p90 }) => p90),
      p99: worst(({ p99 }) => p99),
    },
    resources: joined(
      all,
      ({ resources }) => resources,
      (a, b) => a + b,
    ),
    heapSpaces: joined(
      all,
      ({ heapSpaces }) => heapSpaces,
      (a, b) => ({
        space_size: a.space_size + b.space_size,
        space_used_size: a.space_used_size + b.space_used_size,
        space_available_size: a.space_available_size + b.space_available_size,
      }),
    ),
    gc: joined(
      all,
      ({ gc }) => gc,
      (a, b) => ({
        bounds: a.bounds,
        counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)),
        sum: a.sum + b.sum,
        count: a.count + b.count,
      }),
    ),
  };
}

/** What is left of a process that is gone: what only grows. */
export function leftOf({ version, startedAt, cpuMicros, gc }: RuntimeFigures): RuntimeFigures {
  const none = { mean: 0, min: Number.POSITIVE_INFINITY, max: 0, stddev: 0, p50: 0, p90: 0, p99: 0 };
  return {
    ...{ version, startedAt, cpuMicros, gc, lag: none },
    memory: { rss: 0, heapTotal: 0, heapUsed: 0, external: 0 },
    ...{ open: 0, max: 0, virtualBytes: 0 },
    resources: new Map(),
    heapSpaces: new Map(),
  };
}

/** By name, what several have of it put together. */
function joined<T>(
  all: readonly RuntimeFigures[],
  of: (one: RuntimeFigures) => ReadonlyMap<string, T>,
  join: (a: T, b: T) => T,
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const one of all) {
    for (const [name, value] of of(one)) {
      const known = found.get(name);
      found.set(name, known === undefined ? value : join(known, value));
    }
  }
  return found;
}

export function writeFigures(out: TextFormat, figures: RuntimeFigures): void {
  writeProcess(out, figures);
  writeEventLoop(out, figures.lag);
  writeResources(out, figures.resources);
  writeMemory(out, figures);
  const { version } = figures;
  const [major = '0', minor = '0', patch = '0'] = version.replace(/^v/, '').split('.');
  out.family('nodejs_version_info', 'gauge', 'Node.js version info.');
  out.sample({ version, major, minor, patch }, 1);
  out.family('nodejs_gc_duration_seconds', 'histogram', 'Garbage collection duration by kind.');
  for (const [kind, seconds] of figures.gc) out.histogram({ kind }, seconds);
}

function writeProcess(
  out: TextFormat,
  { cpuMicros, startedAt, memory, open, max, virtualBytes }: RuntimeFigures,
): void {
  const { user, system } = cpuMicros;
  single(out, 'process_cpu_user_seconds_total', 'counter', 'User CPU time spent in seconds.', user / MICROS);
  single(out, 'process_cpu_system_seconds_total', 'counter', 'System CPU time spent in seconds.', system / MICROS);
  const both = 'User and system CPU time spent in seconds.';
  single(out, 'process_cpu_seconds_total', 'counter', both, (user + system) / MICROS);
  const start = 'Start time of the process since unix epoch in seconds.';
  single(out, 'process_start_time_seconds', 'gauge', start, startedAt);
  single(out, 'process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', memory.rss);
  if (virtualBytes !== null) {
    single(out, 'process_virtual_memory_bytes', 'gauge', 'Virtual memory size in bytes.', virtualBytes);
  }
  if (open !== null) single(out, 'process_open_fds', 'gauge', 'Number of open file descriptors.', open);
  if (max !== null) single(out, 'process_max_fds', 'gauge', 'Maximum number of open file descriptors.', max);
}

function writeEventLoop(out: TextFormat, lag: Lag): void {
  const readings: readonly (readonly [name: string, help: string, seconds: number])[] = [
    ['', 'Lag of event loop in seconds.', lag.mean],
    ['min_', 'The minimum recorded event loop delay.', lag.min],
    ['max_', 'The maximum recorded event loop delay.', lag.max],
    ['mean_', 'The mean of the recorded event loop delays.', lag.mean],
    ['stddev_', 'The standard deviation of the recorded event loop delays.', lag.stddev],
    ['p50_', 'The 50th percentile of the recorded event loop delays.', lag.p50],
    ['p90_', 'The 90th percentile of the recorded event loop delays.', lag.p90],
    ['p99_', 'The 99th percentile of the recorded event loop delays.', lag.p99],
  ];
  for (const [name, help, seconds] of readings) {
    const full = name === '' ? 'nodejs_eventloop_lag_seconds' : `nodejs_eventloop_lag_${name.slice(0, -1)}_seconds`;
    single(out, full, 'gauge', help, seconds);
  }
}

function writeResources(out: TextFormat, resources: RuntimeFigures['resources']): void {
  out.family('nodejs_active_resources', 'gauge', 'Number of active resources that keep the event loop alive, by type.');
  let total = 0;
  for (const [type, count] of resources) {
    out.sample({ type }, count);
    total += count;
  }
  single(out, 'nodejs_active_resources_total', 'gauge', 'Total number of active resources.', total);
}

function writeMemory(out: TextFormat, { memory, heapSpaces }: RuntimeFigures): void {
  const { heapTotal, heapUsed, external } = memory;
  single(out, 'nodejs_heap_size_total_bytes', 'gauge', 'Process heap size from Node.js in bytes.', heapTotal);
  single(out, 'nodejs_heap_size_used_bytes', 'gauge', 'Process heap size used from Node.js in bytes.', heapUsed);
  single(out, 'nodejs_external_memory_bytes', 'gauge', 'Node.js external memory size in bytes.', external);
  for (const [which, key] of heapSpaceSizes) {
    const name = `nodejs_heap_space_size_${which}_bytes`;
    out.family(name, 'gauge', `Process heap space size ${which} from Node.js in bytes.`);
    for (const [space, sizes] of heapSpaces) out.sample({ space }, sizes[key]);
  }
}

const heapSpaceSizes = [
  ['total', 'space_size'],
  ['used', 'space_used_size'],
  ['available', 'space_available_size'],
] as const;

function single(out: TextFormat, name: string, type: 'counter' | 'gauge', help: string, value: number): void {
  out.family(name, type, help);
  out.sample({}, value);
}
