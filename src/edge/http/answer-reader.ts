// The answer to a plain request as it comes from a backend: its heads by our parser, its content by the strict reader
// of bodies. It reads the backend's transport and ends nothing: its owner hears what came, and that no more will.

import type { Transport, TransportReader } from '../../net/transport.ts';
import { type AnswerFraming, BodyReader, PieceStep } from '../../protocol/body-reader.ts';
import { HeadStep, type ResponseHead, ResponseHeadParser } from '../../protocol/http-head.ts';
import { valuesOf } from '../../protocol/lists.ts';
import { answerFramingOf } from '../../protocol/response-body.ts';

interface AnswerOwner {
  /** The head of an answer that is not the last one: 100, 102, 103. */
  onInterim(head: ResponseHead): void;
  /** The head of the answer; it may come before the body of the request is sent. */
  onAnswer(head: ResponseHead, framing: AnswerFraming): void;
  /** Valid during the call only. */
  onContent(bytes: Buffer, start: number, end: number): void;
  /** All of it has been told. */
  onWhole(): void;
  /** There will be no more of an answer than there was. */
  onBroken(cause: string): void;
  /** What came in one read has been told. */
  onRead(): void;
  /** The backend has taken something that waited. */
  onBackendTook(): void;
  /** One of the above threw. */
  onFault(error: unknown): void;
}

interface AnswerOptions {
  readonly transport: Transport;
  /** Of the request: the answer to HEAD has no content. */
  readonly method: string;
  readonly headBytesMax: number;
}

export class AnswerReader implements TransportReader {
  private readonly options: AnswerOptions;
  private readonly owner: AnswerOwner;
  private parser: ResponseHeadParser;
  private interim = 0;
  private body: BodyReader | null = null;
  /** Nothing more is told. */
  private isOver = false;

  constructor(options: AnswerOptions, owner: AnswerOwner) {
    this.options = options;
    this.owner = owner;
    this.parser = this.newParser();
    // The end of the connection may be that of the answer.
    options.transport.isEndSure = false;
    options.transport.reader = this;
  }

  /** Nothing more is told. The transport stays its owner's to end. */
  leave(): void {
    this.isOver = true;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    try {
      for (let at = start; at < end && !this.isOver; )
        at = this.body === null ? this.readHead(bytes, at, end) : this.readBody(this.body, bytes, at, end);
      this.owner.onRead();
    } catch (error) {
      this.owner.onFault(error);
    }
  }

  onEnd(): void {
    this.guarded(() => {
      if (this.body === null) this.fail('closed before the answer');
      else if (this.body.endsHere()) this.finish();
      else this.fail('not whole');
    });
  }

  onLost(error: NodeJS.ErrnoException): void {
    this.guarded(() => this.fail(error.code ?? error.message));
  }

  onTaken(): void {
    this.guarded(() => this.owner.onBackendTook());
  }

  private readHead(bytes: Buffer, start: number, end: number): number {
    const step = this.parser.feed(bytes, start, end);
    if (step === HeadStep.NeedData) return end;
    const { head, violation, position } = this.parser;
    if (step === HeadStep.Violation || head === null)
      this.fail(violation === 'head_too_large' ? HEAD_SIZE_KEY : `head: ${violation}`);
    else if (head.status < 200) this.takeInterim(head);
    else this.takeHead(head);
    return position;
  }

  private takeInterim(head: ResponseHead): void {
    // Nobody has asked for another protocol.
    if (head.status === 101) {
      this.fail('status 101');
      return;
    }
    this.interim += 1;
    if (this.interim > INTERIM_MAX) {
      this.fail('interim answers');
      return;
    }
    this.parser = this.newParser();
    this.owner.onInterim(head);
  }

  private takeHead(head: ResponseHead): void {
    const { method, headBytesMax } = this.options;
    const stated = strictFramingOf(head);
    if (stated.kind === 'invalid') {
      this.fail(stated.cause);
      return;
    }
    // RFC 9112 6.3: it ends with its head, whatever length that states.
    const framing = method === 'HEAD' ? NO_BODY : stated;
    const fieldsMax = Number.POSITIVE_INFINITY;
    this.body = new BodyReader(framing, { headBytesMax, targetBytesMax: headBytesMax, fieldsMax });
    this.owner.onAnswer(head, framing);
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) this.finish();
  }

  private readBody(body: BodyReader, bytes: Buffer, start: number, end: number): number {
    body.feed(bytes, start, end);
    let step = body.next();
    for (; step === PieceStep.Data && !this.isOver; step = body.next())
      this.owner.onContent(bytes, body.dataStart, body.dataEnd);
    if (step === PieceStep.Violation) this.fail('bad chunk');
    else if (step === PieceStep.Done) this.finish();
    return body.position;
  }

  /** What follows a whole answer is nobody's: bytes too many, a reset because of a body that was not read. */
  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.onWhole();
  }

  private fail(cause: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.onBroken(cause);
  }

  private newParser(): ResponseHeadParser {
    return new ResponseHeadParser({ headBytesMax: this.options.headBytesMax, relaxLf: false });
  }

  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.owner.onFault(error);
    }
  }
}

/** 100, 102, 103 before the answer (RFC 9110 15.2): more is a flood. */
const INTERIM_MAX = 8;
const NO_BODY: AnswerFraming = { kind: 'none' };
/** RFC 9112 6.3 lets several equal lengths be one, or none. */
function strictFramingOf(head: ResponseHead): ReturnType<typeof answerFramingOf> {
  const [length = '', ...others] = valuesOf(head.fields, 'content-length');
  if (others.length > 0 || length.includes(',')) return { kind: 'invalid', cause: 'several Content-Lengths' };
  return answerFramingOf(head);
}

/** The limit that an answer broke, as the config calls it. */
const HEAD_SIZE_KEY = 'upstreams.*.max_head_size';
