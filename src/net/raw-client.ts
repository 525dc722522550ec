// A client that was accepted for another process: nobody reads it here. It is handed over or closed, once.

import type { Socket } from 'node:net';
import type { StreamHandle } from './stream-base.ts';

export interface RawClient {
  /** What an IPC channel takes: a handle of Node's, or a socket. */
  readonly handle: StreamHandle | Socket;
  /** As a transport has it. */
  readonly remoteAddress: string;
  /** The other process has a descriptor of its own: this one's goes. */
  handedOver(): void;
  close(): void;
}
