// What one peer sends, as a reference: which of its bytes must go on, and what its frames mean for the session. It
// looks at one read at a time and always at whole heads; importing nothing of src/, it shares no mistake with it.

import {
  type BrokenRule,
  type Direction,
  isControl,
  type Limits,
  limitOf,
  readFrame,
  ruleOf,
} from '../../reference/frames.ts';
import { clearPayload, type Front, frontOf } from '../../reference/front.ts';
import { Utf8Stream } from '../../reference/utf8-stream.ts';
import { type Rates, ReferenceRates } from './rates.ts';

/** Where the bytes of a read may go. */
export type Outlet =
  /** On. */
  | 'open'
  /** To the end of the frame that is half relayed, no further: a Close comes behind it. */
  | 'tail'
  /** Nowhere: a Close was written already, or the other side is gone. */
  | 'shut';

export interface StreamSetup {
  readonly masked: boolean;
  readonly deflate: boolean;
  readonly limits: Limits;
  readonly rates: Rates;
  readonly validateUtf8: boolean;
  readonly now: number;
}

const nothing = Buffer.alloc(0);

export class ReferenceStream {
  readonly rates: ReferenceRates;
  /** Set by its peer's Close, a broken rule or bad text: what follows means nothing. */
  spent: 'close' | 'broken' | 'text' | null = null;
  broken: BrokenRule | null = null;
  brokenLimit: string | null = null;
  /** Of its Close; null when that had none. */
  closeCode: number | null = null;
  /** A frame was refused for its rate, and the session has to end. */
  refused = false;
  /** Totals: payload of data frames, and messages whose last head came. */
  payloadBytes = 0;
  messages = 0;
  /** What the last read made: bytes that must go on, pings among them, what the rates say, and signs of progress. */
  readonly out: Buffer[] = [];
  readonly pings: Buffer[] = [];
  mustPause = false;
  progressed = false;
  relayedClose = false;
  relayedPongs = 0;
  /** Payload that the sinks of pings of our own must bring back: null as long as none was sent. */
  token: Buffer | null = null;
  openPings = 0;

  inMessage = false;
  messageBytes = 0;
  fragments = 0;
  private readonly direction: Direction;
  private readonly utf8: Utf8Stream | null;
  private limits: Limits;
  private messageLimits: Limits;
  /** The incomplete head or control frame at the end of the last read. */
  private held: Buffer = nothing;
  /** Payload of the data frame at hand that is still to come, and whether it goes on. */
  private left = 0;
  private passes = false;
  /** Where in `out` the frame at hand begins; -1 when it began in an earlier read. */
  private frameOut = -1;
  private isTorn = false;
  private outlet: Outlet = 'open';

  constructor(setup: StreamSetup) {
    this.direction = setup;
    this.utf8 = setup.validateUtf8 ? new Utf8Stream() : null;
    this.limits = setup.limits;
    this.messageLimits = setup.limits;
    this.rates = new ReferenceRates(setup.rates, setup.now);
  }

  /** True while the other side has only a part of a frame. */
  get isHalfRelayed(): boolean {
    return this.isTorn || (this.left > 0 && this.passes);
  }

  /** True while a message, or the head of one, has begun and is not complete. */
  get isMidMessage(): boolean {
    return this.inMessage || this.left > 0 || this.held.length > 0;
  }

  retune(limits: Limits, rates: Rates, now: number): void {
    this.limits = limits;
    this.rates.retune(rates, now);
  }

  /** `closeGoesOn`: a Close is news to the other side, not the answer to one of ours. */
  read(chunk: Buffer, outlet: Outlet, closeGoesOn: boolean, now: number): void {
    this.out.length = 0;
    this.pings.length = 0;
    this.mustPause = false;
    this.progressed = false;
    this.relayedClose = false;
    this.relayedPongs = 0;
    this.outlet = outlet;
    if (this.spent !== null) return;
    const bytes = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    this.held = nothing;
    let at = 0;
    this.frameOut = -1;
    while (at < bytes.length && this.spent === null) {
      if (this.left > 0) {
        at = this.payload(bytes, at);
        continue;
      }
      const front = readFrame(bytes, at, this.direction, this, this.inMessage ? this.messageLimits : this.limits);
      if (front === null) {
        this.keep(bytes, at);
        return;
      }
      if (typeof front === 'string') {
        this.spent = 'broken';
        this.broken = ruleOf(front);
        this.brokenLimit = limitOf(front);
        return;
      }
      at = isControl(front.opcode)
        ? this.control(bytes, at, front, closeGoesOn, now)
        : this.dataHead(bytes, at, front, now);
    }
  }

  /** The head or control frame at `at` is incomplete. */
  private keep(bytes: Buffer, at: number): void {
    this.held = bytes.subarray(at);
    // Within a message only its own next head is progress, not the start of a ping between its fragments.
    if (!this.inMessage || frontOf(bytes, at).opcode === 0) this.progressed = true;
  }

  private dataHead(bytes: Buffer, at: number, head: Front, now: number): number {
    const begins = head.opcode !== 0;
    const length = head.length ?? 0;
    if (begins) {
      this.messageBytes = 0;
      this.fragments = 0;
      this.messageLimits = this.limits;
    }
    this.messageBytes += length;
    this.fragments += 1;
    this.inMessage = !head.fin;
    if (!this.inMessage) {
      this.messages += 1;
      this.messageBytes = 0;
      this.fragments = 0;
    }
    this.progressed = true;
    this.left = length;
    this.passes = this.outlet === 'open';
    if (this.passes) this.charge(begins, length, now);
    this.frameOut = this.out.length;
    const end = at + head.headBytes;
    if (this.passes) this.out.push(bytes.subarray(at, end));
    this.checkText(bytes, at, end);
    if (this.left === 0) this.endOfFrame();
    return end;
  }

  private charge(begins: boolean, length: number, now: number): void {
    const verdict = this.rates.dataFrame(begins, length, now);
    if (verdict === 'pause') this.mustPause = true;
    if (verdict === 'drop') this.passes = false;
    if (verdict === 'close') this.refuse();
  }

  private refuse(): void {
    this.refused = true;
    this.passes = false;
    this.outlet = 'shut';
  }

  private payload(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.left);
    this.left -= end - at;
    this.payloadBytes += end - at;
    this.progressed = true;
    if (this.passes && this.outlet !== 'shut') this.out.push(bytes.subarray(at, end));
    this.checkText(bytes, at, end);
    // Of what turns bad behind an end that has begun, nothing is looked at.
    if (this.spent === 'text' && this.outlet === 'tail') this.payloadBytes -= end - at;
    if (this.left === 0) this.endOfFrame();
    return end;
  }

  private endOfFrame(): void {
    this.passes = false;
    if (this.outlet === 'tail') this.outlet = 'shut';
  }

  /**
   * Text is judged as long as it goes on; what is dropped for its rate is judged too. Of a frame that turns bad nothing
   * goes on any more: not its head either, when that came with the same read.
   */
  private checkText(bytes: Buffer, start: number, end: number): void {
    if (this.utf8 === null || this.outlet === 'shut' || this.utf8.push(bytes.subarray(start, end))) return;
    this.spent = 'text';
    this.isTorn = this.passes && this.frameOut < 0;
    this.passes = false;
    this.out.length = Math.max(0, this.frameOut);
  }

  private control(bytes: Buffer, at: number, head: Front, closeGoesOn: boolean, now: number): number {
    const end = at + head.headBytes + (head.length ?? 0);
    const frame = bytes.subarray(at, end);
    if (head.opcode === 8) {
      this.spent = 'close';
      const body = clearPayload(bytes, at, head);
      this.closeCode = body.length === 0 ? null : body.readUInt16BE(0);
      this.relayedClose = closeGoesOn && this.outlet === 'open';
      if (this.relayedClose) this.out.push(frame);
      return end;
    }
    if (this.outlet !== 'open') return end;
    const isPing = head.opcode === 9;
    const payload = clearPayload(bytes, at, head);
    if (!isPing && this.openPings > 0 && this.token?.equals(payload)) {
      this.openPings -= 1;
      return end;
    }
    if (!this.rates.controlFrame(isPing, now)) {
      this.refuse();
      return end;
    }
    if (isPing) this.pings.push(payload);
    else this.relayedPongs += 1;
    this.out.push(frame);
    return end;
  }
}
