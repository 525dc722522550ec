// A client's bytes as requests, one at a time: each head by our parser, the body by our own strict reading, and both
// written anew for Node, which so has nothing to read in another way. It answers nothing and ends no connection.

import type { Transport } from '../../net/transport.ts';
import type { RequestHead, RequestHeadParser } from '../../protocol/http-head.ts';
import { type BodyFraming, bodyFramingOf } from '../../protocol/plain-request.ts';
import type { Refusal, RefusalSlug } from '../../protocol/refusals.ts';
import { PieceStep, RequestBodyReader } from '../../protocol/request-body.ts';
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
  /** For Node. */
  give(bytes: Buffer): void;
}

type Part =
  | { readonly kind: 'head'; readonly parser: RequestHeadParser | null }
  | { readonly kind: 'body'; readonly framing: BodyFraming; readonly reader: RequestBodyReader }
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
      if (part.kind === 'waiting') {
        if (this.early.size === 0) this.earlyAt = this.context.clock.now();
        this.early.bytesMax = this.context.snapshot.config.limits.max_head_size;
        this.early.add(bytes, at, end);
        return;
      }
      at = part.kind === 'head' ? this.readHead(part, bytes, at, end) : this.readBody(part, bytes, at, end);
    }
  }

  /** Of what comes behind the present request: it reads on when that is answered. */
  get holdsBytes(): boolean {
    return this.early.size > 0;
  }

  /** The answer is out: on to the next request. */
  goOn(): void {
    if (this.part.kind !== 'waiting') return;
    this.part = NEXT_HEAD;
    const held = this.early.take();
    this.owner.transport.resume();
    if (held === null) return;
    this.cameAt = this.earlyAt;
    this.take(held, 0, held.length);
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
    const isFaulty = typeof framing === 'string';
    if (isFaulty) this.part = STOPPED;
    else if (framing.kind === 'none') this.part = WAITING;
    else {
      const { max_head_size, max_target_size, max_header_fields } = this.context.snapshot.config.limits;
      const caps = { headBytesMax: max_head_size, targetBytesMax: max_target_size, fieldsMax: max_header_fields };
      this.part = { kind: 'body', framing, reader: new RequestBodyReader(framing, caps) };
    }
    if (this.owner.onHead(head, rest)) this.owner.give(frontHead(head, isFaulty ? NO_BODY : framing));
    else this.stop();
  }

  private readBody(part: Part & { kind: 'body' }, bytes: Buffer, start: number, end: number): number {
    const { reader, framing } = part;
    reader.feed(bytes, start, end);
    // Content is never more than what it came in.
    const content = Buffer.allocUnsafe(end - start);
    let size = 0;
    let step = reader.next();
    for (; step === PieceStep.Data; step = reader.next())
      size += bytes.copy(content, size, reader.dataStart, reader.dataEnd);
    if (step === PieceStep.Violation) {
      this.stop();
      this.owner.onBadBody(reader.violation ?? 'http_syntax');
      return end;
    }
    const isWhole = step === PieceStep.Done;
    if (isWhole) this.part = WAITING;
    this.give(framing, content.subarray(0, size), isWhole);
    return reader.position;
  }

  private give(framing: BodyFraming, content: Buffer, isWhole: boolean): void {
    const { owner } = this;
    const isChunked = framing.kind === 'chunked';
    if (content.length > 0) {
      // What came in one read is one chunk, however it was cut.
      if (isChunked) owner.give(Buffer.from(`${content.length.toString(16)}\r\n`, 'latin1'));
      owner.give(content);
      if (isChunked) owner.give(LINE_END);
    }
    if (isChunked && isWhole) owner.give(LAST_CHUNK);
  }
}

/** What Node has to know of a head to frame its body and its answer; what it says has been judged or will be. */
function frontHead({ method, version, fields }: RequestHead, framing: BodyFraming): Buffer {
  const lines = [`${method === 'HEAD' ? 'HEAD' : 'POST'} / HTTP/${version === '1.0' ? '1.0' : '1.1'}`];
  if (fields.some(({ lower, value }) => lower === 'connection' && /(?:^|[\t ,])close(?:$|[\t ,])/i.test(value)))
    lines.push('Connection: close');
  if (framing.kind !== 'none' && fields.some(({ lower }) => lower === 'expect')) lines.push('Expect: 100-continue');
  if (framing.kind === 'chunked') lines.push('Transfer-Encoding: chunked');
  else lines.push(`Content-Length: ${framing.kind === 'length' ? framing.bytes : 0}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const NOTHING = Buffer.alloc(0);
const LINE_END = Buffer.from('\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const NO_BODY: BodyFraming = { kind: 'none' };
const NEXT_HEAD: Part = { kind: 'head', parser: null };
const WAITING: Part = { kind: 'waiting' };
const STOPPED: Part = { kind: 'stopped' };
