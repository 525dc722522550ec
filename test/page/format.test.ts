// Numbers and names on the page: as the terminal writes them, and nothing that hides.

import { describe, expect, test } from 'vitest';
import * as terminal from '../../src/observe/quantities.ts';
import { durationText, groupedText, percentText, rateText, sizeText, visible } from '../../src/page/format.ts';

const numbers = Array.from({ length: 44 }, (_, power) => [2 ** power, 2 ** power - 1, 1.37 * 2 ** power]).flat();
const edges = [0, 0.2, 99.4, 99.5, 999.4, 999.5, 1023.4, 1023.5, 59_949, 59_950, 3_599_999, 172_799_999, 172_800_000];
const closed = (text: string): string => text.replace(/[\s\u00a0]/g, '');

describe('amounts', () => {
  test('are those of the terminal, with a space before the unit', () => {
    for (const amount of [...numbers, ...edges]) {
      expect(closed(sizeText(amount))).toBe(terminal.sizeText(amount));
      expect(closed(durationText(amount))).toBe(terminal.durationText(amount));
      expect(closed(groupedText(amount))).toBe(closed(terminal.groupedText(amount)));
    }
    expect([sizeText(1536), durationText(90_000), groupedText(1_204_311)]).toEqual([
      '1.5 KiB',
      '1.5 m',
      '1\u00a0204\u00a0311',
    ]);
  });

  test('a clock that went back makes no negative time', () => {
    expect(durationText(-3)).toBe('0 ms');
  });

  test('rates and shares', () => {
    expect([0, 0.25, 99.4, 99.5, 12_345.6].map(rateText)).toEqual(['0', '0.25', '99', '100', '12\u00a0346']);
    expect([0, 0.000_001, 0.004, 0.123, 1].map(percentText)).toEqual([
      '0 %',
      'under 0.001 %',
      '0.4 %',
      '12 %',
      '100 %',
    ]);
  });
});

test('what cannot be seen, or turns text around, is shown as an escape; all else stays as it is', () => {
  expect(visible('a\u0000b\u202ec\u200bd\ufeff\u2028\n\ud800')).toBe(
    'a\\u{0}b\\u{202e}c\\u{200b}d\\u{feff}\\u{2028}\\u{a}\\u{d800}',
  );
  expect(visible('<b>grüße & 你好 "x"</b> 👍')).toBe('<b>grüße & 你好 "x"</b> 👍');
});
