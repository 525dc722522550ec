import { expect, test } from 'vitest';
import { HeldLists } from '../../src/fleet/held-lists.ts';
import { Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { FakeClock } from '../support/fake-clock.ts';

function start() {
  const clock = new FakeClock();
  const wheel = new TimerWheel(clock);
  const slices = new Slices({ now: () => clock.now(), nextTurn: queueMicrotask });
  return { clock, wheel, lists: new HeldLists({ clock, wheel, slices }) };
}

/** With places that hold nothing. */
function* upTo(count: number): Generator<number | null> {
  for (let at = 1; at <= count; at += 1) {
    yield null;
    yield at;
  }
}

test('a list comes page by page, each once, and 0 says that there is no more', async () => {
  const { lists, wheel } = start();
  const first = await lists.page(0, 2, () => upTo(5));
  const second = await lists.page(first.next, 2, () => upTo(0));
  const third = await lists.page(second.next, 2, () => upTo(0));
  expect([first.items, second.items, third.items, third.next]).toEqual([[1, 2], [3, 4], [5], 0]);
  expect(wheel.size).toBe(0);
  await expect(lists.page(first.next, 2, () => upTo(5))).rejects.toThrow('not held');
});

test('what is not asked for within ten seconds is let go of', async () => {
  const { lists, wheel, clock } = start();
  const [early, late] = [await lists.page(0, 1, () => upTo(9)), await lists.page(0, 1, () => upTo(9))];
  clock.advance(9_900);
  wheel.advance(clock.now());
  expect((await lists.page(early.next, 1, () => upTo(0))).items).toEqual([2]);
  clock.advance(200);
  wheel.advance(clock.now());
  await expect(lists.page(late.next, 1, () => upTo(0))).rejects.toThrow('not held');
});

test('of more than 16 the oldest makes room', async () => {
  const { lists } = start();
  const begun = [];
  for (let list = 0; list < 17; list += 1) begun.push(await lists.page(0, 1, () => upTo(9)));
  await expect(lists.page(begun[0]?.next ?? 0, 1, () => upTo(0))).rejects.toThrow('not held');
  expect((await lists.page(begun[1]?.next ?? 0, 1, () => upTo(0))).items).toEqual([2]);
});
