import { expect, test } from 'vitest';
import { CHECKS_MAX, CheckTurns } from '../../src/upstream/health/check-turns.ts';

test('of all checks together 256 are under way; those above wait, first come first served', () => {
  const turns = new CheckTurns();
  const begun: number[] = [];
  const taken = Array.from({ length: CHECKS_MAX + 3 }, (_, at) => turns.take(() => begun.push(at)));
  expect(begun).toHaveLength(256);
  const [first, second] = taken;
  if (first === undefined || second === undefined) throw new Error('none was taken');
  turns.leave(first);
  turns.leave(first);
  expect(begun.slice(256)).toEqual([256]);
  // Who waits and leaves makes no room, and is not begun.
  const waits = taken[257];
  if (waits !== undefined) turns.leave(waits);
  expect(begun.slice(256)).toEqual([256]);
  turns.leave(second);
  expect(begun.slice(256)).toEqual([256, 258]);
});

test('one that is over before another begins leaves its place to the next but one', () => {
  const turns = new CheckTurns(1);
  const begun: string[] = [];
  const a = turns.take(() => begun.push('a'));
  const b = turns.take(() => {
    begun.push('b');
    turns.leave(b);
  });
  turns.take(() => begun.push('c'));
  turns.leave(a);
  expect(begun).toEqual(['a', 'b', 'c']);
});
