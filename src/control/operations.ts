// What an operator does to open sessions, routes and targets. Whoever has to go gets its Close; nobody is cut off here.

import type { AskedClose, SessionFilter } from '../admin/subject.ts';
import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { chooseSessions, findSession } from './session-lists.ts';
import { Spread } from './spread.ts';
import { targetSpreadMs } from './target-spread.ts';

export class Operations {
  private readonly edge: Edge;

  constructor(edge: Edge) {
    this.edge = edge;
  }

  /** At once. False: no such session, or it is ending already. */
  closeSession(id: string, notice: AskedClose): boolean {
    const record = findSession(this.edge.sessions, id);
    if (record === null || record.session.cause !== null) return false;
    record.session.end('admin', { notice });
    return true;
  }

  /** All that fit; how many those are. */
  closeSessions(filter: SessionFilter, notice: AskedClose): number {
    const chosen = chooseSessions(this.edge.sessions, filter);
    this.spread(chosen, ({ session }) => session.end('admin', { notice }));
    return chosen.length;
  }

  /** It takes no new sessions, and those that it has end; or it takes them again. False: there is no such route. */
  drainRoute(name: string, draining: boolean): boolean {
    const { edge } = this;
    const route = edge.snapshot.routes.get(name);
    if (route === undefined) return false;
    const isNew = draining && !route.draining;
    route.draining = draining;
    if (!isNew) return true;
    const records = [...edge.sessions].filter((record) => record.route === route);
    this.spread(records, ({ session }) => {
      if (route.draining) session.end('drain');
    });
    for (const connection of [...edge.connections]) connection.lookAgain();
    return true;
  }

  /** The same for one target, as `drain` of its upstream says. */
  drainTarget(upstreamName: string, name: string, draining: boolean): boolean {
    const { edge } = this;
    const upstream = edge.snapshot.upstreams.get(upstreamName);
    const target = upstream?.target(name);
    if (upstream === undefined || target === undefined) return false;
    const isNew = draining && !target.draining;
    if (draining) target.bar('draining', 'admin', edge.clock.now());
    else target.lift('draining', edge.clock.now());
    if (!isNew || upstream.config.drain.mode === 'keep') return true;
    const records = [...edge.sessions].filter((record) => record.target === target);
    new Spread(edge, records, targetSpreadMs(edge, upstreamName), ({ session }) => {
      if (target.draining) session.end('target_drain');
    });
    return true;
  }

  /** Over `drain.spread`: each is looked at again when it is its turn. */
  private spread(records: readonly SessionRecord[], end: (record: SessionRecord) => void): void {
    new Spread(this.edge, records, this.edge.snapshot.config.drain.spread, end);
  }
}
