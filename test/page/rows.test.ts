// What the page makes of ends and of advice before it shows them.

import { describe, expect, test } from 'vitest';
import { advise } from '../../src/observe/advice.ts';
import { adviseCap } from '../../src/observe/cap-advice.ts';
import { adviceRows } from '../../src/page/advice-rows.ts';
import { endMatrix } from '../../src/page/end-matrix.ts';

const DAY_MS = 86_400_000;

describe('the matrix of ends', () => {
  test('has a row for each cause and a column for each code, sums at both edges', () => {
    const matrix = endMatrix([
      { by: 'client', reason: 'client_close', code: 'none', count: 1 },
      { by: 'proxy', reason: 'idle', code: '1001', count: 5 },
      { by: 'client', reason: 'client_close', code: '4xxx', count: 2 },
      { by: 'client', reason: 'client_close', code: '1000', count: 4 },
    ]);
    expect(matrix).toEqual({
      codes: ['1000', '1001', '4xxx', 'none'],
      rows: [
        { reason: 'client_close', by: 'client', counts: [4, 0, 2, 1], total: 7 },
        { reason: 'idle', by: 'proxy', counts: [0, 5, 0, 0], total: 5 },
      ],
      totals: [4, 5, 2, 1],
      total: 12,
    });
  });

  test('of nothing is empty', () => {
    expect(endMatrix([])).toEqual({ codes: [], rows: [], totals: [], total: 0 });
  });
});

test('of advice only what is tight or loose is shown, caps too', () => {
  const cap = { key: 'limits.max_sessions', unit: 'count', value: 100, peak: 99, refused: 3 } as const;
  const rows = adviceRows(
    advise([], 2 * DAY_MS, [adviseCap(cap, 2 * DAY_MS), adviseCap({ ...cap, peak: 3, refused: 0 }, 1)]),
  );
  expect(rows).toEqual([
    {
      verdict: 'tight',
      route: 'all',
      key: 'limits.max_sessions',
      value: '100',
      seen: 'at most 99 at a time, 3 refused',
      suggested: '200',
    },
  ]);
});
