import { expect, test } from 'vitest';
import { allowedProtocols, entryFor } from '../../src/protocol/subprotocols.ts';

test('any lets the whole offer through, a list what it names, in the order of the offer', () => {
  expect(allowedProtocols(['b', 'a'], 'any')).toEqual(['b', 'a']);
  expect(allowedProtocols(['b', 'a', 'c'], ['a', 'b'])).toEqual(['b', 'a']);
  expect(allowedProtocols(['A', 'ab'], ['a'])).toEqual([]);
});

test('an entry with * at its end stands for all that begin so, case-sensitively', () => {
  expect(allowedProtocols(['v1.x', 'v1.', 'V1.x', 'v1', 'xv1.'], ['v1.*'])).toEqual(['v1.x', 'v1.']);
  expect(allowedProtocols(['a*b', 'axb'], ['a*b'])).toEqual(['a*b']);
});

test('a name is told by the entry that fits it best', () => {
  expect(entryFor('a.b.c', ['a.*', 'a.b.*', 'a.b.c'])).toBe('a.b.c');
  expect(entryFor('a.b.d', ['a.*', 'a.b.*', 'a.b.c'])).toBe('a.b.*');
  expect(entryFor('b', ['a.*'])).toBeNull();
  expect(entryFor('b', 'any')).toBeNull();
});
