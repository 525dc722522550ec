// What is advised, as a table.

import type { Advice } from '../admin/page-types.ts';
import { type AdviceRow, adviceRows } from './advice-rows.ts';
import { byId, make, say, sayState, type Tone } from './dom.ts';
import { durationText } from './format.ts';
import { held, Table } from './table.ts';

const TONES: Readonly<Record<AdviceRow['verdict'], Tone>> = { tight: 'warn', loose: 'idle' };

export class AdviceView {
  private readonly about = byId('advice-about');
  private readonly table = new Table<AdviceRow>({
    caption: 'Advice',
    unseen: true,
    columns: [
      {
        head: 'Verdict',
        cell: (cell, { verdict }) =>
          sayState(
            held(cell, () => make('span')),
            TONES[verdict],
            verdict,
          ),
      },
      { head: 'Route', drop: 3, text: ({ route }) => route },
      { head: 'Key', align: 'mono', text: ({ key }) => key },
      { head: 'Now', align: 'number', text: ({ value }) => value },
      { head: 'Seen', drop: 2, text: ({ seen }) => seen },
      { head: 'Suggested', text: ({ suggested }) => suggested },
    ],
    key: ({ route, key }) => `${route} ${key}`,
    empty: 'Nothing to change: each limit fits what was seen, or too little was seen to say.',
  });

  constructor() {
    byId('advice-list').replaceChildren(this.table.root);
  }

  show(advice: Advice): void {
    say(this.about, `of ${durationText(advice.watched_ms)} of traffic; it changes nothing by itself`);
    this.table.fill(adviceRows(advice));
  }
}
