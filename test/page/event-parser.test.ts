// The page's reading of an event stream, however it is cut.

import { describe, expect, test } from 'vitest';
import { EventParser } from '../../src/page/event-parser.ts';

const TEXT =
  ': hello\n\nevent: second\ndata: {"at":1}\n\ndata: a\r\ndata:b\r\n\r\nid: 7\nretry: 1\n\nevent: end\ndata:  x\n\n';
const EVENTS = [
  { name: 'second', data: '{"at":1}' },
  { name: 'message', data: 'a\nb' },
  { name: 'end', data: ' x' },
];

describe('an event stream', () => {
  test('is the same events whole, sign by sign and cut in two anywhere', () => {
    const ways = [[TEXT], [...TEXT], ...Array.from(TEXT, (_, at) => [TEXT.slice(0, at), TEXT.slice(at)])];
    for (const parts of ways) {
      const parser = new EventParser();
      expect(parts.flatMap((part) => parser.feed(part))).toEqual(EVENTS);
    }
  });

  test('an event counts when the empty line behind it is there', () => {
    const parser = new EventParser();
    expect(parser.feed('data: a\n')).toEqual([]);
    expect(parser.feed('\n')).toEqual([{ name: 'message', data: 'a' }]);
  });

  test.each([
    ['one line', 'data: ', 'x'.repeat(1_048_576)],
    ['many lines', '', `data: ${'x'.repeat(1_048_569)}\n`],
  ])('one of %s that has no end is not kept without an end', (_, begin, more) => {
    const parser = new EventParser();
    parser.feed(begin);
    for (let i = 0; i < 3; i += 1) parser.feed(more);
    expect(() => {
      for (let i = 0; i < 2; i += 1) parser.feed(more);
    }).toThrow('too large');
  });
});
