import { expect, test } from 'vitest';
import { WallWatch } from '../../src/observe/wall-watch.ts';

test('a wall clock that was set by more than a second is noticed once, either way', () => {
  const watch = new WallWatch(100, 1_000_000);
  expect(watch.look(150, 1_000_050)).toBe(0);
  expect(watch.look(200, 4_600_100)).toBe(3_600_000);
  expect(watch.look(250, 4_600_150)).toBe(0);
  expect(watch.look(300, 1_000_200)).toBe(-3_600_000);
});

test('a second is none, however long ago the last look was; a correction in small steps is none', () => {
  const watch = new WallWatch(0, 0);
  expect(watch.look(60_000, 61_000)).toBe(0);
  expect(watch.look(60_050, 62_051)).toBe(1_001);
  for (let i = 1; i <= 100; i += 1) expect(watch.look(60_050 + 50 * i, 62_051 + 51 * i)).toBe(0);
});
