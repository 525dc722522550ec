// The built-in echo backend (`builtin:echo`): a server-side WebSocket endpoint without a socket, for trying framegate
// out. It answers the upgrade, sends every message back as it arrives, answers pings and Closes. Not made for load.

import type { Transport, TransportReader } from '../net/transport.ts';
import { TURN_STEPS } from '../net/turn.ts';
import { FrameScanner, Opcode, Step } from '../protocol/frame-scanner.ts';
import { HeadStep, RequestHeadParser } from '../protocol/http-head.ts';
import { ROUTE_CHECKS } from '../protocol/relax.ts';
import { judgeUpgradeRequest, type RelaxedFor } from '../protocol/upgrade-request.ts';
import { buildClientSwitch } from '../protocol/upgrade-response.ts';

/** Echoed bytes that may wait without counting as a backlog, as a socket's buffer would take them. */
const BUFFER_BYTES = 65_536;
/** What a piece costs besides its bytes. */
const PIECE_BYTES = 256;
/** What the proxy has judged already needs no second limit. */
const NO_LIMITS = { messageBytesMax: Infinity, frameBytesMax: Infinity, fragmentsMax: Infinity };
const HEAD_LIMITS = { headBytesMax: 1_048_576, targetBytesMax: 1_048_576, fieldsMax: 1_000 };

/** What the client's route let through is not for its backend to refuse. */
const WHATEVER_PASSED: RelaxedFor = () => ROUTE_CHECKS;

export class EchoTransport implements Transport {
  readonly stable = true;
  readonly headroom = 0;
  readonly remoteAddress = '';
  readonly remotePort = 0;
  reader: TransportReader = NOBODY;
  stepsLeft = TURN_STEPS;
  isEndSure = true;
  paused = false;
  destroyed = false;
  /** Until the request is complete: nothing of it is kept. */
  private head: RequestHeadParser | null = new RequestHeadParser(HEAD_LIMITS);
  private readonly scanner = new FrameScanner({ masked: true, deflate: true, limits: NO_LIMITS });
  private upgraded = false;
  /** What was echoed and not read yet, and what it costs: bounded by the reader's own back-pressure on `pending`. */
  private queue: Buffer[] = [];
  private queued = 0;
  private ending = false;
  private flushing = false;
  /** The masking key of the current data frame, and how far it has turned. */
  private readonly key = Buffer.alloc(4);
  private keyAt = 0;

  get pending(): number {
    return Math.max(0, this.queued - BUFFER_BYTES);
  }

  get held(): number {
    return this.pending;
  }

  readonly kept = 0;

  localEndpoint(): null {
    return null;
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (this.destroyed || this.ending) return;
    if (this.upgraded) this.echo(bytes, start, end);
    else this.answerUpgrade(bytes, start, end);
    this.flushSoon();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.flushSoon();
  }

  unread(bytes: Buffer, start: number, end: number): void {
    this.queue.unshift(bytes.subarray(start, end));
    this.queued += end - start;
    this.flushSoon();
  }

  end(): void {
    this.ending = true;
    this.flushSoon();
  }

  destroy(): void {
    this.destroyed = true;
    this.reader = NOBODY;
    this.queue = [];
  }

  reset(): void {
    this.destroy();
  }

  private answerUpgrade(bytes: Buffer, start: number, end: number): void {
    if (this.head?.feed(bytes, start, end) !== HeadStep.Done || this.head.head === null) return;
    const verdict = judgeUpgradeRequest(this.head.head, WHATEVER_PASSED);
    this.head = null;
    if (!verdict.ok) throw new Error(`the echo backend was sent a bad request: ${verdict.slug}`);
    const { key, protocols } = verdict.request;
    this.upgraded = true;
    this.send(buildClientSwitch({ key, protocol: protocols[0] ?? null, extensions: null, fields: [] }));
  }

  private echo(bytes: Buffer, start: number, end: number): void {
    const { scanner } = this;
    scanner.feed(bytes, start, end);
    let at = start;
    for (;;) {
      const payloadBefore = scanner.remaining;
      const step = scanner.next();
      if (payloadBefore > 0) at = this.echoPayload(bytes, at, Math.min(scanner.position, at + payloadBefore));
      if (step === Step.NeedData) break;
      if (step === Step.Violation) throw new Error(`the echo backend was sent a bad frame: ${scanner.violation}`);
      if (step === Step.Header) {
        this.send(unmaskedHeader(bytes, scanner.frameStart, scanner.position));
        bytes.copy(this.key, 0, scanner.position - 4, scanner.position);
        this.keyAt = 0;
      } else {
        this.answerControl(bytes, scanner.frameStart, scanner.position);
      }
      at = scanner.position;
      if (step === Step.Close) break;
    }
    scanner.release();
  }

  private echoPayload(bytes: Buffer, start: number, end: number): number {
    const clear = Buffer.from(bytes.subarray(start, end));
    for (let i = 0; i < clear.length; i++) clear[i]! ^= this.key[(this.keyAt + i) & 3]!; // i < length; the key has 4
    this.keyAt = (this.keyAt + clear.length) & 3;
    this.send(clear);
    return end;
  }

  private answerControl(bytes: Buffer, start: number, end: number): void {
    const opcode = this.scanner.opcode;
    if (opcode === Opcode.Pong) return;
    const answer = Buffer.from(bytes.subarray(start + 4, end)); // the header moves up to where the key stood
    const length = end - start - 6;
    answer[0] = 0x80 | (opcode === Opcode.Ping ? Opcode.Pong : Opcode.Close);
    answer[1] = length;
    for (let i = 0; i < length; i++) answer[2 + i]! ^= bytes[start + 2 + (i & 3)]!; // within the frame
    this.send(answer);
    if (opcode === Opcode.Close) this.ending = true;
  }

  private send(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.queue.push(bytes);
    this.queued += bytes.length + PIECE_BYTES;
  }

  /** Deliver in a later turn: a reader is never called from inside its own write. */
  private flushSoon(): void {
    if (this.flushing || this.paused || this.destroyed) return;
    this.flushing = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    this.stepsLeft = TURN_STEPS;
    // Until it is asked for another turn.
    while (this.queue.length > 0 && !this.paused && !this.destroyed && !this.flushing) {
      const [first = NOTHING, ...others] = this.queue;
      const bytes = others.length === 0 ? first : Buffer.concat(this.queue);
      const waited = this.pending > 0;
      this.queue = [];
      this.queued = 0;
      this.reader.onBytes(bytes, 0, bytes.length);
      if (waited && !this.destroyed) this.reader.onTaken();
    }
    if (!this.ending || this.paused || this.destroyed || this.queue.length > 0) return;
    this.ending = false;
    this.reader.onEnd();
  }
}

const NOTHING = Buffer.alloc(0);
const NOBODY: TransportReader = { onBytes() {}, onEnd() {}, onLost() {}, onTaken() {} };

/** The same header as a server sends it: without the mask bit and the key. */
function unmaskedHeader(bytes: Buffer, start: number, end: number): Buffer {
  const header = Buffer.from(bytes.subarray(start, end - 4));
  header[1]! &= 0x7f; // a header has two bytes at least
  return header;
}
