import { expect, test } from 'vitest';
import {
  ALL_ROUTES,
  Meter,
  rateText,
  routeCounters,
  sessionCounters,
  targetCounters,
  targetKey,
} from '../../src/cli/rates.ts';
import { busiestFirst } from '../../src/cli/session-order.ts';
import { sampleSession, sampleStatus, sampleUpstreams } from '../support/fake-admin-subject.ts';

const counters = (at: number, sessions: number, messages = 0, bytes = 0) =>
  new Map([['a', { at, sessions, messages, bytes }]]);

test('a rate is what was counted between two looks, by the time between them', () => {
  const meter = new Meter();
  expect(meter.look(counters(1_000, 5, 100, 1_000))).toEqual(new Map());
  expect(meter.look(counters(3_000, 6, 110, 1_000))).toEqual(
    new Map([['a', { sessions: 0.5, messages: 5, bytes: 0 }]]),
  );
});

test('there is none of what was not there before, has begun anew, or when no time has passed', () => {
  const meter = new Meter();
  meter.look(new Map());
  expect(meter.look(counters(1_000, 5))).toEqual(new Map());
  expect(meter.look(counters(1_000, 6))).toEqual(new Map());
  expect(meter.look(counters(2_000, 5))).toEqual(new Map());
  expect(meter.look(counters(500, 9))).toEqual(new Map());
});

test('counted are routes and all of them by uptime, sessions by their age, targets by the time that is given', () => {
  const [route] = sampleStatus.routes;
  if (route === undefined) throw new Error('the sample has a route');
  const status = { ...sampleStatus, routes: [route, { ...route, name: 'b' }] };
  const one = { at: 7_200_000, sessions: 56_789, messages: 3_204_311, bytes: 990_000_000 };
  const both = { at: 7_200_000, sessions: 113_578, messages: 6_408_622, bytes: 1_980_000_000 };
  expect(routeCounters(status)).toEqual(new Map(Object.entries({ chat: one, b: one, [ALL_ROUTES]: both })));
  expect(sessionCounters([sampleSession]).get('cafe-1')).toEqual({
    ...{ at: 90_000, sessions: 0, messages: 34_579, bytes: 9_003_400 },
  });
  expect(targetCounters(sampleUpstreams, 3).get(targetKey('chat', 'a'))).toEqual({
    ...{ at: 3, sessions: 56_789, messages: 0, bytes: 0 },
  });
});

test('the busiest first; one that was not seen before by its average', () => {
  const side = { ...sampleSession.from_client, messages: 0 };
  const withMessages = (id: string, messages: number) => ({
    ...sampleSession,
    ...{ id, age_ms: 2_000, from_backend: side, from_client: { ...side, messages } },
  });
  const sessions = [withMessages('idle', 1_000), withMessages('new', 20), withMessages('busy', 100)];
  const rate = (messages: number) => ({ sessions: 0, messages, bytes: 0 });
  const rates = new Map([
    ['idle', rate(0)],
    ['busy', rate(11)],
  ]);
  expect(busiestFirst(sessions, rates, 'messages').map(({ id }) => id)).toEqual(['busy', 'new', 'idle']);
});

test.each([
  [undefined, '?'],
  [0, '0'],
  [0.25, '0.25'],
  [999.4, '999'],
  [999.5, '1 000'],
  [12_345.6, '12 346'],
])('%s is %s', (rate, text) => {
  expect(rateText(rate)).toBe(text);
});
