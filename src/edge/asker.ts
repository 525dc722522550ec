// Who asks for a WebSocket, by whatever protocol: what a handshake may know and want of its client. HTTP/1.1 is one
// (http1.ts). A handshake that is told of its client never sees bytes of that protocol.

import type { Transport } from '../net/transport.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { ClientSwitch } from '../protocol/upgrade-response.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import type { SessionRecord } from './session-record.ts';

export interface OpenRefusal {
  readonly answer: ClientSwitch;
  readonly code: number;
  readonly reason: string;
}

export interface Asker {
  /** Complete. */
  readonly head: RequestHead;
  /** The client's stream of bytes. The asker reads it until `become`. */
  readonly transport: Transport;
  /** Bytes held that came behind the head. */
  readonly earlySize: number;
  /** Hold what comes behind the head, up to so many bytes: then it is not read any more. Its leaving is told. */
  hold(bytesMax: number): void;
  /** It gets its WebSocket: the answer is on its way. What was held of it comes back; nothing else can be answered. */
  accept(answer: ClientSwitch): Buffer | null;
  /** After `accept`: its transport, and its place among the open connections, are the session's from now on. */
  become(session: SessionRecord): void;
  /** It gets no WebSocket, but this answer, and no more. */
  refuse(refusal: Refusal): void;
  /** The same so that its page can read it: a WebSocket, and a Close at once. */
  refuseOpen(refusal: OpenRefusal): void;
  /** The same with what a backend said. */
  relay(refusal: RelayedRefusal): void;
  /** A fault of ours in its handshake: it is told, when nothing was answered yet. */
  fail(error: unknown): void;
}
