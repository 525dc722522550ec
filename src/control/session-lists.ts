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

/** `next` is right once the sessions have been read. */
export function sessionPage(sessions: Sessions, query: SessionQuery, now: () => number): Pulled<SessionPage> {
  const after = query.after === undefined ? 0 : idOrder(query.after);
  let next: string | null = null;
  const isMeant = ({ facts, session }: SessionRecord): boolean =>
    idOrder(facts.session) > after && (query.state === undefined || sessionState(session) === query.state);
  const pick = function* (records: Iterable<Found>): Generator<SessionView | typeof NOTHING_YET> {
    let found = 0;
    let last: string | null = null;
    for (const record of records) {
      if (record === NOTHING_YET || !isMeant(record)) {
        yield NOTHING_YET;
        continue;
      }
      // One more than asked for tells whether there is a next page.
      if (found === query.limit) {
        next = last;
        return;
      }
      found += 1;
      last = record.facts.session;
      yield sessionView(record, now());
    }
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

function fits({ facts }: SessionRecord, { route, client, target }: SessionFilter): boolean {
  if (route !== undefined && facts.route !== route) return false;
  if (client !== undefined && facts.client !== client) return false;
  return target === undefined || facts.target === target;
}

/** Ids count up behind the instance's part, in base 36. What is no id comes before all. */
function idOrder(id: string): number {
  const order = /^[0-9a-f]+-([0-9a-z]{1,10})$/.exec(id)?.[1];
  return order === undefined ? 0 : Number.parseInt(order, 36);
}
