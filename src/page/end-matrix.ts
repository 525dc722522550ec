// Ways in which sessions ended, counted by cause and close code. Pure.

import type { EndCountView } from '../admin/page-types.ts';

/** Causes and codes as rows and columns; what never happened has neither. */
export interface EndMatrix {
  /** Codes by number, classes behind them, `none` last. */
  readonly codes: readonly string[];
  /** The most frequent first. */
  readonly rows: readonly EndRow[];
  readonly totals: readonly number[];
  readonly total: number;
}

interface EndRow {
  readonly reason: string;
  readonly by: EndCountView['by'];
  readonly counts: readonly number[];
  readonly total: number;
}

export function endMatrix(ends: readonly EndCountView[]): EndMatrix {
  const codes = [...new Set(ends.map(({ code }) => code))].sort(byCode);
  const rows = new Map<string, EndCountView[]>();
  for (const end of ends) {
    const key = `${end.by} ${end.reason}`;
    const own = rows.get(key) ?? [];
    rows.set(key, own);
    own.push(end);
  }
  const sums = (counted: readonly EndCountView[]): number[] =>
    codes.map((code) => sumOf(counted.filter((one) => one.code === code)));
  const filled = [...rows.values()].map((counted) => {
    const { reason = '', by = 'proxy' } = counted[0] ?? {};
    return { reason, by, counts: sums(counted), total: sumOf(counted) };
  });
  filled.sort((a, b) => b.total - a.total || a.reason.localeCompare(b.reason));
  return { codes, rows: filled, totals: sums(ends), total: sumOf(ends) };
}

function sumOf(counted: readonly EndCountView[]): number {
  return counted.reduce((sum, { count }) => sum + count, 0);
}

function byCode(a: string, b: string): number {
  if (a === 'none' || b === 'none') return Number(a === 'none') - Number(b === 'none');
  return a < b ? -1 : 1;
}
