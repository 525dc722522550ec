// A client's bytes as requests, one at a time: each head by our parser, its body by the strict reader, and what comes
// behind it held until it is answered. It answers nothing and ends no connection.

import type { Transport } from '../../net/transport.ts';
import { BodyReader, PieceStep } from '../../protocol/body-reader.ts';
import type { RequestHead, RequestHeadParser } from '../../protocol/http-head.ts';
import { bodyFramingOf } from '../../protocol/plain-request.ts';
import type { Refusal, RefusalSlug } from '../../protocol/refusals.ts';
import type { LiveListener } from '../arrival.ts';
import type { EdgeContext } from '../context.ts';
import { EarlyBytes } from '../early-bytes.ts';
import { newHeadParser, readHead } from '../http1.ts';

export interface RequestOwner {
  readonly transport: Transport;
  /** The first byte of a head came `at` that time. */
  onHeadBegins(at: number): void;
  /** False: it is no plain request, or nothing behind it is read. `rest`: what came behind it, a view. */
  onHead(head: RequestHead, rest: Buffer): boolean;
  onProbe(method: string): void;
  /** It asks for what proves a name: the whole answer. */
  onChallenge(answer: Buffer): void;
  onBadHead(refusal: Refusal): void;
  onBadBody(slug: RefusalSlug): void;
  /** Content of the body. Valid during the call only. */
  onContent(bytes: Buffer, start: number, end: number): void;
  /** What has come of it was told: all of it, when `isWhole`. */
  onContentRead(isWhole: boolean): void;
}

type Part =
  | { readonly kind: 'head'; readonly parser: RequestHeadParser | null }
  /** `isOpen`: there is somebody who takes it; else what comes of it waits. */
  | { readonly kind: 'body'; readonly reader: BodyReader; isOpen: boolean }
  /** The request is whole; what comes behind it waits for its answer. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'stopped' };

export class RequestReader {
  private readonly owner: RequestOwner;
  private readonly context: EdgeContext;
  private readonly listener: LiveListener;
  private readonly early: EarlyBytes;
  private part: Part = NEXT_HEAD;
  /** Since when something waits; when what is read had come, if it waited. */
  private earlyAt = 0;
  private cameAt: number | null = null;

  constructor(owner: RequestOwner, context: EdgeContext, listener: LiveListener) {
    this.owner = owner;
    this.context = context;
    this.listener = listener;
    this.early = new EarlyBytes(owner.transport, context.buffers, NOTHING);
  }

  /** With a head that was read before. */
  begin(head: RequestHead, rest: Buffer): void {
    this.takeHead(head, rest);
    this.take(rest, 0, rest.length);
  }

  take(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const { part } = this;
      if (part.kind === 'stopped') return;
      if (part.kind === 'waiting' || (part.kind === 'body' && !part.isOpen)) {
        if (this.early.size === 0) this.earlyAt = this.context.clock.now();
        this.early.bytesMax = this.context.snapshot.config.limits.max_head_size;
        this.early.add(bytes, at, end);
        return;
      }
      at = part.kind === 'head' ? this.readHead(part, bytes, at, end) : this.readBody(part, bytes, at, end);
    }
  }

  /** The head of a request with a body has come, and not all of that body. */
  get isInBody(): boolean {
    return this.part.kind === 'body';
  }

  /** The body of the present request is told from now on. */
  openBody(): void {
    if (this.part.kind !== 'body') return;
    this.part.isOpen = true;
    this.readHeld();
  }

  /** Who takes the body has enough of it for now, or no longer. */
  holdBody(isHeld: boolean): void {
    const { part, owner } = this;
    if (isHeld) owner.transport.pause();
    // Nothing of it is held here: who takes it is the bound, whatever others hold.
    else if (part.kind === 'body') owner.transport.resume();
    else this.early.readOrHold();
  }

  /** The answer is out: on to the next request. */
  goOn(): void {
    if (this.part.kind !== 'waiting') return;
    this.part = NEXT_HEAD;
    this.cameAt = this.earlyAt;
    this.readHeld();
    this.cameAt = null;
  }

  /** Nothing more is read, and what was held is forgotten. */
  stop(): void {
    this.part = STOPPED;
    this.early.take();
  }

  private readHead(part: Part & { kind: 'head' }, bytes: Buffer, start: number, end: number): number {
    const { owner, listener, context } = this;
    let { parser } = part;
    if (parser === null) {
      parser = newHeadParser(context.snapshot.config.limits);
      this.part = { kind: 'head', parser };
      owner.onHeadBegins(this.cameAt ?? context.clock.now());
    }
    const { live } = context.snapshot;
    const read = readHead({ parser, live, listener, bytes, start, end });
    if (read === null) return end;
    if (read.kind === 'request') {
      this.takeHead(read.head, bytes.subarray(read.restAt, end));
      return read.restAt;
    }
    this.stop();
    if (read.kind === 'probe') owner.onProbe(read.method);
    else if (read.kind === 'challenge') owner.onChallenge(read.answer);
    else owner.onBadHead(read.refusal);
    return end;
  }

  private takeHead(head: RequestHead, rest: Buffer): void {
    const framing = bodyFramingOf(head);
    // Its judge refuses it: where its body ends nobody knows.
    if (typeof framing === 'string') this.part = STOPPED;
    else if (framing.kind === 'none') this.part = WAITING;
    else {
      const { max_head_size, max_target_size, max_header_fields } = this.context.snapshot.config.limits;
      const caps = { headBytesMax: max_head_size, targetBytesMax: max_target_size, fieldsMax: max_header_fields };
      this.part = { kind: 'body', reader: new BodyReader(framing, caps), isOpen: false };
    }
    if (!this.owner.onHead(head, rest)) this.stop();
  }

  private readBody(part: Part & { kind: 'body' }, bytes: Buffer, start: number, end: number): number {
    const { owner } = this;
    const { reader } = part;
    reader.feed(bytes, start, end);
    let step = reader.next();
    for (; step === PieceStep.Data; step = reader.next()) {
      owner.onContent(bytes, reader.dataStart, reader.dataEnd);
      if (this.part !== part) return end;
    }
    if (step === PieceStep.Violation) {
      this.stop();
      owner.onBadBody(reader.violation ?? 'http_syntax');
      return end;
    }
    const isWhole = step === PieceStep.Done;
    if (isWhole) this.part = WAITING;
    owner.onContentRead(isWhole);
    return reader.position;
  }

  /** What waited is read as if it came now. */
  private readHeld(): void {
    const held = this.early.take();
    this.owner.transport.resume();
    if (held !== null) this.take(held, 0, held.length);
  }
}

const NOTHING = Buffer.alloc(0);
const NEXT_HEAD: Part = { kind: 'head', parser: null };
const WAITING: Part = { kind: 'waiting' };
const STOPPED: Part = { kind: 'stopped' };
