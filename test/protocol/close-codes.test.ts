import { expect, test } from 'vitest';
import { CloseCode, isCloseCodeConfigurable, isCloseCodeOnWire, NO_STATUS } from '../../src/protocol/close-codes.ts';

/** The codes of 0-65535 for which `judge` is true, as ranges. */
function ranges(judge: (code: number) => boolean): string {
  const found: string[] = [];
  for (let code = 0, start = -1; code <= 65_536; code++) {
    const isIn = code < 65_536 && judge(code);
    if (isIn && start < 0) start = code;
    if (isIn || start < 0) continue;
    found.push(start === code - 1 ? `${start}` : `${start}-${code - 1}`);
    start = -1;
  }
  return found.join(' ');
}

test('F17: F18: 7.4: what may stand in a Close frame', () => {
  expect(ranges(isCloseCodeOnWire)).toBe('1000-1003 1007-1014 3000-4999');
});

test('what a config may choose', () => {
  expect(ranges(isCloseCodeConfigurable)).toBe('1001 1008 1011-1014 3000-4999');
});

test('numbers that are no codes are none', () => {
  for (const code of [-1, -1000, 65_536, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect([isCloseCodeOnWire(code), isCloseCodeConfigurable(code)]).toEqual([false, false]);
  }
});

test('7.4.1: what we send may be sent; 1005 may not', () => {
  for (const code of Object.values(CloseCode)) expect(isCloseCodeOnWire(code)).toBe(true);
  expect([NO_STATUS, isCloseCodeOnWire(NO_STATUS)]).toEqual([1005, false]);
});
