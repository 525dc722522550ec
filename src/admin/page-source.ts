// What the page shows beyond the views of a subject, which `control/` implements: figures over time, and what its
// stream of events says.

import type { Pulled } from '../limits/pulled.ts';
import type { CountsView, HistoryView, PartsView, SecondView } from './page-types.ts';

/** A promise everywhere, as of a subject. Null while the page is off. */
export interface PageSource {
  history(): Promise<Pulled<HistoryView> | null>;
  /** The next second, when it is over. */
  second(): Promise<SecondView | null>;
  counts(): Promise<CountsView>;
  parts(): Promise<Pulled<PartsView>>;
}
