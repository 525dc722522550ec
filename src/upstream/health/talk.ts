// The client's side of one short conversation over a WebSocket that is open: a ping and its pong, a message and its
// answer, the Close. One thing is waited for at a time. What comes is judged as in a session, and bounded in bytes.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../limits/clock.ts';
import { Alarm, type TimerWheel } from '../../limits/timer-wheel.ts';
import type { AbortLike } from '../../net/abort.ts';
import { leave } from '../../net/leaving.ts';
import type { Transport, TransportReader } from '../../net/transport.ts';
import { FrameScanner, Opcode, Step } from '../../protocol/frame-scanner.ts';
import { closeFrame, pingFrame, pongFrame, textFrame } from '../../protocol/frame-writer.ts';
import { CheckError, type CheckFault } from './check.ts';

const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;
/** Of all that comes in one conversation: a message that is looked into is never larger. */
const BYTES_MAX = 1_048_576;
const LIMITS = { messageBytesMax: BYTES_MAX, frameBytesMax: BYTES_MAX, fragmentsMax: 1_000 };
const TOKEN_BYTES = 8;
const NOTHING = Buffer.alloc(0);

interface TalkOptions {
  readonly transport: Transport;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  /** When all of it must be over. */
  readonly deadline: number;
  readonly signal: AbortLike;
  /** permessage-deflate was agreed on: a message may be compressed, and is not looked into then. */
  readonly deflate: boolean;
  /** What came behind the 101. */
  readonly leftover: Buffer | null;
}

type Awaited = Extract<CheckFault, 'ping' | 'message' | 'close'>;

interface Wait {
  readonly what: Awaited;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Talk implements TransportReader {
  /** Bytes on the wire of the message that was listened for. */
  heardBytes = 0;
  private readonly options: TalkOptions;
  private readonly scanner: FrameScanner;
  private readonly alarm = new Alarm(() => this.fail('not in time'));
  private readonly onAbort = () => this.abort();
  private wait: Wait | null = null;
  /** Why nothing more comes of it. */
  private failure: string | null = null;
  /** Of our own, while nobody waited. */
  private fault: unknown = null;
  private left: Promise<void> = Promise.resolve();
  /** A header or a control frame that is not complete. */
  private spill = NOTHING;
  private bytesLeft = BYTES_MAX;
  private token = NOTHING;
  private hasPong = false;
  private expected: Buffer | null = null;
  private hasHeard = false;
  private hasSentClose = false;
  private hasClose = false;
  /** Of the message under way, while one is listened for: at most `BYTES_MAX`. */
  private pieces: Buffer[] = [];
  private isLastFrame = false;

  /** `transport` is paused, and its reader's 101 was judged. */
  constructor(options: TalkOptions) {
    this.options = options;
    this.scanner = new FrameScanner({ masked: false, deflate: options.deflate, limits: LIMITS });
  }

  /** Before anything else. */
  begin(): void {
    const { transport, wheel, deadline, signal, leftover } = this.options;
    wheel.schedule(this.alarm, deadline);
    signal.addEventListener('abort', this.onAbort);
    transport.reader = this;
    if (signal.aborted) this.abort();
    if (leftover !== null) this.onBytes(leftover, 0, leftover.length);
    if (this.failure === null) transport.resume();
  }

  /** Resolves with the pong. All of these reject with CheckError, once and for all. */
  ping(): Promise<void> {
    this.token = randomBytes(TOKEN_BYTES);
    this.hasPong = false;
    this.write(pingFrame(this.token, true));
    return this.until('ping', this.hasPong);
  }

  /** From now on, for a message that contains `text`. */
  listenFor(text: string): void {
    this.expected = Buffer.from(text);
    this.hasHeard = false;
  }

  send(text: string): void {
    this.write(textFrame(text, true));
  }

  /** Resolves when what was listened for has come. */
  heard(): Promise<void> {
    return this.until('message', this.hasHeard);
  }

  /** Says Close 1000, and resolves with its answer. What it resolves to says when nothing is left. */
  async close(): Promise<{ readonly left: Promise<void> }> {
    this.sayClose(NORMAL);
    await this.until('close', this.hasClose);
    return { left: this.left };
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.failure !== null || this.hasClose) return;
    this.bytesLeft -= end - start;
    if (this.bytesLeft < 0) {
      this.fail('too much came');
      return;
    }
    try {
      this.take(bytes, start, end);
    } catch (error) {
      this.breakOff(error);
    }
  }

  private take(bytes: Buffer, start: number, end: number): void {
    const { scanner, spill } = this;
    const chunk = bytes.subarray(start, end);
    const all = spill.length === 0 ? chunk : Buffer.concat([spill, chunk]);
    scanner.feed(all, 0, all.length);
    const isGoingOn = this.read(all);
    // Copied: it outlives the read buffer.
    this.spill = isGoingOn ? Buffer.from(all.subarray(scanner.position)) : NOTHING;
    scanner.release();
  }

  onEnd(): void {
    this.fail('the connection ended');
  }

  onLost(error: Error): void {
    this.fail('code' in error && typeof error.code === 'string' ? error.code : error.message);
  }

  onTaken(): void {}

  /** False when nothing behind it counts. */
  private read(all: Buffer): boolean {
    const { scanner } = this;
    let at = 0;
    for (;;) {
      const payload = scanner.remaining;
      const step = scanner.next();
      if (payload > 0) {
        const stop = Math.min(scanner.position, at + payload);
        this.takePayload(all, at, stop, stop === at + payload);
        at = stop;
      }
      if (step === Step.NeedData) return true;
      if (step === Step.Violation) {
        this.fail(`protocol error: ${scanner.violation}`, PROTOCOL_ERROR);
        return false;
      }
      at = scanner.position;
      if (step === Step.Header) {
        this.isLastFrame = !scanner.inMessage;
        if (scanner.remaining === 0) this.takePayload(all, at, at, true);
      } else if (step === Step.Control) {
        this.takeControl(Buffer.from(all.subarray(scanner.payloadStart, scanner.position)));
      } else {
        this.takeClose(scanner.closeCode);
        return false;
      }
    }
  }

  private takePayload(all: Buffer, start: number, end: number, isWhole: boolean): void {
    const { expected } = this;
    if (expected !== null && end > start) this.pieces.push(Buffer.from(all.subarray(start, end)));
    if (!isWhole || !this.isLastFrame) return;
    const message = Buffer.concat(this.pieces);
    this.pieces = [];
    if (expected === null || this.hasHeard || !message.includes(expected)) return;
    this.hasHeard = true;
    this.heardBytes = message.length;
    this.expected = null;
    this.reached('message');
  }

  private takeControl(body: Buffer): void {
    if (this.scanner.opcode === Opcode.Ping) {
      if (!this.hasSentClose) this.write(pongFrame(body, true));
    } else if (body.equals(this.token)) {
      this.hasPong = true;
      this.reached('ping');
    }
  }

  private takeClose(code: number): void {
    this.hasClose = true;
    if (!this.hasSentClose) {
      this.fail(`it sent Close ${code}`);
      return;
    }
    this.leave(true);
    this.reached('close');
  }

  private until(what: Awaited, isReached: boolean): Promise<void> {
    if (this.fault !== null) return Promise.reject(this.fault);
    if (this.failure !== null) return Promise.reject(this.error(what, this.failure));
    if (isReached) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.wait = { what, resolve, reject };
    });
  }

  private reached(what: Awaited): void {
    const { wait } = this;
    if (wait?.what !== what) return;
    this.wait = null;
    wait.resolve();
  }

  /** It gets a Close and FIN in order whatever failed, as long as there is a connection. */
  private fail(cause: string, code = NORMAL): void {
    if (this.failure !== null) return;
    this.failure = cause;
    this.sayClose(code);
    this.leave(false);
    const { wait } = this;
    this.wait = null;
    wait?.reject(this.error(wait.what, cause));
  }

  /** A fault of our own goes to who waits for the outcome. */
  private breakOff(fault: unknown): void {
    const { wait } = this;
    this.wait = null;
    this.options.transport.destroy();
    this.fail('a fault of our own');
    if (wait === null) this.fault = fault;
    else wait.reject(fault);
  }

  private error(what: Awaited, cause: string): CheckError {
    return new CheckError(this.options.signal.aborted ? 'aborted' : what, cause, this.left);
  }

  private abort(): void {
    this.options.transport.destroy();
    this.fail('aborted');
  }

  private sayClose(code: number): void {
    if (this.hasSentClose) return;
    this.hasSentClose = true;
    this.write(closeFrame({ code, reason: '', masked: true }));
  }

  private write(frame: Buffer): void {
    this.options.transport.write(frame, 0, frame.length, true);
  }

  private leave(afterPeer: boolean): void {
    const { transport, wheel, clock, signal } = this.options;
    wheel.cancel(this.alarm);
    signal.removeEventListener('abort', this.onAbort);
    this.left = leave({ transport, wheel, now: clock.now(), signal, afterPeer });
  }
}
