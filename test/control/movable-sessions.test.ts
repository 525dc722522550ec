// Which sessions a rebalance may close, found among many.

import { expect, test } from 'vitest';
import { movableOn } from '../../src/control/movable-sessions.ts';
import type { SessionRecord } from '../../src/edge/session-record.ts';
import { atOnce } from '../../src/limits/slices.ts';
import { newTarget } from '../support/upstreams.ts';

const a = newTarget('a');
const b = newTarget('b');

/** Only what is looked at. */
function recordOf(startedAt: number, target = a): SessionRecord {
  const session = {
    cause: null as string | null,
    end(cause: string) {
      this.cause ??= cause;
    },
  };
  return { startedAt, target, session } as unknown as SessionRecord;
}

function ended(records: readonly SessionRecord[]): number[] {
  return records.flatMap(({ session, startedAt }) => (session.cause === 'rebalance' ? [startedAt] : []));
}

test.each([
  [1, [6]],
  [2, [6, 4]],
  [3, [6, 4, 1]],
  [9, [6, 4, 1]],
])('the youngest %i of the target that are old enough and not ending', (count, expected) => {
  const records = [
    recordOf(1),
    recordOf(2, b),
    recordOf(3),
    recordOf(4),
    recordOf(5, b),
    recordOf(6),
    recordOf(7),
    recordOf(8),
  ];
  records[2]?.session.end('drain');
  const found = atOnce(movableOn({ sessions: new Set(records), draining: false }, a, { count, startedBefore: 7 }));
  const moved = found.map((one) => {
    const before = new Set(ended(records));
    expect(one.move()).toBe(true);
    return ended(records).find((startedAt) => !before.has(startedAt));
  });
  expect(moved).toEqual(expected);
  expect(found.map((one) => one.move())).toEqual(expected.map(() => false));
});

test('nobody who has ended meanwhile, nor while the process drains', () => {
  const records = [recordOf(1), recordOf(2)];
  const place = { sessions: new Set(records), draining: false };
  const found = atOnce(movableOn(place, a, { count: 2, startedBefore: 9 }));
  records[1]?.session.end('idle');
  place.draining = true;
  expect(found.map((one) => one.move())).toEqual([false, false]);
  place.draining = false;
  expect(found.map((one) => one.move())).toEqual([false, true]);
});

test('of 100 000 sessions in steps that each do one', () => {
  const records = Array.from({ length: 100_000 }, (_, index) => recordOf(index, index % 4 === 0 ? a : b));
  const steps = movableOn({ sessions: new Set(records), draining: false }, a, { count: 1_250, startedBefore: 1e6 });
  let count = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) count += 1;
  expect(count).toBe(100_000 + 1_250);
  for (const one of step.value) one.move();
  expect(ended(records).length).toBe(1_250);
  expect(Math.min(...ended(records))).toBe(100_000 - 4 * 1_250);
});
