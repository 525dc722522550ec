// Owns how a table for a terminal is set: columns as wide as their content, one that gives, and nothing that a terminal
// would obey. It knows no view.

import { groupedText } from '../observe/quantities.ts';

export interface Column<T> {
  readonly head: string;
  readonly align: 'left' | 'right';
  readonly text: (row: T) => string;
  /** It is shortened when the line does not fit, the first such column before others. */
  readonly gives?: boolean;
}

const GAP = '  ';
/** A column that gives is never shorter than this. */
const GIVING_WIDTH_MIN = 8;
const NO_LIMIT = '-';

/** Head and rows, as wide as their content, at most `width` where a column gives. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], width: number): string[] {
  const cells = [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ text }) => harmless(text(row))))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  let excess = widths.reduce((sum, one) => sum + one, GAP.length * (columns.length - 1)) - width;
  for (const [index, { gives }] of columns.entries()) {
    const whole = widths[index] ?? 0;
    if (gives !== true || excess <= 0 || whole <= GIVING_WIDTH_MIN) continue;
    widths[index] = Math.max(GIVING_WIDTH_MIN, whole - excess);
    excess -= whole - widths[index];
  }
  return cells.map((line) => {
    const padded = line.map((cell, index) => cellText(cell, widths[index] ?? 0, columns[index]?.align ?? 'left'));
    return padded.join(GAP).trimEnd();
  });
}

function cellText(text: string, width: number, align: 'left' | 'right'): string {
  const short = text.length > width ? `${text.slice(0, Math.max(0, width - 3))}...` : text;
  return align === 'left' ? short.padEnd(width) : short.padStart(width);
}

/** Everything but printable ASCII, as JSON escapes it. */
export function harmless(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export const left = <T>(head: string, text: Column<T>['text']): Column<T> => ({ head, align: 'left', text });
export const right = <T>(head: string, text: Column<T>['text']): Column<T> => ({ head, align: 'right', text });

/** Behind an empty line; nothing without rows. */
export function section<T>(columns: readonly Column<T>[], rows: readonly T[], width: number): string[] {
  return rows.length === 0 ? [] : ['', ...table(columns, rows, width)];
}

export function limitText(limit: number | null): string {
  return limit === null ? NO_LIMIT : groupedText(limit);
}
