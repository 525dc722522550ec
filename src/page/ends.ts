// How sessions have ended since the start, as a matrix of causes by close codes; and what limits have refused.

import type { EndCountView, LimitHitView } from '../admin/page-types.ts';
import { byId, make, say, setClass } from './dom.ts';
import { type EndMatrix, endMatrix } from './end-matrix.ts';
import { groupedText, visible } from './format.ts';
import { scrolling, Table } from './table.ts';

const BY_TEXT = { client: 'client', backend: 'backend', proxy: 'framegate' } as const;

export class EndViews {
  private readonly place = byId('ends-matrix');
  private readonly about = byId('ends-about');
  private readonly limits = new Table<LimitHitView>({
    caption: 'Limits that were hit, since the start',
    columns: [
      { head: 'Limit', align: 'mono', text: ({ limit }) => limit },
      {
        head: 'Of',
        text: ({ from }) => (from === null ? 'handshakes and sessions that it ended' : `messages of ${from}s`),
      },
      { head: 'Hits', align: 'number', text: ({ hits }) => groupedText(hits) },
    ],
    key: ({ limit, from }) => `${limit} ${from}`,
    empty: 'No limit has refused anything since the start.',
  });
  private shown = '';

  constructor() {
    byId('limits').replaceChildren(this.limits.root);
  }

  show(ends: readonly EndCountView[], limits: readonly LimitHitView[]): void {
    this.limits.fill(limits);
    const text = JSON.stringify(ends);
    if (text === this.shown) return;
    this.shown = text;
    const matrix = endMatrix(ends);
    say(
      this.about,
      matrix.total === 0 ? '' : `${groupedText(matrix.total)} since the start, by cause and close code to the client`,
    );
    this.place.replaceChildren(
      matrix.total === 0 ? make('p', { class: 'empty' }, 'No session has ended yet.') : matrixTable(matrix),
    );
  }
}

function matrixTable({ codes, rows, totals, total }: EndMatrix): HTMLElement {
  const most = Math.max(...rows.flatMap(({ counts }) => counts));
  const heads = ['Cause', 'By', ...codes, 'All'].map((head, index) =>
    make('th', { scope: 'col', class: classOfHead(index) }, head),
  );
  const lines = rows.map(({ reason, by, counts, total: sum }) =>
    make(
      'tr',
      {},
      make('th', { scope: 'row', class: 'mono' }, visible(reason)),
      make('td', { class: 'drop3 words' }, BY_TEXT[by]),
      ...counts.map((count) => countCell(count, most)),
      make('td', { class: 'number' }, groupedText(sum)),
    ),
  );
  const foot = make(
    'tr',
    {},
    make('th', { scope: 'row' }, 'All'),
    make('td', { class: 'drop3' }),
    ...[...totals, total].map((sum) => make('td', { class: 'number' }, groupedText(sum))),
  );
  const caption = make('caption', { class: 'unseen' }, 'Ended sessions by cause and by close code to the client');
  const body = make('tbody', {}, ...lines);
  const table = make(
    'table',
    { class: 'bare matrix' },
    caption,
    make('thead', {}, make('tr', {}, ...heads)),
    body,
    make('tfoot', {}, foot),
  );
  return scrolling('Ended sessions', table);
}

function classOfHead(index: number): string | null {
  if (index === 0) return null;
  return index === 1 ? 'drop3' : 'number';
}

function countCell(count: number, most: number): HTMLElement {
  const cell = make('td', { class: 'number' }, count === 0 ? '·' : groupedText(count));
  setClass(cell, count === 0 ? 'number none' : 'number heat');
  // By its logarithm: the rare ends are those that are looked for.
  if (count > 0) cell.style.setProperty('--heat', (0.08 + 0.3 * (Math.log1p(count) / Math.log1p(most))).toFixed(3));
  return cell;
}
