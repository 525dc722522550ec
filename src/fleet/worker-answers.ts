// A worker's own answers to what the primary's admin listener asks: readings of its live objects, in slices, and what
// an operator does to its sessions. It decides nothing that holds for all workers.

import type {
  ApplicationWebsocket,
  AskedClose,
  Extended,
  RevokeAsk,
  SessionDetail,
  SessionFilter,
  SessionQuery,
  WhyView,
} from '../admin/subject.ts';
import type { RunningProxy } from '../control/running-proxy.ts';
import { applicationWebsockets, findSession, offerSlowly } from '../control/session-lists.ts';
import { FirstPlaces } from '../control/session-order.ts';
import { sessionDetail, sessionView } from '../control/session-view.ts';
import type { Depth } from '../control/sight.ts';
import { totalsOf } from '../control/totals.ts';
import { whyOf } from '../control/why.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { NOTHING_YET } from '../limits/pulled.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import { LoopLag } from '../observe/loop-lag.ts';
import { memoryOf } from '../observe/runtime-metrics.ts';
import { HeldLists } from './held-lists.ts';
import type { CountsPage, Paged, SessionsPage, WorkerFacts, WorkerReading, WorkerSubject } from './worker-subject.ts';

/** Of one page: some hundred KiB of counters at most. */
const PARTS_A_PAGE = 64;
const WEBSOCKETS_A_PAGE = 500;
/** Seconds that nobody asks for are not watched. */
const UNSEEN_MS = 10_000;

type WorkerParts = Pick<
  RunningProxy,
  'edge' | 'life' | 'operations' | 'credentials' | 'ends' | 'processView' | 'runtime'
>;

interface WorkerAnswersOptions {
  /** `ends` keeps those of its edge. */
  readonly parts: WorkerParts;
  readonly slices: Slices;
  /** When the clock was 0, by one that all processes share: `performance.timeOrigin` of Node's own. */
  readonly origin: number;
}

export class WorkerAnswers implements WorkerSubject {
  private readonly parts: WorkerParts;
  private readonly slices: Slices;
  private readonly origin: number;
  private readonly lists: HeldLists;
  /** Null while no page is shown. */
  private lag: LoopLag | null = null;
  private readonly unseen = new Alarm(() => this.stop());

  constructor({ parts, slices, origin }: WorkerAnswersOptions) {
    this.parts = parts;
    this.slices = slices;
    this.origin = origin;
    const { clock, wheel } = parts.edge;
    this.lists = new HeldLists({ clock, wheel, slices });
  }

  /** The process ends, or nobody has asked for its seconds for a while. */
  stop(): void {
    this.parts.edge.wheel.cancel(this.unseen);
    this.lag?.stop();
    this.lag = null;
  }

  async counts(depth: Depth, next: number): Promise<CountsPage> {
    const { metrics, clock } = this.parts.edge;
    const ask = {
      inFull: depth !== 'counts',
      get now() {
        return clock.now();
      },
    };
    const page = await this.lists.page(next, PARTS_A_PAGE, () => metrics.dump(ask));
    return { ...page, facts: next === 0 ? await this.facts(depth) : null };
  }

  async reading(inFull: boolean): Promise<WorkerReading> {
    const { edge, life, processView } = this.parts;
    if (this.lag === null && processView !== null) this.lag = new LoopLag();
    edge.wheel.schedule(this.unseen, edge.clock.now() + UNSEEN_MS);
    const { user = Number.NaN, system = Number.NaN } = processView?.cpuUsage() ?? {};
    return {
      state: life.state,
      sessions: edge.sessions.size,
      totals: { ...(await this.slices.run(totalsOf(edge.metrics, inFull))) },
      memory: memoryOf(processView),
      lag: this.lag?.take() ?? Number.NaN,
      cpuMicros: user + system,
    };
  }

  async sessions(query: SessionQuery): Promise<SessionsPage> {
    const { sessions, clock } = this.parts.edge;
    const first = new FirstPlaces<SessionRecord>(query.limit, query.sort);
    await this.slices.run(offerSlowly(first, sessions, query, this.origin));
    const views = first.items.map((record) => sessionView(record, clock.now()));
    return {
      sessions: views.flatMap((view, index) => {
        const place = first.places[index];
        return place === undefined ? [] : [{ view, place }];
      }),
      more: first.more,
    };
  }

  async session(id: string): Promise<SessionDetail | null> {
    const { sessions, clock } = this.parts.edge;
    const record = findSession(sessions, id);
    return record === null ? null : sessionDetail(record, clock.now());
  }

  async why(id: string): Promise<WhyView | null> {
    return whyOf(this.parts, id);
  }

  websockets(next: number): Promise<Paged<ApplicationWebsocket>> {
    const { sessions } = this.parts.edge;
    return this.lists.page(next, WEBSOCKETS_A_PAGE, () => websocketsOf(sessions));
  }

  async closeSession(id: string, close: AskedClose): Promise<boolean> {
    return this.parts.operations.closeSession(id, close);
  }

  async closeSessions(filter: SessionFilter, close: AskedClose): Promise<number> {
    return this.parts.operations.closeSessions(filter, close);
  }

  async extendSession(id: string, until: number): Promise<Extended> {
    return this.parts.credentials.extend(id, until);
  }

  expiry(ask: RevokeAsk): Promise<number> {
    return this.parts.credentials.expiry(ask);
  }

  async revoke(ask: RevokeAsk, until: number): Promise<number> {
    const forMs = until - this.parts.edge.snapshot.wallNow();
    const result = await this.parts.credentials.revoke({ ...ask, forMs });
    if ('error' in result) throw new Error(`a worker cannot revoke: ${result.error}`);
    return result.ended;
  }

  async drainRoute(route: string, draining: boolean): Promise<boolean> {
    return this.parts.operations.drainRoute(route, draining);
  }

  async drainTarget(upstream: string, target: string, draining: boolean): Promise<boolean> {
    return this.parts.operations.drainTarget(upstream, target, draining);
  }

  private async facts(depth: Depth): Promise<WorkerFacts> {
    const { edge, life, processView, runtime } = this.parts;
    const memory = memoryOf(processView);
    return {
      state: life.state,
      sessions: edge.sessions.size,
      memoryBytes: Number.isNaN(memory) ? 0 : memory,
      logLinesDropped: edge.log.linesDropped,
      runtime: depth === 'all' && runtime !== null ? await runtime.read() : null,
    };
  }
}

function* websocketsOf(sessions: ReadonlySet<SessionRecord>): Generator<ApplicationWebsocket | null> {
  for (const found of applicationWebsockets(sessions)) {
    yield found === NOTHING_YET || found instanceof Promise ? null : found;
  }
}
