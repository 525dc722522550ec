// One client of the load: opens its session, sends its one message again and again, judges what comes back, and tells
// how long each echo took. Cheap per message: what it sends is made once, in the constructor.

import { EchoChecker, headerBytesOf } from './echo-checker.ts';
import { closeFrame, faultOfSwitch, maskedFrame, payloadOf, plainFrame, pongFrame, upgradeRequest } from './frames.ts';
import type { TlsPlan } from './tls.ts';
import type { WireMaker } from './wire.ts';
import type { Wire, WireReader, WireTarget } from './wire-form.ts';

const HEAD_BYTES_MAX = 16_384;
const COMPARE_EVERY = 32;
/** Messages that go out with one write are laid out one behind the other up to this size. */
const BURST_BYTES_MAX = 1_048_576;
/** Messages on the way in one session when they are sent by the clock. A proxy that lags more has lost. */
const WAITING_MAX = 4_096;

export interface SessionPlan {
  readonly target: WireTarget;
  readonly path: string;
  /** Of the request, each with its CR LF. */
  readonly fields: string;
  readonly seed: number;
  readonly payloadBytes: number;
  readonly inFlight: number;
  readonly tls: TlsPlan | null;
}

/** What all sessions of a load count together, and where echoes are reported. */
export interface SessionOwner {
  onOpen(session: EchoSession): void;
  /** `count` echoes arrived; how long each took is `session.takeLatency(now)`. */
  onEchoes(session: EchoSession, count: number): void;
  onFault(session: EchoSession, why: string): void;
}

export class EchoSession implements WireReader {
  sent = 0;
  readonly checker: EchoChecker;
  private readonly plan: SessionPlan;
  private readonly owner: SessionOwner;
  private readonly frame: Buffer;
  /** Views of 1, 2, ... messages in a row. */
  private readonly bursts: Buffer[] = [];
  /** A ring of the times at which the messages on the way were sent, or should have been. */
  private readonly sentAt: Float64Array;
  private oldest = 0;
  private wire: Wire | null = null;
  private head: string | null = '';
  private closing = false;
  private pongs = 0;

  constructor(plan: SessionPlan, owner: SessionOwner, byTheClock: boolean) {
    this.plan = plan;
    this.owner = owner;
    const payload = payloadOf(plan.seed, plan.payloadBytes);
    this.frame = maskedFrame(payload, Math.imul(plan.seed + 1, 0x01000193));
    this.checker = new EchoChecker(plainFrame(payload), headerBytesOf(plan.payloadBytes), COMPARE_EVERY);
    this.sentAt = new Float64Array(byTheClock ? WAITING_MAX : plan.inFlight);
    const inOneWrite = Math.max(1, Math.min(plan.inFlight, Math.floor(BURST_BYTES_MAX / this.frame.length)));
    const all = inOneWrite === 1 ? this.frame : Buffer.concat(new Array<Buffer>(inOneWrite).fill(this.frame));
    for (let count = 1; count <= inOneWrite; count++) this.bursts.push(all.subarray(0, count * this.frame.length));
  }

  get waiting(): number {
    return this.sent - this.checker.echoes;
  }

  get isFull(): boolean {
    return this.waiting === this.sentAt.length;
  }

  async open(maker: WireMaker): Promise<void> {
    const { target, tls } = this.plan;
    const { host, port } = target;
    this.wire = await (tls === null ? maker.connect(target, this) : maker.connectTls(tls, target, this));
    this.wire.write(upgradeRequest(`${host}:${port}`, this.plan.path, this.plan.fields));
  }

  /** Send `count` messages; `at` is when that was due. */
  send(count: number, at: number): void {
    let left = count;
    while (left > 0) {
      const burst = this.bursts[Math.min(left, this.bursts.length) - 1];
      if (burst === undefined || this.wire === null) return;
      const messages = Math.min(left, this.bursts.length);
      for (let i = 0; i < messages; i++) this.sentAt[(this.sent + i) % this.sentAt.length] = at;
      this.sent += messages;
      left -= messages;
      this.wire.write(burst);
    }
  }

  /** Milliseconds that the oldest message not asked for yet took until `now`. */
  takeLatency(now: number): number {
    const at = this.sentAt[this.oldest % this.sentAt.length] ?? now;
    this.oldest += 1;
    return now - at;
  }

  /** Ask for an orderly end; `owner` hears nothing of this session any more. */
  close(): void {
    this.closing = true;
    this.wire?.write(closeFrame());
  }

  destroy(): void {
    this.closing = true;
    this.wire?.destroy();
    this.wire = null;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.closing) return;
    let from = start;
    if (this.head !== null) {
      from = this.takeHead(bytes, start, end);
      if (from === end) return;
    }
    const count = this.checker.take(bytes, from, end);
    if (this.checker.pings > this.pongs) this.answerPings();
    if (count > 0 && this.waiting >= 0) this.owner.onEchoes(this, count);
    if (this.checker.fault !== null) this.fail(this.checker.fault);
    else if (this.waiting < 0) this.fail('more echoes than messages');
  }

  onGone(why: string): void {
    this.wire = null;
    if (!this.closing) this.fail(why);
  }

  /** Gives the index behind the head, `end` while it is not complete. */
  private takeHead(bytes: Buffer, start: number, end: number): number {
    const before = this.head ?? '';
    const text = before + bytes.toString('latin1', start, end);
    const at = text.indexOf('\r\n\r\n');
    if (at < 0) {
      this.head = text;
      if (text.length > HEAD_BYTES_MAX) this.fail('an endless response head');
      return end;
    }
    this.head = null;
    const fault = faultOfSwitch(text.slice(0, at));
    if (fault !== null) {
      this.fail(fault);
      return end;
    }
    this.owner.onOpen(this);
    return start + at + 4 - before.length;
  }

  private answerPings(): void {
    this.pongs = this.checker.pings;
    this.wire?.write(pongFrame());
  }

  private fail(why: string): void {
    if (this.closing) return;
    this.destroy();
    this.owner.onFault(this, why);
  }
}
