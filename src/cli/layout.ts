// Owns what of a picture has room in the height of a terminal: blocks one below the other, their rows cut alike. It
// knows no view.

import { groupedText } from '../observe/quantities.ts';
import { type Line, line, piece } from './line.ts';
import { type Column, table } from './table.ts';

/** Lines that stay together, and rows of which the last ones may be missing. */
export interface Block {
  readonly head: readonly Line[];
  readonly rows: readonly Line[];
  /** Further rows that nobody has asked for, and how to see them. */
  readonly beyond?: { readonly count: number; readonly hint: string };
}

/** A table as a block; none without rows. */
export function tableBlocks<T>(columns: readonly Column<T>[], rows: readonly T[], width: number): Block[] {
  if (rows.length === 0) return [];
  const made = table(columns, rows, width);
  return [{ head: [made.head], rows: made.rows }];
}

/** With an empty line between two blocks. `height` is in lines; Infinity for as many as there are. */
export function laid(blocks: readonly Block[], height: number): Line[] {
  for (let count = blocks.length; ; count -= 1) {
    const shown = blocks.slice(0, count);
    const missing = blocks.length - count;
    const note = missing === 0 ? [] : [moreLine(missing, ` ${missing === 1 ? 'table' : 'tables'}`)];
    const fixed = shown.reduce((sum, { head }) => sum + head.length, Math.max(0, count - 1) + note.length);
    const room = height - fixed;
    const wants = shown.map(wanted);
    if (count > 1 && room < wants.filter((want) => want > 0).length) continue;
    const shares = sharesOf(wants, Math.max(0, room));
    const parts = shown.map((block, index) => [...block.head, ...rowsOf(block, shares[index] ?? 0)]);
    const lines = parts.flatMap((part, index) => (index === 0 ? part : [[], ...part]));
    return [...lines, ...note].slice(0, height);
  }
}

function wanted({ rows, beyond }: Block): number {
  return rows.length + ((beyond?.count ?? 0) > 0 ? 1 : 0);
}

/** Who wants little gets it, the others get alike. */
function sharesOf(wants: readonly number[], room: number): number[] {
  const order = wants.map((_, index) => index).sort((one, other) => (wants[one] ?? 0) - (wants[other] ?? 0));
  const shares = wants.map(() => 0);
  let left = room;
  for (const [done, index] of order.entries()) {
    const share = Math.min(wants[index] ?? 0, Math.floor(left / (order.length - done)));
    shares[index] = share;
    left -= share;
  }
  return shares;
}

function rowsOf(block: Block, share: number): readonly Line[] {
  const { rows, beyond = { count: 0, hint: '' } } = block;
  if (share >= wanted(block) && beyond.count === 0) return rows;
  const shown = Math.min(rows.length, Math.max(0, share - 1));
  const hidden = rows.length - shown + beyond.count;
  return share === 0 ? [] : [...rows.slice(0, shown), moreLine(hidden, beyond.hint)];
}

function moreLine(count: number, behind: string): Line {
  return line(piece(`... ${groupedText(count)} more${behind}`, 'faint'));
}
