// What is counted of a framegate at one moment, by this process alone or by several together: views are made of it,
// and of the parts of this process, which knows config and state of all.

import type { AdminSubject } from '../admin/subject.ts';
import type { WorkerStatusView } from '../admin/worker-status.ts';
import type { WorkersReading } from '../observe/exposition-workers.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import type { RuntimeFigures } from '../observe/runtime-figures.ts';
import type { OthersReading } from './figures.ts';
import type { RunningProxy } from './running-proxy.ts';

export interface Seen {
  readonly metrics: MetricsRegistry;
  /** Open ones. */
  readonly sessions: number;
  readonly memoryBytes: number;
  readonly logLinesDropped: number;
  /** Null where it was not asked for, and without a process to look at. */
  readonly runtime: RuntimeFigures | null;
  /** Null: there is one process. */
  readonly workers: { readonly views: readonly WorkerStatusView[]; readonly reading: WorkersReading } | null;
}

/** `distributions`: those of advice and metrics, too; `all`: and figures of the runtime, which begin anew by it. */
export type Depth = 'counts' | 'distributions' | 'all';

export interface Sight {
  see(depth: Depth): Promise<Seen>;
}

/** What an admin listener shows of a framegate of several processes. */
export interface AdminViews {
  readonly subject: AdminSubject;
  readonly sight: Sight;
  others(inFull: boolean): Promise<OthersReading>;
}

/** The live counters of this process. */
export class OwnSight implements Sight {
  private readonly proxy: RunningProxy;

  constructor(proxy: RunningProxy) {
    this.proxy = proxy;
  }

  async see(depth: Depth): Promise<Seen> {
    const { edge, runtime, processView } = this.proxy;
    return {
      metrics: edge.metrics,
      sessions: edge.sessions.size,
      get memoryBytes() {
        return processView?.memoryUsage().rss ?? 0;
      },
      logLinesDropped: edge.log.linesDropped,
      runtime: depth === 'all' && runtime !== null ? await runtime.read() : null,
      workers: null,
    };
  }
}
