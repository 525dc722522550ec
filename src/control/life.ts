// How far a proxy has come between its start and its end, and since when. It starts and ends nothing.

import type { ProxyState } from '../admin/subject.ts';
import type { Edge } from '../edge/edge.ts';

export class Life {
  /** It was, once: there is no second time. */
  started = false;
  /** All is bound. */
  ready = false;
  /** It stops: what is bound after that is released again. */
  closing = false;
  /** On the clock. */
  startedAt = 0;
  /** When the config in force was taken on, in milliseconds since 1970. */
  loadedAt = Date.now();
  private readonly edge: Edge;

  constructor(edge: Edge) {
    this.edge = edge;
  }

  get state(): ProxyState {
    if (this.edge.draining || this.closing) return 'draining';
    return this.ready ? 'ready' : 'starting';
  }
}
