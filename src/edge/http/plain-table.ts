// Where connections of plain requests come from and go back to, as they know it.

import type { Transport } from '../../net/transport.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import type { Arrival } from '../arrival.ts';
import type { Buffering } from '../buffer-watch.ts';
import type { OpenConnection } from '../open-connection.ts';
import type { PlainConnections } from './plain-connections.ts';

export interface PlainTable {
  readonly plain: PlainConnections<OpenConnection & Buffering>;
  nextRequestId(): string;
  removeConnection(connection: OpenConnection): void;
  /** `head` asks for a WebSocket; `rest` came behind it. The transport is nobody's. */
  upgrade(before: BeforeUpgrade, arrival: Arrival, head: RequestHead, rest: Buffer): void;
}

export interface BeforeUpgrade extends OpenConnection {
  readonly transport: Transport;
}
