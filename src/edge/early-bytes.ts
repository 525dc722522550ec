// Bytes a peer sent before the session could take them, held up to a cap and counted with those of all handshakes.
// Above it the peer is not read. Nothing reaches the other side from here.

import type { Transport } from '../net/transport.ts';
import { GrowingBytes } from '../protocol/growing-bytes.ts';

/** Where the bytes of all handshakes are summed up; `isOver` while too many are held. */
interface EarlyLedger {
  early: number;
  readonly isOver: boolean;
}

export class EarlyBytes extends GrowingBytes {
  private readonly transport: Transport;
  private readonly ledger: EarlyLedger;
  /** What came behind the head in the same read, until it is held. A view: valid during that read only. */
  private rest: Buffer;

  constructor(transport: Transport, ledger: EarlyLedger, rest: Buffer) {
    super({ bytesMin: 0, bytesMax: 0, isPooled: false });
    this.transport = transport;
    this.ledger = ledger;
    this.rest = rest;
  }

  /** Up to so many from now on. */
  hold(bytesMax: number): void {
    this.bytesMax = bytesMax;
    const { rest } = this;
    this.rest = NOTHING;
    if (rest.length > 0) this.append(rest, 0, rest.length);
    this.readOrHold();
  }

  /** The read in which the head was complete is over. */
  forgetRest(): void {
    this.rest = NOTHING;
  }

  /** More came. What arrived is kept whole, so the cap may be passed by the rest of one read. */
  add(bytes: Buffer, start: number, end: number): void {
    this.append(bytes, start, end);
    this.readOrHold();
  }

  override append(bytes: Buffer, start: number, end: number): void {
    super.append(bytes, start, end);
    this.ledger.early += end - start;
  }

  override take(): Buffer | null {
    this.ledger.early -= this.size;
    return super.take();
  }

  /** What is held, with what came in the read that is under way. */
  takeAll(): Buffer | null {
    const { rest } = this;
    this.rest = NOTHING;
    if (rest.length > 0) this.append(rest, 0, rest.length);
    return this.take();
  }

  /** Once it has sent enough it is not read until it is a session or refused; `timeouts.open` bounds that. */
  readOrHold(): void {
    if (this.isFull || this.ledger.isOver) this.transport.pause();
    else this.transport.resume();
  }

  /** One that has sent nothing is read: so its leaving is seen. */
  private get isFull(): boolean {
    return this.size > 0 && this.size >= this.bytesMax;
  }
}

const NOTHING = Buffer.alloc(0);
