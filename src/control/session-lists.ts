// Which of the open sessions are meant, and lists of them that are read over many turns, whoever comes or goes
// meanwhile. It changes none of them.

import type { ApplicationWebsocket, SessionFilter, SessionPage, SessionQuery, SessionView } from '../admin/subject.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { mapped, NOTHING_YET, type Pulled } from '../limits/pulled.ts';
import { FirstPlaces, isBehind, placeBefore, placeOf } from './session-order.ts';
import { sessionState, sessionView } from './session-view.ts';

/** Live, in the order in which they began. */
type Sessions = ReadonlySet<SessionRecord>;

type Found = SessionRecord | typeof NOTHING_YET;

export function findSession(sessions: Sessions, id: string): SessionRecord | null {
  for (const record of sessions) if (record.facts.session === id) return record;
  return null;
}

export function findByRequest(sessions: Sessions, id: string): SessionRecord | null {
  for (const record of sessions) if (record.facts.request_id === id) return record;
  return null;
}

/** All that fit, and are not ending already. */
export function chooseSessions(sessions: Sessions, filter: SessionFilter): SessionRecord[] {
  return [...sessions].filter((record) => fits(record, filter) && record.session.cause === null);
}

/** `next` and `more` are right once the sessions have been read. */
export function sessionPage(sessions: Sessions, query: SessionQuery, now: () => number): Pulled<SessionPage> {
  const first = new FirstPlaces<SessionRecord>(query.limit, query.sort);
  const pick = function* (): Generator<SessionView | typeof NOTHING_YET> {
    yield* offerSlowly(first, sessions, query, 0);
    for (const record of first.items) yield sessionView(record, now());
  };
  return {
    sessions: pick(),
    get next() {
      return first.after;
    },
    get more() {
      return first.more;
    },
  };
}

/** All that are meant, to `first`. `origin`: of the clock, in one that several processes share. */
export function* offerSlowly(
  first: FirstPlaces<SessionRecord>,
  sessions: Sessions,
  query: SessionQuery,
  origin: number,
): Generator<typeof NOTHING_YET> {
  const { sort, state } = query;
  const before = placeBefore(query.after, sort);
  // An id is given before the backend answers: sessions begin in about the order of their ids, and no more than that.
  for (const record of chooseSlowly(sessions, query)) {
    if (record !== NOTHING_YET && (state === undefined || sessionState(record.session) === state)) {
      const place = placeOf(record, sort, origin);
      if (isBehind(place, before)) first.offer(record, place);
    }
    yield NOTHING_YET;
  }
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
