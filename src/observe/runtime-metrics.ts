// What the process uses: CPU, memory, descriptors, event loop, garbage collection, under the names that prom-client
// gives them, so that existing dashboards work. It learns of the process through an interface.

import { readFile, stat } from 'node:fs/promises';
import {
  constants,
  type IntervalHistogram,
  monitorEventLoopDelay,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { Histogram } from './histogram.ts';
import type { TextFormat } from './text-format.ts';

/** The part of Node's `process` that is read. */
export interface ProcessView {
  readonly version: string;
  cpuUsage(): { readonly user: number; readonly system: number };
  memoryUsage(): {
    readonly rss: number;
    readonly heapTotal: number;
    readonly heapUsed: number;
    readonly external: number;
  };
  getActiveResourcesInfo(): string[];
}

/** One reading; written when the rest of a scrape is. */
export interface RuntimeReading {
  write(format: TextFormat): void;
}

const LAG_RESOLUTION_MS = 10;
const MICROS = 1e6;
const NANOS = 1e9;
const gcSeconds = Float64Array.of(0.001, 0.01, 0.1, 1, 2, 5);

/** Only Linux tells these; elsewhere they are left out. */
interface Descriptors {
  readonly open: number | null;
  readonly max: number | null;
  readonly virtualBytes: number | null;
}

export class RuntimeMetrics {
  private readonly view: ProcessView;
  private readonly startedAt = performance.timeOrigin / 1000;
  private readonly lag: IntervalHistogram;
  private readonly gc: ReadonlyMap<number, { readonly kind: string; readonly seconds: Histogram }>;
  private readonly observer: PerformanceObserver;
  private maxDescriptors: number | null = null;
  private memory: ReturnType<ProcessView['memoryUsage']>;

  /** Begins to watch the event loop and the collector; `stop` ends it. */
  constructor(view: ProcessView) {
    this.view = view;
    this.memory = view.memoryUsage();
    this.lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
    this.lag.enable();
    const kind = (name: string) => ({ kind: name, seconds: new Histogram(gcSeconds) });
    this.gc = new Map([
      [constants.NODE_PERFORMANCE_GC_MAJOR, kind('major')],
      [constants.NODE_PERFORMANCE_GC_MINOR, kind('minor')],
      [constants.NODE_PERFORMANCE_GC_INCREMENTAL, kind('incremental')],
      [constants.NODE_PERFORMANCE_GC_WEAKCB, kind('weakcb')],
    ]);
    this.observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.gc.get(gcKind(entry))?.seconds.observe(entry.duration / 1000);
    });
    this.observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.lag.disable();
    this.observer.disconnect();
  }

  /** Reads what has to be waited for; the rest is read when it is written. */
  async read(): Promise<RuntimeReading> {
    const descriptors = await this.readDescriptors();
    return { write: (format) => this.write(format, descriptors) };
  }

  /**
   * The size of /proc/self/fd is the number of descriptors from Linux 6.2 on. Listing it instead would cost more than
   * the rest of a scrape when there are tens of thousands.
   */
  private async readDescriptors(): Promise<Descriptors> {
    const folder = await stat('/proc/self/fd').catch(() => null);
    const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
    const virtualKib = /^VmSize:\s+(\d+) kB$/m.exec(status)?.[1];
    if (this.maxDescriptors === null) {
      const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
      const max = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
      this.maxDescriptors = max === undefined ? null : Number(max);
    }
    return {
      open: folder !== null && folder.size > 0 ? folder.size : null,
      max: this.maxDescriptors,
      virtualBytes: virtualKib === undefined ? null : Number(virtualKib) * 1024,
    };
  }

  private write(out: TextFormat, descriptors: Descriptors): void {
    this.writeProcess(out, descriptors);
    this.writeEventLoop(out);
    this.writeResources(out);
    this.writeMemory(out);
    const [major = '0', minor = '0', patch = '0'] = this.view.version.replace(/^v/, '').split('.');
    out.family('nodejs_version_info', 'gauge', 'Node.js version info.');
    out.sample({ version: this.view.version, major, minor, patch }, 1);
    out.family('nodejs_gc_duration_seconds', 'histogram', 'Garbage collection duration by kind.');
    for (const { kind, seconds } of this.gc.values()) out.histogram({ kind }, seconds);
  }

  /** As last read: that takes a descriptor, and a process without one is to be seen all the same. */
  private readMemory(): ReturnType<ProcessView['memoryUsage']> {
    try {
      this.memory = this.view.memoryUsage();
    } catch {
      // EMFILE
    }
    return this.memory;
  }

  private writeProcess(out: TextFormat, { open, max, virtualBytes }: Descriptors): void {
    const { user, system } = this.view.cpuUsage();
    single(out, 'process_cpu_user_seconds_total', 'counter', 'User CPU time spent in seconds.', user / MICROS);
    single(out, 'process_cpu_system_seconds_total', 'counter', 'System CPU time spent in seconds.', system / MICROS);
    const both = 'User and system CPU time spent in seconds.';
    single(out, 'process_cpu_seconds_total', 'counter', both, (user + system) / MICROS);
    const start = 'Start time of the process since unix epoch in seconds.';
    single(out, 'process_start_time_seconds', 'gauge', start, this.startedAt);
    const { rss } = this.readMemory();
    single(out, 'process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', rss);
    if (virtualBytes !== null) {
      single(out, 'process_virtual_memory_bytes', 'gauge', 'Virtual memory size in bytes.', virtualBytes);
    }
    if (open !== null) single(out, 'process_open_fds', 'gauge', 'Number of open file descriptors.', open);
    if (max !== null) single(out, 'process_max_fds', 'gauge', 'Maximum number of open file descriptors.', max);
  }

  /** Of the time since the last scrape, so that two scrapers see each only a part. */
  private writeEventLoop(out: TextFormat): void {
    const { lag } = this;
    const has = lag.count > 0;
    const readings: readonly (readonly [name: string, help: string, nanoseconds: number])[] = [
      ['', 'Lag of event loop in seconds.', lag.mean],
      ['min_', 'The minimum recorded event loop delay.', lag.min],
      ['max_', 'The maximum recorded event loop delay.', lag.max],
      ['mean_', 'The mean of the recorded event loop delays.', lag.mean],
      ['stddev_', 'The standard deviation of the recorded event loop delays.', lag.stddev],
      ['p50_', 'The 50th percentile of the recorded event loop delays.', lag.percentile(50)],
      ['p90_', 'The 90th percentile of the recorded event loop delays.', lag.percentile(90)],
      ['p99_', 'The 99th percentile of the recorded event loop delays.', lag.percentile(99)],
    ];
    for (const [name, help, nanoseconds] of readings) {
      const full = name === '' ? 'nodejs_eventloop_lag_seconds' : `nodejs_eventloop_lag_${name.slice(0, -1)}_seconds`;
      single(out, full, 'gauge', help, has && Number.isFinite(nanoseconds) ? nanoseconds / NANOS : 0);
    }
    lag.reset();
  }

  private writeResources(out: TextFormat): void {
    const counts = new Map<string, number>();
    const resources = this.view.getActiveResourcesInfo();
    for (const type of resources) counts.set(type, (counts.get(type) ?? 0) + 1);
    out.family(
      'nodejs_active_resources',
      'gauge',
      'Number of active resources that keep the event loop alive, by type.',
    );
    for (const [type, count] of counts) out.sample({ type }, count);
    single(out, 'nodejs_active_resources_total', 'gauge', 'Total number of active resources.', resources.length);
  }

  private writeMemory(out: TextFormat): void {
    const { heapTotal, heapUsed, external } = this.memory;
    single(out, 'nodejs_heap_size_total_bytes', 'gauge', 'Process heap size from Node.js in bytes.', heapTotal);
    single(out, 'nodejs_heap_size_used_bytes', 'gauge', 'Process heap size used from Node.js in bytes.', heapUsed);
    single(out, 'nodejs_external_memory_bytes', 'gauge', 'Node.js external memory size in bytes.', external);
    const spaces = getHeapSpaceStatistics();
    for (const [which, key] of heapSpaceSizes) {
      const name = `nodejs_heap_space_size_${which}_bytes`;
      out.family(name, 'gauge', `Process heap space size ${which} from Node.js in bytes.`);
      for (const space of spaces) out.sample({ space: space.space_name.replace(/_space$/, '') }, space[key]);
    }
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

/** The type of an entry does not tell that those of the collector have a detail. */
function gcKind(entry: object): number {
  const detail: unknown = 'detail' in entry ? entry.detail : null;
  return typeof detail === 'object' && detail !== null && 'kind' in detail ? Number(detail.kind) : -1;
}
