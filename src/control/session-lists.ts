// Which of the open sessions are meant, and lists of them that are read over many turns, whoever comes or goes
// meanwhile. It changes none of them.

import type { ApplicationWebsocket, SessionFilter, SessionPage, SessionQuery, SessionView } from '../admin/subject.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { mapped, NOTHING_YET, type Pulled } from '../limits/pulled.ts';
import { sessionState, sessionView } from './session-view.ts';

/** Live, in the order in which they began. */
type Sessions = ReadonlySet<SessionRecord>;

type Found = SessionRecord | typeof NOTHING_YET;

export function findSession(sessions: Sessions, id: string): SessionRecord | null {
  for (const record of sessions) if (record.facts.session === id) return record;
  return null;
}

/** All that fit, and are not ending already. */
export function chooseSessions(sessions: Sessions, filter: SessionFilter): SessionRecord[] {
  return [...sessions].filter((record) => fits(record, filter) && record.session.cause === null);
}

/** Of all that are offered, in any order, those with the lowest ids. */
class FirstById {
  /** At most `max`, in the order of their ids. */
  readonly records: SessionRecord[] = [];
  /** There were more. */
  isCut = false;
  private readonly max: number;
  private readonly orders: number[] = [];

  constructor(max: number) {
    this.max = max;
  }

  offer(record: SessionRecord): void {
    const { records, orders, max } = this;
    const order = idOrder(record.facts.session);
    let at = orders.length;
    // Nearly in order, so mostly it is the last.
    while (at > 0 && (orders[at - 1] ?? 0) > order) at -= 1;
    records.splice(at, 0, record);
    orders.splice(at, 0, order);
    if (records.length <= max) return;
    records.pop();
    orders.pop();
    this.isCut = true;
  }
}

/** `next` is right once the sessions have been read. */
export function sessionPage(sessions: Sessions, query: SessionQuery, now: () => number): Pulled<SessionPage> {
  const after = query.after === undefined ? 0 : idOrder(query.after);
  let next: string | null = null;
  const isMeant = ({ facts, session }: SessionRecord): boolean =>
    idOrder(facts.session) > after && (query.state === undefined || sessionState(session) === query.state);
  const pick = function* (records: Iterable<Found>): Generator<SessionView | typeof NOTHING_YET> {
    // An id is given before the backend answers: they begin in about the order of their ids.
    const first = new FirstById(query.limit);
    for (const record of records) {
      if (record !== NOTHING_YET && isMeant(record)) first.offer(record);
      yield NOTHING_YET;
    }
    next = first.isCut ? (first.records.at(-1)?.facts.session ?? null) : null;
    for (const record of first.records) yield sessionView(record, now());
  };
  return {
    sessions: pick(chooseSlowly(sessions, query)),
    get next() {
      return next;
    },
  };
}

export function applicationWebsockets(sessions: Sessions): Pulled<readonly ApplicationWebsocket[]> {
  return mapped(chooseSlowly(sessions, {}), (record) => {
    if (record === NOTHING_YET || record.session.cause !== null) return NOTHING_YET;
    const { facts, target } = record;
    return {
      sessionId: facts.session,
      clientAddress: facts.client,
      gatewayPath: facts.path,
      serviceUrl: target.url,
      serviceSessionId: facts.request_id,
    };
  });
}

/**
 * To be read over many turns: a set goes on behind what it has given, whoever leaves or comes meanwhile. As many as
 * there are at first hold all that stay, since newer ones come behind them; without an end it could go on for ever.
 */
function* chooseSlowly(sessions: Sessions, filter: SessionFilter): Generator<Found> {
  let left = sessions.size;
  for (const record of sessions) {
    yield fits(record, filter) ? record : NOTHING_YET;
    left -= 1;
    if (left <= 0) return;
  }
}

function fits({ facts }: SessionRecord, { route, client, target, identity }: SessionFilter): boolean {
  if (route !== undefined && facts.route !== route) return false;
  if (client !== undefined && facts.client !== client) return false;
  if (target !== undefined && facts.target !== target) return false;
  if (identity === undefined) return true;
  // With a "/" it is METHOD/NAME: somebody of another method may be named like that pair.
  const own = identity.includes('/') ? `${facts.auth}/${facts.identity ?? ''}` : facts.identity;
  return facts.identity !== undefined && own === identity;
}

/** Ids count up behind the instance's part, in base 36. What is no id comes before all. */
function idOrder(id: string): number {
  const order = /^[0-9a-f]+-([0-9a-z]{1,10})$/.exec(id)?.[1];
  return order === undefined ? 0 : Number.parseInt(order, 36);
}
