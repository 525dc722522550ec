// A table that is filled again and again: rows stay where they are as long as they mean the same thing, so that focus,
// selection and the reader's eye keep their place. What does not fit a narrow window is dropped by columns.

import { button, type Child, make, say, setClass } from './dom.ts';
import { visible } from './format.ts';

export interface Column<T> {
  readonly head: string;
  /** `name`: of one line. */
  readonly align?: 'number' | 'mono' | 'name';
  /** 1 leaves first, when the window is narrow; absent: it stays. */
  readonly drop?: 1 | 2 | 3;
  /** Longer text is cut off, at a width of its own or a larger one. */
  readonly cut?: 'cut' | 'cut wide';
  /** The list can be sorted by it, under this name. */
  readonly sort?: string;
  /** The cell says this; shown with whatever cannot be seen escaped. */
  readonly text?: (row: T) => string;
  /** Or it holds what is made for its row once, and changed with it. */
  readonly cell?: (cell: HTMLElement, row: T) => void;
}

interface TableShape<T> {
  readonly caption: string;
  /** The caption is for those who cannot see the heading above. */
  readonly unseen?: boolean;
  readonly columns: readonly Column<T>[];
  readonly key: (row: T) => string;
  /** Instead of rows, when there are none; before the first answer nobody knows. */
  readonly empty: string;
  /** A head of a column that sorts was pressed. */
  readonly onSort?: (name: string) => void;
}

export class Table<T> {
  readonly root: HTMLElement;
  private readonly shape: TableShape<T>;
  private readonly body = make('tbody');
  private readonly wrap: HTMLElement;
  private readonly empty: HTMLElement;
  private readonly heads: readonly HTMLTableCellElement[];
  private rows = new Map<string, HTMLTableRowElement>();
  private sorted: string | null = null;

  constructor(shape: TableShape<T>) {
    this.shape = shape;
    this.heads = shape.columns.map((column) =>
      make('th', { scope: 'col', class: this.classOf(column) }, this.headOf(column)),
    );
    const caption = make('caption', { class: shape.unseen === true ? 'unseen' : null }, shape.caption);
    const table = make(
      'table',
      { class: shape.unseen === true ? 'bare' : null },
      caption,
      make('thead', {}, make('tr', {}, ...this.heads)),
      this.body,
    );
    this.wrap = scrolling(shape.caption, table);
    this.empty = make('p', { class: 'empty' }, '...');
    this.root = make('div', {}, this.wrap, this.empty);
    this.wrap.hidden = true;
  }

  fill(rows: readonly T[]): void {
    const kept = new Map<string, HTMLTableRowElement>();
    let before: Element | null = this.body.firstElementChild;
    for (const row of rows) {
      const key = this.shape.key(row);
      // Two rows of one name are shown as two.
      const unique = kept.has(key) ? `${key}\n${kept.size}` : key;
      const element = this.rows.get(unique) ?? this.newRow();
      this.fillRow(element, row);
      kept.set(unique, element);
      if (element === before) before = before.nextElementSibling;
      else this.body.insertBefore(element, before);
    }
    for (const [key, element] of this.rows) if (kept.get(key) !== element) element.remove();
    this.rows = kept;
    this.wrap.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    say(this.empty, this.shape.empty);
  }

  /** By which column the rows come, the largest first; it stays in a narrow window. */
  markSorted(name: string | null): void {
    this.sorted = name;
    for (const [index, column] of this.shape.columns.entries()) {
      const head = this.heads[index];
      if (column.sort === undefined || head === undefined) continue;
      if (column.sort === name) head.setAttribute('aria-sort', 'descending');
      else head.removeAttribute('aria-sort');
      for (const cell of [head, ...this.cellsOf(index)]) setClass(cell, this.classOf(column) ?? '');
    }
  }

  private cellsOf(index: number): HTMLElement[] {
    return [...this.rows.values()].flatMap(({ cells }) => cells[index] ?? []);
  }

  private headOf({ head, sort }: Column<T>): Child {
    const { onSort } = this.shape;
    return sort === undefined || onSort === undefined ? head : button(head, 'head', () => onSort(sort));
  }

  private newRow(): HTMLTableRowElement {
    const cells = this.shape.columns.map((column, index) =>
      index === 0
        ? make('th', { scope: 'row', class: this.classOf(column) })
        : make('td', { class: this.classOf(column) }),
    );
    return make('tr', {}, ...cells);
  }

  private classOf({ align, drop, cut, sort }: Column<T>): string | null {
    const isSorted = sort !== undefined && sort === this.sorted;
    const dropped = drop === undefined || isSorted ? null : `drop${drop}`;
    return [align ?? null, dropped, cut ?? null].filter((name) => name !== null).join(' ') || null;
  }

  private fillRow(element: HTMLTableRowElement, row: T): void {
    for (const [index, column] of this.shape.columns.entries()) {
      const cell = element.cells[index];
      if (cell === undefined) continue;
      column.cell?.(cell, row);
      if (column.text === undefined) continue;
      const text = visible(column.text(row));
      say(cell, text);
      if (column.cut !== undefined && cell.title !== text) cell.title = text;
    }
  }
}

/** A place that is scrolled sideways on its own, by keyboard, too. */
export function scrolling(name: string, child: Child): HTMLElement {
  return make('div', { class: 'scroll', role: 'region', 'aria-label': name, tabindex: 0 }, child);
}

/** What a cell holds that is made once; `fill` changes it for a row. */
export function held<E extends HTMLElement>(cell: HTMLElement, create: () => E): E {
  const first = cell.firstElementChild;
  if (first !== null) return first as E;
  const created = create();
  cell.append(created);
  return created;
}
