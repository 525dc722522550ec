import { expect, test } from 'vitest';
import { areMapsEqualInSteps, isEqualInSteps } from '../../src/config/stepwise-equal.ts';

function run(steps: Generator<void, boolean>): { equal: boolean; pauses: number } {
  for (let pauses = 0; ; pauses += 1) {
    const step = steps.next();
    if (step.done === true) return { equal: step.value, pauses };
  }
}

const list = (length: number, at = -1) => Array.from({ length }, (_, i) => ({ name: `n${i}`, other: i === at }));

test('lists are compared item by item, a hundred in a step', () => {
  expect(run(isEqualInSteps(list(100), list(100)))).toEqual({ equal: true, pauses: 0 });
  expect(run(isEqualInSteps(list(1001), list(1001)))).toEqual({ equal: true, pauses: 10 });
  for (const at of [0, 99, 100, 1000])
    expect(run(isEqualInSteps(list(1001), list(1001, at)))).toEqual({ equal: false, pauses: Math.floor(at / 100) });
  expect(run(isEqualInSteps(list(10), list(11))).equal).toBe(false);
  expect(run(isEqualInSteps([], {})).equal).toBe(false);
  expect(run(isEqualInSteps(1, 1)).equal).toBe(true);
});

test('maps are compared value by value', () => {
  const map = { kind: 'x', keys: list(300), quota: { a: 1 } };
  expect(run(areMapsEqualInSteps(map, structuredClone(map)))).toEqual({ equal: true, pauses: 2 });
  expect(run(areMapsEqualInSteps(map, { ...map, quota: { a: 2 } })).equal).toBe(false);
  expect(run(areMapsEqualInSteps(map, { ...map, more: 1 })).equal).toBe(false);
  expect(run(areMapsEqualInSteps({ a: undefined }, { b: undefined })).equal).toBe(false);
});
