// One session from connect to its end, as a client of small messages lives it: tells what its connect came to, gives
// whole messages, answers pings and the Close, and says with which code it ended.

import { faultOfSwitch, maskedFrame, pongFrame, upgradeRequest } from '../load/frames.ts';
import type { WireMaker } from '../load/wire.ts';
import type { Wire, WireReader, WireTarget } from '../load/wire-form.ts';
import { closeCode, NO_CLOSE, NO_CODE, OPCODE, ServerFrames } from './server-frames.ts';
import { type ConnectOutcome, connectFault } from './tally.ts';

const HEAD_BYTES_MAX = 16_384;
const HEAD_END = '\r\n\r\n';
const SWITCH_MS = 10_000;
/** For the server's FIN behind the Close. */
const END_MS = 10_000;
const FIN_CLOSE = 0x88;
const MASK = 0x80;

export interface VisitOwner {
  onMessage(payload: Buffer): void;
  /** Called once, and only when the visit was opened and is not left. */
  onEnd(code: number): void;
}

export class Visit implements WireReader {
  private readonly owner: VisitOwner;
  private readonly frames = new ServerFrames();
  private wire: Wire | null = null;
  /** Null behind the 101. */
  private head: string | null = '';
  private settle: (outcome: ConnectOutcome) => void = () => {};
  private timer: NodeJS.Timeout | null = null;
  /** Of the Close that has come. */
  private code: number | null = null;
  /** Our own Close was sent. */
  private hasClosed = false;
  private isOver = false;

  constructor(owner: VisitOwner) {
    this.owner = owner;
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.head === null && !this.hasClosed && !this.isOver;
  }

  async open(maker: WireMaker, target: WireTarget): Promise<ConnectOutcome> {
    try {
      this.wire = await maker.connect(target, this);
    } catch (error) {
      this.isOver = true;
      return connectFault(error);
    }
    const { wire } = this;
    const outcome = await new Promise<ConnectOutcome>((resolve) => {
      this.settle = resolve;
      this.timer = setTimeout(() => resolve('late'), SWITCH_MS);
      wire.write(upgradeRequest(`${target.host}:${target.port}`, '/'));
    });
    this.clearTimer();
    if (outcome !== 'opened') this.leave();
    return outcome;
  }

  send(payload: Buffer): void {
    this.wire?.write(maskedFrame(payload, 0));
  }

  /** Without a word; `owner` hears nothing any more. */
  leave(): void {
    this.isOver = true;
    this.clearTimer();
    this.wire?.destroy();
    this.wire = null;
  }

  /** A Close, and the server's answer; the end is told as any. */
  close(code: number): void {
    this.hasClosed = true;
    this.wire?.write(closeOf(code));
    this.endBy(END_MS);
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.isOver) return;
    const rest = this.head === null ? bytes.subarray(start, end) : this.takeHead(bytes.subarray(start, end));
    if (rest === null) return;
    this.frames.push(rest);
    for (let frame = this.frames.next(); frame !== null && this.code === null; frame = this.frames.next()) {
      if (frame.opcode === OPCODE.binary) this.owner.onMessage(frame.payload);
      else if (frame.opcode === OPCODE.ping) this.wire?.write(pongFrame());
      else if (frame.opcode === OPCODE.close) this.onClose(closeCode(frame.payload));
      if (this.isOver) return;
    }
    // As browsers do with what they cannot read.
    if (this.frames.fault !== null && this.code === null) this.end(NO_CLOSE);
  }

  onGone(): void {
    if (this.isOver) return;
    if (this.head !== null) {
      this.wire = null;
      this.settle('reset');
      return;
    }
    this.end(this.code ?? NO_CLOSE);
  }

  /** What follows the head; null when it is not complete, or no 101. */
  private takeHead(bytes: Buffer): Buffer | null {
    const before = this.head ?? '';
    const text = before + bytes.toString('latin1');
    this.head = text;
    const at = text.indexOf(HEAD_END);
    if (at < 0 && text.length <= HEAD_BYTES_MAX) return null;
    if (at < 0 || faultOfSwitch(text.slice(0, at)) !== null) {
      this.settle('answered');
      return null;
    }
    this.head = null;
    this.settle('opened');
    return bytes.subarray(at + HEAD_END.length - before.length);
  }

  private onClose(code: number): void {
    this.code = code;
    if (!this.hasClosed) this.wire?.write(closeOf(code));
    this.hasClosed = true;
    this.endBy(END_MS);
  }

  private endBy(ms: number): void {
    this.clearTimer();
    this.timer = setTimeout(() => this.end(this.code ?? NO_CLOSE), ms);
  }

  private end(code: number): void {
    this.leave();
    this.owner.onEnd(code);
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}

/** Masked with the key 0. */
function closeOf(code: number): Buffer {
  if (code === NO_CODE) return Buffer.from([FIN_CLOSE, MASK, 0, 0, 0, 0]);
  return Buffer.from([FIN_CLOSE, MASK | 2, 0, 0, 0, 0, code >> 8, code & 0xff]);
}
