import { expect, test } from 'vitest';
import { didYouMean, nearest } from '../../src/config/suggest.ts';

const KEYS = ['limits', 'listeners', 'max_frame_size', 'max_message_size', 'log', 'path'];

test.each([
  ['limts', 'limits'],
  ['lmiits', 'limits'],
  ['limitss', 'limits'],
  ['maxFrameSize', 'max_frame_size'],
  ['max-frame-size', 'max_frame_size'],
  ['MAX_MESSAGE_SIZE', 'max_message_size'],
  ['lgo', 'log'],
  ['pth', 'path'],
])('%s was meant as %s', (typed, meant) => {
  expect(nearest(typed, KEYS)).toBe(meant);
});

test.each(['', 'x', 'workers', 'xyz', 'l'.repeat(65)])('nothing is near %j', (typed) => {
  expect(nearest(typed, KEYS)).toBeNull();
  expect(didYouMean(typed, KEYS)).toBe('');
});

test('the words are those of the command line', () => {
  expect(didYouMean('limts', KEYS)).toBe(' (did you mean "limits"?)');
});
