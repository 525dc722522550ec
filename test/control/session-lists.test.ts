// Views that are made while what they show changes.

import { expect, test } from 'vitest';
import { jsonAnswerSteps } from '../../src/admin/answer.ts';
import type { SessionQuery, SessionSort } from '../../src/admin/subject.ts';
import { applicationWebsockets, sessionPage } from '../../src/control/session-lists.ts';
import type { SessionRecord } from '../../src/edge/session-record.ts';

interface Figures {
  readonly messages?: number;
  readonly dataBytes?: number;
  readonly held?: number;
  readonly rttMs?: number | null;
  readonly lastByteAt?: number;
  readonly startedAt?: number;
}

/** Only what the lists of sessions look at. Each side has these figures. */
function recordOf(order: number, figures: Figures = {}): SessionRecord {
  const { messages = 0, dataBytes = 0, held = 0, rttMs = null, lastByteAt = 0, startedAt = 0 } = figures;
  const transport = { paused: false, pending: 0, held };
  const relay = { scanner: { messages, dataBytes }, gate: {}, lastByteAt };
  const end = { transport, other: { transport }, relay, liveness: { rttMs } };
  const facts = { session: `cafe-${order.toString(36)}`, route: order % 2 === 0 ? 'even' : 'odd', client: '192.0.2.1' };
  const session = { cause: null, client: end, backend: end };
  return { facts, session, credential: null, startedAt, target: { url: 'ws://a' } } as unknown as SessionRecord;
}

/** The ids of a page, what the next one goes on from, and how many are behind. */
function pageOf(sessions: Iterable<SessionRecord>, query: SessionQuery): [string[], string | null, number] {
  const view = sessionPage(new Set(sessions), query, () => 1);
  const ids = [...view.sessions].flatMap((one) => (typeof one === 'object' && 'id' in one ? [one.id] : []));
  return [ids, view.next, view.more];
}

test('pages are in the order of ids, in whichever they began', () => {
  const sessions = [3, 1, 5, 2, 4].map((order) => recordOf(order));
  const page = (after?: string) => pageOf(sessions, after === undefined ? { limit: 2 } : { limit: 2, after });
  expect(page()).toEqual([['cafe-1', 'cafe-2'], 'cafe-2', 3]);
  expect(page('cafe-2')).toEqual([['cafe-3', 'cafe-4'], 'cafe-4', 1]);
  expect(page('cafe-4')).toEqual([['cafe-5'], null, 0]);
});

test.each<[SessionSort, Figures[], string]>([
  ['messages', [{ messages: 2 }, { messages: 10 }, {}], '2 1 3'],
  ['bytes', [{ dataBytes: 2 ** 40 }, {}, { dataBytes: 2 ** 40 + 1 }], '3 1 2'],
  ['buffered', [{}, { held: 1 }, { held: 2 }], '3 2 1'],
  ['rtt', [{ rttMs: 0 }, {}, { rttMs: 0.25 }], '3 1 2'],
  ['silent', [{ lastByteAt: 9 }, { lastByteAt: 7 }, { lastByteAt: 8 }], '2 3 1'],
  ['age', [{ startedAt: 9 }, { startedAt: -1 }, { startedAt: 8 }], '2 3 1'],
])('by %s: what is largest comes first, and pages go on there', (sort, figures, expected) => {
  const sessions = figures.map((one, index) => recordOf(index + 1, one));
  const ids = expected.split(' ').map((order) => `cafe-${order}`);
  expect(pageOf(sessions, { sort, limit: 3 })).toEqual([ids, null, 0]);
  const [first, next, more] = pageOf(sessions, { sort, limit: 2 });
  expect([first, more]).toEqual([ids.slice(0, 2), 1]);
  expect(pageOf(sessions, { sort, limit: 2, after: next ?? '' })).toEqual([ids.slice(2), null, 0]);
});

test('equal ones are in the order in which they began, over pages, whether the last of a page stays or not', () => {
  const sessions = [6, 3, 1, 5, 2, 4].map((order) => recordOf(order, { messages: order === 6 ? 8 : 7 }));
  const [ids, next] = pageOf(sessions, { sort: 'messages', limit: 3 });
  expect([ids, next]).toEqual([['cafe-6', 'cafe-1', 'cafe-2'], '-14/cafe-2']);
  const left = sessions.filter(({ facts }) => facts.session !== 'cafe-2');
  expect(pageOf(left, { sort: 'messages', limit: 3, after: '-14/cafe-2' })[0]).toEqual(['cafe-3', 'cafe-4', 'cafe-5']);
});

test('an identity is a name of any method, or METHOD/NAME: never another one that is named so', () => {
  const holders = [
    { auth: 'users', identity: 'acme' },
    { auth: 'tokens', identity: 'users/acme' },
    { auth: 'tokens', identity: 'acme' },
    { auth: 'users' },
    {},
  ];
  const sessions = new Set(
    holders.map((holder, index) => {
      const record = recordOf(index + 1);
      return { ...record, facts: { ...record.facts, ...holder } } as SessionRecord;
    }),
  );
  const found = (identity: string) => pageOf(sessions, { identity, limit: 10 })[0];
  expect(found('acme')).toEqual(['cafe-1', 'cafe-3']);
  expect(found('users/acme')).toEqual(['cafe-1']);
  expect(found('tokens/users/acme')).toEqual(['cafe-2']);
  expect([found('users/'), found('undefined'), found('users/undefined')]).toEqual([[], [], []]);
});

const parsed = (chunks: readonly Buffer[]) => JSON.parse(Buffer.concat(chunks).toString());

test.each(['websockets', 'sessions', 'sorted'])(
  '%s: sessions come and go between all steps; those that were there throughout are in it, once',
  (view) => {
    const records = Array.from({ length: 600 }, (_, index) => recordOf(index + 1));
    const sessions = new Set<SessionRecord>(records);
    const value =
      view === 'websockets'
        ? applicationWebsockets(sessions)
        : sessionPage(sessions, { route: 'even', limit: 1000, ...(view === 'sorted' ? { sort: 'age' } : {}) }, () => 1);
    const steps = jsonAnswerSteps(value);
    let made = records.length;
    let step = steps.next();
    for (let count = 0; step.done !== true; count += 1) {
      if (count > 100_000) throw new Error('a view has no end');
      // Every third leaves, some before and some behind where the view has come to; new ones come all the time.
      const leaver = records[(count * 3) % records.length];
      if (leaver !== undefined) sessions.delete(leaver);
      made += 1;
      sessions.add(recordOf(made));
      step = steps.next();
    }
    const body = parsed(step.value.chunks);
    const ids: string[] =
      view === 'websockets'
        ? body.map((one: { sessionId: string }) => one.sessionId)
        : body.sessions.map((one: { id: string }) => one.id);
    const stayed = records.filter((one) => sessions.has(one) && (view === 'websockets' || one.facts.route === 'even'));
    expect(stayed.length).toBeGreaterThan(100);
    expect(stayed.map(({ facts }) => facts.session).filter((id) => !ids.includes(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  },
);
