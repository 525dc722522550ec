// The desk of the primary: counts for the handshakes, sessions and requests of all workers what its own edge would
// count for its own, in the same objects. One `WorkerDesk` for each worker that lives: what it held goes back when it
// dies.

import { movableOn } from '../control/movable-sessions.ts';
import type { Edge } from '../edge/edge.ts';
import type { Holdings } from '../edge/holdings.ts';
import type { PeerClaim } from '../edge/seat.ts';
import type { Slices } from '../limits/slices.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream, UpstreamListener } from '../upstream/upstream.ts';
import type { DeskAnswer } from './desk-messages.ts';
import type { WorkerSeat } from './desk-server-seat.ts';
import { WorkerDesk } from './desk-server-worker.ts';
import type { TargetNews } from './target-news.ts';

interface DeskServerOptions {
  /** The primary's own, which has no connections; it is told of what is held here. */
  readonly edge: Edge;
  readonly slices: Slices;
  /** Of the parts of the edge's upstreams. */
  readonly targets: TargetNews;
}

/** How a worker is reached, and what it was given. */
interface WorkerLine {
  /** In order, behind all that was said before. */
  post(message: DeskAnswer): void;
  /** How a connection counts that the worker was given; undefined: it is gone. */
  claimOf(cid: number): PeerClaim | undefined;
}

/**
 * Made after the primary's edge, and after whoever listens to its upstreams. At a reload workers are told to commit
 * before the primary does; an operator's drain of a target goes to workers before the primary takes it on.
 */
export class DeskServer {
  private readonly options: DeskServerOptions;
  private readonly workers = new Set<WorkerDesk>();
  /** Of all workers, in the order in which they began. */
  private readonly sessions = new Set<WorkerSeat>();

  constructor(options: DeskServerOptions) {
    this.options = options;
    const { edge, slices } = options;
    edge.guests = { [Symbol.iterator]: () => this.held() };
    const { upstreams } = edge.snapshot;
    const before = upstreams.listener;
    const place = { sessions: this.sessions, draining: false };
    const listener: UpstreamListener = {
      onTargets: (upstream, isAnyGone) => before.onTargets(upstream, isAnyGone),
      onDown: (upstream, target) => {
        before.onDown(upstream, target);
        this.onDown(upstream, target);
      },
      youngestOn: (target, asked) => slices.run(movableOn(place, target, asked)),
    };
    upstreams.listener = listener;
  }

  /** Of all workers. */
  get sessionCount(): number {
    return this.sessions.size;
  }

  /** A worker has come: it is told what it has to know of targets. Its questions go to `take` of what comes back. */
  attach(line: WorkerLine): WorkerDesk {
    const { edge, slices, targets } = this.options;
    const { workers, sessions } = this;
    const tell = (message: DeskAnswer): void => line.post(message);
    const worker = new WorkerDesk({
      edge,
      slices,
      line,
      sessions,
      targets,
      seen: (seen) => {
        for (const other of workers) if (other !== worker) other.tell(['seen', seen]);
      },
      onLeft: () => {
        workers.delete(worker);
        targets.detach(tell);
      },
    });
    workers.add(worker);
    targets.attach(tell);
    return worker;
  }

  private onDown({ name }: Upstream, target: Target): void {
    for (const worker of this.workers) worker.tell(['down', name, target.name]);
  }

  private *held(): Generator<Holdings> {
    for (const worker of this.workers) yield* worker.held();
  }
}
