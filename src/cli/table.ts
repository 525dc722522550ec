// Owns how a table for a terminal is set: columns as wide as their content, some that give or go where there is no
// room. It knows no view.

import { groupedText } from '../observe/quantities.ts';
import { cutLine, cutText, harmless, type Line, piece, type Tone } from './line.ts';

export interface Column<T> {
  readonly head: string;
  readonly align: 'left' | 'right';
  readonly text: (row: T) => string;
  /** Where the line does not fit it is shortened, to this width at least, the widest such column before others. */
  readonly gives?: number;
  /** Where that does not do, columns are left out, those with the highest number first; one without it never. */
  readonly rank?: number;
  readonly tone?: (row: T) => Tone | null;
}

/** Head and rows. */
interface Table {
  readonly head: Line;
  readonly rows: readonly Line[];
}

const GAP = '  ';
/** For what there is not. */
export const NONE = '-';

type Wishes<T> = Omit<Column<T>, 'head' | 'align' | 'text'>;

export const left = <T>(head: string, text: Column<T>['text'], wishes: Wishes<T> = {}): Column<T> => {
  return { head, align: 'left', text, ...wishes };
};

export const right = <T>(head: string, text: Column<T>['text'], wishes: Wishes<T> = {}): Column<T> => {
  return { head, align: 'right', text, ...wishes };
};

export function limitText(limit: number | null): string {
  return limit === null ? NONE : groupedText(limit);
}

/** A column with what it would show: the head first. */
interface Shown<T> {
  readonly column: Column<T>;
  readonly cells: readonly string[];
  /** At least, and as the content has it. */
  readonly least: number;
  readonly whole: number;
}

/** As wide as its content; at most `width`, where it can be had by what columns give, by fewer of them, or by a cut. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], width: number): Table {
  const all = columns.map((column) => shownOf(column, rows));
  const shown = fitting(all, width);
  const widths = widthsOf(shown, width);
  const lineOf = (row: T | null, index: number): Line => {
    const pieces = shown.flatMap(({ column, cells }, at) => {
      const tone = row === null ? 'strong' : (column.tone?.(row) ?? null);
      const isLast = at === shown.length - 1;
      return [
        ...(at === 0 ? [] : [piece(GAP)]),
        ...cell(cells[index] ?? '', widths[at] ?? 0, { align: column.align, tone, isLast }),
      ];
    });
    return cutLine(pieces, width);
  };
  return { head: lineOf(null, 0), rows: rows.map((row, index) => lineOf(row, index + 1)) };
}

/** The widest of those that give goes first, so that as little as can be is lost of each. */
function widthsOf<T>(shown: readonly Shown<T>[], width: number): readonly number[] {
  const widths = shown.map(({ whole }) => whole);
  for (let excess = sum(widths) - width; excess > 0; excess -= 1) {
    let widest = -1;
    for (const [at, { least }] of shown.entries()) {
      const own = widths[at] ?? 0;
      if (own > least && own > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function shownOf<T>(column: Column<T>, rows: readonly T[]): Shown<T> {
  const cells = [column.head, ...rows.map((row) => harmless(column.text(row)))];
  const whole = cells.reduce((most, { length }) => Math.max(most, length), 0);
  return { column, cells, whole, least: Math.min(whole, column.gives ?? whole) };
}

/** Gaps between them included. */
function sum(widths: readonly number[]): number {
  return widths.reduce((total, one) => total + one, GAP.length * (widths.length - 1));
}

/** Those that have room; the ones that say nothing of any row go first, those with one rank together. */
function fitting<T>(all: readonly Shown<T>[], width: number): readonly Shown<T>[] {
  let shown = all;
  while (sum(shown.map(({ least }) => least)) > width) {
    const highest = shown.reduce((most, one) => Math.max(most, rankOf(one)), 0);
    if (highest === 0) break;
    shown = shown.filter((one) => rankOf(one) < highest);
  }
  return shown;
}

/** 0: it stays. */
function rankOf<T>({ column, cells }: Shown<T>): number {
  if (column.rank === undefined) return 0;
  return cells.slice(1).every((text) => text === NONE) ? Number.POSITIVE_INFINITY : column.rank;
}

interface Setting {
  readonly align: 'left' | 'right';
  readonly tone: Tone | null;
  /** No blanks behind it. */
  readonly isLast: boolean;
}

function cell(text: string, width: number, { align, tone, isLast }: Setting): Line {
  const short = cutText(text, width);
  const blanks = piece(' '.repeat(width - short.length));
  if (align === 'right') return [blanks, piece(short, tone)];
  return isLast ? [piece(short, tone)] : [piece(short, tone), blanks];
}
