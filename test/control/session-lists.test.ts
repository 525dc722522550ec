// Views that are made while what they show changes.

import { expect, test } from 'vitest';
import { jsonAnswerSteps } from '../../src/admin/answer.ts';
import { applicationWebsockets, sessionPage } from '../../src/control/session-lists.ts';
import type { SessionRecord } from '../../src/edge/session-record.ts';

/** Only what the lists of sessions look at. */
function recordOf(order: number): SessionRecord {
  const transport = { paused: false, pending: 0 };
  const relay = { scanner: {}, gate: {}, lastByteAt: 0 };
  const end = { transport, other: { transport }, relay, liveness: { rttMs: null } };
  const facts = { session: `cafe-${order.toString(36)}`, route: order % 2 === 0 ? 'even' : 'odd', client: '192.0.2.1' };
  const session = { cause: null, client: end, backend: end };
  return { facts, session, credential: null, startedAt: 0, target: { url: 'ws://a' } } as unknown as SessionRecord;
}

test('pages are in the order of ids, in whichever they began', () => {
  const sessions = new Set([3, 1, 5, 2, 4].map(recordOf));
  const page = (after?: string) => {
    const view = sessionPage(sessions, after === undefined ? { limit: 2 } : { limit: 2, after }, () => 1);
    const ids = [...view.sessions].flatMap((one) => (typeof one === 'object' && 'id' in one ? [one.id] : []));
    return [ids, view.next];
  };
  expect(page()).toEqual([['cafe-1', 'cafe-2'], 'cafe-2']);
  expect(page('cafe-2')).toEqual([['cafe-3', 'cafe-4'], 'cafe-4']);
  expect(page('cafe-4')).toEqual([['cafe-5'], null]);
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
  const found = (identity: string) =>
    [...sessionPage(sessions, { identity, limit: 10 }, () => 1).sessions].flatMap((one) =>
      typeof one === 'object' && 'id' in one ? [one.id] : [],
    );
  expect(found('acme')).toEqual(['cafe-1', 'cafe-3']);
  expect(found('users/acme')).toEqual(['cafe-1']);
  expect(found('tokens/users/acme')).toEqual(['cafe-2']);
  expect([found('users/'), found('undefined'), found('users/undefined')]).toEqual([[], [], []]);
});

const parsed = (chunks: readonly Buffer[]) => JSON.parse(Buffer.concat(chunks).toString());

test.each(['websockets', 'sessions'])(
  '%s: sessions come and go between all steps; those that were there throughout are in it, once',
  (view) => {
    const records = Array.from({ length: 600 }, (_, index) => recordOf(index + 1));
    const sessions = new Set(records);
    const value =
      view === 'websockets'
        ? applicationWebsockets(sessions)
        : sessionPage(sessions, { route: 'even', limit: 1000 }, () => 1);
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
