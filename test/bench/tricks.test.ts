import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TRICKS } from '../../bench/tricks/tricks.ts';
import { replaceOnce } from '../../bench/tricks/variant.ts';

describe.each(TRICKS)('$name', ({ edits }) => {
  test('every edit that undoes it fits the source, once, and changes it', () => {
    expect(edits.length).toBeGreaterThan(0);
    for (const edit of edits) {
      const text = readFileSync(edit.file, 'utf8');
      expect(replaceOnce(text, edit)).not.toBe(text);
    }
  });
});

test('an edit that fits nowhere, or twice, is an error', () => {
  const edit = { file: 'x.ts', search: 'a', replace: 'b' };
  expect(replaceOnce('cac', edit)).toBe('cbc');
  expect(() => replaceOnce('ccc', edit)).toThrow('x.ts holds 0 times: a');
  expect(() => replaceOnce('aca', edit)).toThrow('x.ts holds 2 times: a');
});
