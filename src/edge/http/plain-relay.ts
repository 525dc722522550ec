// A plain request and its answer while they are relayed: both bodies as the slower side takes them, and since when
// nothing has moved. It chooses no fields and ends nothing: its owner hears what became of it, and leaves it.

import type { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import type { Timeouts } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import { HttpSend, type HttpSendOptions } from '../../net/http-send.ts';
import type { Transport } from '../../net/transport.ts';
import type { AnswerHead } from './answer-head.ts';

export interface RelayOwner {
  /** Bytes that the body of the request may have. */
  readonly bodyBytesMax: number;
  /** The head of the answer: what the client gets of it; null when it is none, and the owner has left. */
  onAnswer(answer: IncomingMessage): AnswerHead | null;
  onInterim(status: number, raw: readonly string[]): void;
  onBodyTooLarge(): void;
  /** There is no answer, or no more of it: by `hasAnswer`. */
  onBroken(cause: string): void;
  /** It waits for something else from now on. */
  onPhase(): void;
  /** All of the answer is out. */
  onWhole(): void;
  /** The way in for Node's events. */
  guarded(step: () => void): void;
}

interface RelayOptions {
  readonly clock: Clock;
  readonly client: Transport;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly hasBody: boolean;
  readonly awaitsContinue: boolean;
  readonly send: HttpSendOptions;
  /** Bytes of the bodies are counted there. */
  readonly counts: { bytesIn: number; bytesOut: number };
  readonly owner: RelayOwner;
}

/** What did not go on in time, and whose fault it is. */
export type Overdue = 'body' | 'backend_stall' | 'response' | 'idle' | 'client_stall';

export class PlainRelay {
  private readonly options: RelayOptions;
  private readonly owner: RelayOwner;
  private readonly send: HttpSend;
  private answer: IncomingMessage | null = null;
  /** All of the request was given to Node: since then. */
  private sentAt: number | null = null;
  /** When the request went on last, and when the answer did: a byte came while nothing waited, or one was taken. */
  private inAt: number;
  private outAt: number;
  private hasLeft = false;

  /** The request goes out. */
  constructor(options: RelayOptions) {
    const { clock, counts, owner, message, response, hasBody, awaitsContinue } = options;
    this.options = options;
    this.owner = owner;
    this.inAt = clock.now();
    this.outAt = this.inAt;
    const guarded = (step: () => void): void => {
      if (!this.hasLeft) owner.guarded(step);
    };
    const send = new HttpSend(options.send, {
      onAnswer: (answer) => guarded(() => this.takeAnswer(answer, guarded)),
      onInterim: (status, raw) => guarded(() => this.answer === null && owner.onInterim(status, raw)),
      onBroken: (code) => guarded(() => this.onBroken(code)),
      onBackendTook: () => {
        this.inAt = clock.now();
      },
      onDrain: () => message.resume(),
    });
    this.send = send;
    // Behind Node's own listener, which ends the stream where the answer is the last one.
    response.on('finish', () => guarded(() => owner.onWhole()));
    response.on('drain', () => this.answer?.resume());
    if (!hasBody) {
      message.resume();
      this.onSent();
      return;
    }
    if (awaitsContinue) response.writeContinue();
    message.on('data', (chunk: Buffer) => guarded(() => this.relayBody(chunk)));
    message.on('end', () => guarded(() => this.onBodyEnd()));
    // With its first bytes where they are there; who answers by the head alone need not wait for them.
    setImmediate(() => guarded(() => counts.bytesIn === 0 && flushHead(send.request)));
  }

  /** The head of an answer has come. */
  get hasAnswer(): boolean {
    return this.answer !== null;
  }

  /** The client has taken something that waited. */
  clientTook(): void {
    this.outAt = this.options.clock.now();
  }

  /** When something is overdue as it stands now, and what. */
  deadline(timeouts: Timeouts): { readonly at: number; readonly what: Overdue } {
    const { client, send } = this.options;
    const { inAt, outAt, sentAt } = this;
    if (this.answer !== null) {
      if (client.pending > 0) return { at: outAt + timeouts.write_stall, what: 'client_stall' };
      return { at: Math.max(inAt, outAt) + timeouts.idle, what: 'idle' };
    }
    // With the last bytes of a body it is the backend that is waited for, whatever it does.
    if (sentAt !== null) return { at: sentAt + timeouts.response, what: 'response' };
    if (send.transport.pending > 0) return { at: inAt + timeouts.write_stall, what: 'backend_stall' };
    return { at: inAt + timeouts.body, what: 'body' };
  }

  /** Nothing of it goes on. The connections are their owners' to end. Idempotent. */
  leave(): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.send.leave();
  }

  private relayBody(chunk: Buffer): void {
    const { counts, clock, message, send } = this.options;
    counts.bytesIn += chunk.length;
    if (counts.bytesIn > this.owner.bodyBytesMax) {
      this.owner.onBodyTooLarge();
      return;
    }
    if (send.transport.pending === 0) this.inAt = clock.now();
    if (!this.send.request.write(chunk)) message.pause();
  }

  private onBodyEnd(): void {
    this.onSent();
    this.owner.onPhase();
  }

  private onSent(): void {
    this.sentAt = this.options.clock.now();
    this.send.request.end();
  }

  private takeAnswer(answer: IncomingMessage, guarded: (step: () => void) => void): void {
    if (this.answer !== null) return;
    const head = this.owner.onAnswer(answer);
    if (head === null) return;
    const { response, clock, counts } = this.options;
    // RFC 9110 6.6.1: one without a Date gets that of now.
    response.sendDate = !head.isDated;
    response.writeHead(head.status, head.fields);
    this.answer = answer;
    this.outAt = clock.now();
    answer.on('data', (chunk: Buffer) => guarded(() => this.relayAnswer(answer, chunk)));
    answer.on('end', () => guarded(() => response.end()));
    answer.on('error', () => guarded(() => this.onBroken(NOT_WHOLE)));
    answer.on('close', () => guarded(() => this.onBroken(NOT_WHOLE)));
    // With its first bytes where they are there; an event stream may have none for long.
    setImmediate(() => guarded(() => counts.bytesOut === 0 && flushHead(response)));
    this.owner.onPhase();
  }

  private relayAnswer(answer: IncomingMessage, chunk: Buffer): void {
    const { counts, clock, client, response } = this.options;
    counts.bytesOut += chunk.length;
    if (client.pending === 0) this.outAt = clock.now();
    if (!response.write(chunk)) answer.pause();
  }

  /** What follows a whole answer is nobody's: bytes too many, a reset because of a body that was not read. */
  private onBroken(cause: string): void {
    if (this.answer?.complete !== true) this.owner.onBroken(cause);
  }
}

/** Node's own flushHeaders writes them as UTF-8, which is two bytes for each from 0x80 on. */
function flushHead(message: OutgoingMessage): void {
  if (!message.writableEnded) message.write('', 'latin1');
}

const NOT_WHOLE = 'not whole';
