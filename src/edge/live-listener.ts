// A listener for as long as it is bound: the one thing about it that a connection may hold on to, since a reload gives
// it other settings and another name. It binds and counts nothing.

import type { ListenerConfig } from '../config/types.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { mergeLeadingSlashes } from '../protocol/path.ts';

export class LiveListener {
  /** Those in force now; replaced by a reload. */
  config: ListenerConfig;

  constructor(config: ListenerConfig) {
    this.config = config;
  }

  /** A head as this listener takes it, before anything is judged. */
  read(head: RequestHead): RequestHead {
    if (this.config.paths.leading_slashes === 'refuse') return head;
    const target = mergeLeadingSlashes(head.target);
    return target === head.target ? head : { ...head, target };
  }
}

/** Where connections come in from now on, by a socket that was bound for `config` or has taken it on. */
export function arrivalAt(live: LiveListener, port: number): EdgeListener {
  return { name: live.config.name, port, live };
}

/** Where a connection came in. */
export interface EdgeListener {
  /** At accept: what counts the connection in counts it out. */
  readonly name: string;
  /** 0 for a unix socket. */
  readonly port: number;
  readonly live: LiveListener;
}
