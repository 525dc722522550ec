import { describe, expect, test } from 'vitest';
import { jsonPieces } from '../../src/admin/json-pieces.ts';
import { NOTHING_YET } from '../../src/limits/pulled.ts';

const textOf = (value: unknown) => [...jsonPieces(value)].filter((piece) => typeof piece === 'string').join('');

describe('JSON in pieces', () => {
  test.each([
    [null],
    [1.5],
    ['"\\\n\u2028'],
    [[]],
    [{}],
    [{ a: undefined, b: null }],
    [{ a: [], b: [1, [2, { c: [3] }]], d: { e: 'f' } }],
    [[{ 'k"': [1] }, [], {}]],
    [{ a: { b: { c: Array.from({ length: 100 }, (_, at) => ({ at, of: [at] })) } }, d: undefined, e: [undefined] }],
  ])('%j is what JSON.stringify makes of it', (value) => {
    expect(textOf(value)).toBe(JSON.stringify(value));
  });

  test('what is iterable is a list, made while it is written; what is not there yet is no element', () => {
    const made: number[] = [];
    const list = function* () {
      for (const value of [NOTHING_YET, 1, NOTHING_YET, 2, 3, NOTHING_YET]) {
        if (typeof value === 'number') made.push(value);
        yield value;
      }
    };
    const pieces = jsonPieces({ list: list(), rest: true });
    while (!made.includes(2)) pieces.next();
    expect(made).toEqual([1, 2]);
    expect(textOf({ list: list(), none: [NOTHING_YET][Symbol.iterator]() })).toBe('{"list":[1,2,3],"none":[]}');
  });

  test('what an element has to come from is handed on, to be waited for', () => {
    const far = Promise.resolve();
    const pieces = [...jsonPieces({ list: [1, far, 2, far][Symbol.iterator]() })];
    expect(pieces).toEqual(['{"list":', '[', '1', far, ',', '2', far, ']', '}']);
  });

  test('a getter is asked behind the lists before it', () => {
    let last = 0;
    const view = {
      list: (function* () {
        for (last = 1; last < 4; last += 1) yield last;
      })(),
      get next() {
        return last;
      },
    };
    expect(textOf(view)).toBe('{"list":[1,2,3],"next":4}');
  });
});
