// A plain request and its answer while they are relayed: both bodies as the slower side takes them, and since when
// nothing has moved. It chooses no fields and ends nothing: its owner hears what became of it, and leaves it.

import type { Timeouts } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import type { Transport } from '../../net/transport.ts';
import type { AnswerFraming, BodyFraming } from '../../protocol/body-reader.ts';
import type { ResponseHead } from '../../protocol/http-head.ts';
import type { AnswerHead } from './answer-head.ts';
import { AnswerReader } from './answer-reader.ts';
import { MessageWriter } from './message-writer.ts';
import type { Joint } from './plain-means.ts';

export interface RelayOwner {
  /** Bytes that the body of the request may have. */
  readonly bodyBytesMax: number;
  /** The head of the answer: what the client gets of it. */
  onAnswer(answer: ResponseHead, framing: AnswerFraming): AnswerHead;
  onInterim(head: ResponseHead): void;
  onBodyTooLarge(): void;
  /** There is no answer, or no more of it: by `hasAnswer`. */
  onBroken(cause: string): void;
  /** It waits for something else from now on. */
  onPhase(): void;
  /** All of the answer is out. */
  onWhole(): void;
  /** One of the above threw. */
  onFault(error: unknown): void;
  /** Whether the body of the request is read on: what was sent of it waits for the backend. */
  holdBody(isHeld: boolean): void;
}

interface RelayOptions {
  readonly clock: Clock;
  readonly joint: Joint;
  readonly client: Transport;
  readonly backend: Transport;
  readonly method: string;
  /** The whole head for the backend, as text of latin1. */
  readonly head: string;
  readonly body: BodyFraming;
  /** Of the head of the answer, and of the trailers behind its body. */
  readonly headBytesMax: number;
  /** Bytes of the bodies are counted there. */
  readonly counts: { bytesIn: number; bytesOut: number };
  readonly owner: RelayOwner;
}

/** What did not go on in time, and whose fault it is. */
export type Overdue = 'body' | 'backend_stall' | 'response' | 'idle' | 'client_stall';

/** While more than this waits for the slower side the other is not read, until half of it is taken. */
const PENDING_MAX = 64 * 1024;

type Answer = 'none' | 'coming' | 'whole';

export class PlainRelay {
  private readonly options: RelayOptions;
  private readonly owner: RelayOwner;
  private readonly reader: AnswerReader;
  private readonly toBackend: MessageWriter;
  private readonly toClient: MessageWriter;
  private answer: Answer = 'none';
  /** All of the request was sent: since then. */
  private sentAt: number | null = null;
  /** When the request went on last, and when the answer did: a byte came while nothing waited, or one was taken. */
  private inAt: number;
  private outAt: number;
  private hasLeft = false;

  constructor(options: RelayOptions) {
    const { clock, joint, client, backend, method, headBytesMax, owner } = options;
    this.options = options;
    this.owner = owner;
    this.inAt = clock.now();
    this.outAt = this.inAt;
    this.toBackend = new MessageWriter(backend, joint);
    this.toClient = new MessageWriter(client, joint);
    this.reader = new AnswerReader({ transport: backend, method, headBytesMax }, this);
  }

  /** The request goes out: its head, with what is there of its body. */
  begin(): void {
    const { head, body } = this.options;
    this.toBackend.begin(head, body.kind === 'chunked');
    if (body.kind === 'none') this.endBody();
  }

  get bufferedBytes(): number {
    return this.options.backend.held + this.options.backend.kept;
  }

  /** The head of an answer has come. */
  get hasAnswer(): boolean {
    return this.answer !== 'none';
  }

  /** Since all of the request was sent; null: not all of it was. */
  get waitedMs(): number | null {
    return this.sentAt === null ? null : this.options.clock.now() - this.sentAt;
  }

  /** Content of the request. Valid during the call only. */
  takeBody(bytes: Buffer, start: number, end: number): void {
    const { counts, clock, backend } = this.options;
    if (this.hasLeft) return;
    counts.bytesIn += end - start;
    if (counts.bytesIn > this.owner.bodyBytesMax) {
      this.owner.onBodyTooLarge();
      return;
    }
    if (backend.pending === 0) this.inAt = clock.now();
    this.toBackend.content(bytes, start, end);
  }

  /** What has come of the body was told. */
  flushBody(): void {
    this.toBackend.flush();
    const isOpen = !this.hasLeft && this.sentAt === null;
    if (isOpen && this.options.backend.pending > PENDING_MAX) this.owner.holdBody(true);
  }

  /** Nothing more of the body comes. */
  endBody(): void {
    if (this.hasLeft) return;
    this.toBackend.end();
    this.sentAt = this.options.clock.now();
  }

  /** The client has taken something that waited. */
  clientTook(): void {
    const { clock, client, backend } = this.options;
    if (this.hasLeft) return;
    this.outAt = clock.now();
    if (client.pending <= PENDING_MAX / 2) backend.resume();
    this.endWhenOut();
  }

  /** When something is overdue as it stands now, and what. */
  deadline(timeouts: Timeouts): { readonly at: number; readonly what: Overdue } {
    const { client, backend } = this.options;
    const { inAt, outAt, sentAt } = this;
    if (this.hasAnswer) {
      if (client.pending > 0) return { at: outAt + timeouts.write_stall, what: 'client_stall' };
      return { at: Math.max(inAt, outAt) + timeouts.idle, what: 'idle' };
    }
    // With the last bytes of a body it is the backend that is waited for, whatever it does.
    if (sentAt !== null) return { at: sentAt + timeouts.response, what: 'response' };
    if (backend.pending > 0) return { at: inAt + timeouts.write_stall, what: 'backend_stall' };
    return { at: inAt + timeouts.body, what: 'body' };
  }

  /** Nothing of it goes on. The connections are their owners' to end. Idempotent. */
  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.toBackend.drop();
    // What stands before an end goes before it.
    this.toClient.flush();
    this.reader.leave();
  }

  onInterim(head: ResponseHead): void {
    this.owner.onInterim(head);
  }

  onAnswer(answer: ResponseHead, framing: AnswerFraming): void {
    const head = this.owner.onAnswer(answer, framing);
    this.answer = 'coming';
    this.outAt = this.options.clock.now();
    this.toClient.begin(head.text, head.isChunked);
    this.owner.onPhase();
  }

  onContent(bytes: Buffer, start: number, end: number): void {
    const { counts, clock, client } = this.options;
    counts.bytesOut += end - start;
    if (client.pending === 0) this.outAt = clock.now();
    this.toClient.content(bytes, start, end);
  }

  onWhole(): void {
    this.answer = 'whole';
    this.toClient.end();
    this.endWhenOut();
  }

  onBroken(cause: string): void {
    this.toClient.flush();
    this.owner.onBroken(cause);
  }

  onRead(): void {
    const { client, backend } = this.options;
    this.toClient.flush();
    if (!this.hasLeft && client.pending > PENDING_MAX) backend.pause();
  }

  onBackendTook(): void {
    const { clock, backend } = this.options;
    if (this.hasLeft) return;
    this.inAt = clock.now();
    if (backend.pending <= PENDING_MAX / 2) this.owner.holdBody(false);
  }

  onFault(error: unknown): void {
    this.owner.onFault(error);
  }

  private endWhenOut(): void {
    if (this.answer === 'whole' && !this.hasLeft && this.options.client.pending === 0) this.owner.onWhole();
  }
}
