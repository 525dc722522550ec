// Reads what the process uses: CPU, memory, descriptors, event loop, garbage collection. It learns of the process
// through an interface.

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
import type { RuntimeFigures } from './runtime-figures.ts';

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

const LAG_RESOLUTION_MS = 10;
const NANOS = 1e9;
const gcSeconds = Float64Array.of(0.001, 0.01, 0.1, 1, 2, 5);

/** Only Linux tells these; elsewhere they are left out. */
type Descriptors = Pick<RuntimeFigures, 'open' | 'max' | 'virtualBytes'>;

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

  /** The event loop's lag is that of the time since the last reading, so that two scrapers see each only a part. */
  async read(): Promise<RuntimeFigures> {
    const descriptors = await this.readDescriptors();
    const { user, system } = this.view.cpuUsage();
    const resources = new Map<string, number>();
    for (const type of this.view.getActiveResourcesInfo()) resources.set(type, (resources.get(type) ?? 0) + 1);
    return {
      ...descriptors,
      version: this.view.version,
      startedAt: this.startedAt,
      cpuMicros: { user, system },
      memory: { ...this.readMemory() },
      lag: this.takeLag(),
      resources,
      heapSpaces: new Map(getHeapSpaceStatistics().map((space) => [space.space_name.replace(/_space$/, ''), space])),
      gc: new Map(Array.from(this.gc.values(), ({ kind, seconds }) => [kind, seconds])),
    };
  }

  private takeLag(): RuntimeFigures['lag'] {
    const { lag } = this;
    const seconds = (nanoseconds: number) => (lag.count > 0 && Number.isFinite(nanoseconds) ? nanoseconds / NANOS : 0);
    const taken = {
      mean: seconds(lag.mean),
      min: seconds(lag.min),
      max: seconds(lag.max),
      stddev: seconds(lag.stddev),
      p50: seconds(lag.percentile(50)),
      p90: seconds(lag.percentile(90)),
      p99: seconds(lag.percentile(99)),
    };
    lag.reset();
    return taken;
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

  /** As last read: that takes a descriptor, and a process without one is to be seen all the same. */
  private readMemory(): ReturnType<ProcessView['memoryUsage']> {
    try {
      this.memory = this.view.memoryUsage();
    } catch {
      // EMFILE
    }
    return this.memory;
  }
}

/** The type of an entry does not tell that those of the collector have a detail. */
function gcKind(entry: object): number {
  const detail: unknown = 'detail' in entry ? entry.detail : null;
  return typeof detail === 'object' && detail !== null && 'kind' in detail ? Number(detail.kind) : -1;
}

/** Reading it takes a descriptor, and there may be none left. Null then, and without a process. */
export function memoryUsageOf(view: ProcessView | null): ReturnType<ProcessView['memoryUsage']> | null {
  try {
    return view?.memoryUsage() ?? null;
  } catch {
    return null;
  }
}

/** What is resident, in bytes; NaN where that cannot be told. */
export function memoryOf(view: ProcessView | null): number {
  return memoryUsageOf(view)?.rss ?? Number.NaN;
}
