// A listener for as long as it is bound: the one thing about it that a connection may hold on to, since a reload gives
// it other settings and another name. It binds and counts nothing.

import type { ListenerConfig } from '../config/types.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { mergeLeadingSlashes } from '../protocol/path.ts';

export class LiveListener {
  /** Those in force now; replaced by a reload. */
  config: ListenerConfig;
  /** 0 for a unix socket. */
  readonly port: number;

  constructor(config: ListenerConfig, port: number) {
    this.config = config;
    this.port = port;
  }

  /** A head as this listener takes it, before anything is judged. */
  read(head: RequestHead): RequestHead {
    if (this.config.paths.leading_slashes === 'refuse') return head;
    const target = mergeLeadingSlashes(head.target);
    return target === head.target ? head : { ...head, target };
  }
}
