// The asker of a handshake that came by HTTP/1.1: its head, what is held of the bytes behind it, and the answers as
// bytes. The connection under it reads, lingers and closes.

import type { Transport } from '../net/transport.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { buildRelayedRefusal } from '../protocol/refusal-body.ts';
import type { Refusal } from '../protocol/refusals.ts';
import { buildClientSwitch, type ClientSwitch } from '../protocol/upgrade-response.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import type { Asker } from './asker.ts';
import type { EarlyBytes } from './early-bytes.ts';
import type { SessionRecord } from './session-record.ts';

/** What it wants of its connection. */
export interface AnswersClient {
  readonly transport: Transport;
  /** The last bytes of it. */
  answer(bytes: Buffer): void;
  refuse(refusal: Refusal): void;
  become(session: SessionRecord): void;
  fail(error: unknown): void;
}

export class Http1Asker implements Asker {
  readonly head: RequestHead;
  readonly early: EarlyBytes;
  /** Our 101 may have gone out: nothing else can be answered. */
  isAccepted = false;
  private readonly connection: AnswersClient;

  constructor(connection: AnswersClient, head: RequestHead, early: EarlyBytes) {
    this.connection = connection;
    this.head = head;
    this.early = early;
  }

  get transport(): Transport {
    return this.connection.transport;
  }

  get earlySize(): number {
    return this.early.size;
  }

  hold(bytesMax: number): void {
    this.early.hold(bytesMax);
  }

  accept(answer: ClientSwitch): Buffer | null {
    const response = buildClientSwitch(answer);
    const early = this.early.take();
    this.isAccepted = true;
    this.transport.write(response, 0, response.length, true);
    return early;
  }

  become(session: SessionRecord): void {
    this.connection.become(session);
  }

  refuse(refusal: Refusal): void {
    this.connection.refuse(refusal);
  }

  relay(refusal: RelayedRefusal): void {
    this.connection.answer(buildRelayedRefusal(refusal));
  }

  fail(error: unknown): void {
    this.connection.fail(error);
  }
}
