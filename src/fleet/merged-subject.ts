// A framegate of several processes as the admin listener sees it: config, targets and state are those of this process,
// the primary; what was counted is that of all; sessions are in the workers, and each knows its own.

import type {
  ApplicationWebsocket,
  AskedClose,
  Extended,
  RevokeAsk,
  RevokeResult,
  SessionDetail,
  SessionFilter,
  SessionPage,
  SessionQuery,
  SessionView,
  WhyView,
} from '../admin/subject.ts';
import type { RunningProxy } from '../control/running-proxy.ts';
import { FirstPlaces } from '../control/session-order.ts';
import { ProxySubject } from '../control/subject.ts';
import type { Pulled } from '../limits/pulled.ts';
import { Unanswered } from '../limits/unanswered.ts';
import type { Fleet } from './fleet.ts';
import type { FleetSight } from './fleet-sight.ts';
import type { RemoteWorker } from './remote-subject.ts';

/** A credential whose end is known is refused for so long at least. */
const REVOKED_MIN_MS = 60_000;

interface MergedSubjectOptions {
  readonly proxy: RunningProxy;
  readonly fleet: Fleet;
  readonly sight: FleetSight;
}

export class MergedSubject extends ProxySubject {
  private readonly fleet: Fleet;

  constructor({ proxy, fleet, sight }: MergedSubjectOptions) {
    super(proxy, sight);
    this.fleet = fleet;
  }

  /** Without an order of its own: in that in which they began. What goes on from a page is a place in time, then. */
  override async sessions(query: SessionQuery): Promise<Pulled<SessionPage>> {
    const { sort = 'age' } = query;
    const pages = await this.fleet.all('sessions', (worker) => worker.sessions({ ...query, sort }));
    const first = new FirstPlaces<SessionView>(query.limit, sort);
    let more = 0;
    for (const page of pages) {
      for (const { view, place } of page.sessions) first.offer(view, place);
      more += page.more;
    }
    more += first.more;
    return { sessions: first.items, next: more === 0 ? null : first.place, more };
  }

  override session(id: string): Promise<SessionDetail | null> {
    return this.fleet.first('session', (worker) => worker.session(id), isThere);
  }

  /** By its own id before that of its request, and one that is open before one that has ended. */
  override async why(id: string): Promise<WhyView | null> {
    const asked = this.fleet.workers.length;
    const answers = await this.fleet.all('why', (worker) => worker.why(id));
    const found = answers.filter((view) => view !== null);
    if (found.length === 0 && answers.length < asked) throw new Unanswered();
    const rank = ({ session, state }: WhyView) => (session === id ? 0 : state === 'ended' ? 2 : 1);
    return found.sort((a, b) => rank(a) - rank(b))[0] ?? null;
  }

  override async applicationWebsockets(): Promise<Pulled<readonly ApplicationWebsocket[]>> {
    return (await this.fleet.all('websockets', websocketsOf)).flat();
  }

  override async closeSession(id: string, close: AskedClose): Promise<boolean> {
    return (await this.fleet.first('closeSession', (worker) => worker.closeSession(id, close), isTrue)) ?? false;
  }

  override async closeSessions(filter: SessionFilter, close: AskedClose): Promise<number> {
    return sumOf(await this.fleet.all('closeSessions', (worker) => worker.closeSessions(filter, close)));
  }

  override async extendSession(id: string, until: number): Promise<Extended> {
    const extend = (worker: RemoteWorker) => worker.extendSession(id, until);
    return (await this.fleet.first('extendSession', extend, (result) => result !== 'no_session')) ?? 'no_session';
  }

  /** Here first, where it is written down; then in each worker, whose sessions end by it. */
  override async revoke(ask: RevokeAsk): Promise<RevokeResult> {
    const own = await super.revoke({ ...ask, forMs: ask.forMs ?? (await this.leftMs(ask)) });
    if ('error' in own) return own;
    const until = Date.parse(own.until);
    const ended = await this.fleet.all('revoke', (worker) => worker.revoke(ask, until));
    return { ...own, ended: own.ended + sumOf(ended) };
  }

  override async drainRoute(route: string, draining: boolean): Promise<boolean> {
    const isThere = await super.drainRoute(route, draining);
    if (isThere) await this.fleet.all('drainRoute', (worker) => worker.drainRoute(route, draining));
    return isThere;
  }

  override async drainTarget(upstream: string, target: string, draining: boolean): Promise<boolean> {
    const isThere = this.proxy.edge.snapshot.upstreams.get(upstream)?.target(target) !== undefined;
    // Before they hear of it as of any other state of a target, by which nobody's session ends.
    const asked = isThere
      ? this.fleet.all('drainTarget', (worker) => worker.drainTarget(upstream, target, draining))
      : null;
    // And at once: no handshake of theirs may be sent there meanwhile.
    const isKnown = super.drainTarget(upstream, target, draining);
    await asked;
    return isKnown;
  }

  /** For how long it would be good, where a session stands on it; null: nobody knows. */
  private async leftMs(ask: RevokeAsk): Promise<number | null> {
    if (ask.kind !== 'jti') return null;
    const known = Math.max(0, ...(await this.fleet.all('expiry', (worker) => worker.expiry(ask))));
    return known === 0 ? null : Math.max(known - this.proxy.edge.snapshot.wallNow(), REVOKED_MIN_MS);
  }
}

async function websocketsOf(worker: RemoteWorker): Promise<ApplicationWebsocket[]> {
  const found: ApplicationWebsocket[] = [];
  let next = 0;
  do {
    const page = await worker.websockets(next);
    found.push(...page.items);
    next = page.next;
  } while (next !== 0);
  return found;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function isThere(value: unknown): boolean {
  return value !== null;
}

function isTrue(value: boolean): boolean {
  return value;
}
