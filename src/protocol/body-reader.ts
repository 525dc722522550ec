// The strict reader of a body: where each piece of its content lies in what came, and where the body ends. It keeps no
// content, and tells nothing of chunks, their extensions and the trailers, which end here.

import { Byte, FIELD_ASCII, hexValue } from './charset.ts';
import { type HeadLimits, HeadStep, RequestHeadParser } from './http-head.ts';
import type { RefusalSlug } from './refusals.ts';

/** How a body is framed; the bytes of one in chunks are counted as they come. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

/** An answer may go on until its connection ends. */
export type AnswerFraming = BodyFraming | { readonly kind: 'until_close' };

export const PieceStep = { NeedData: 0, Data: 1, Done: 2, Violation: 3 } as const;
export type PieceStep = (typeof PieceStep)[keyof typeof PieceStep];

const Part = {
  Size: 0,
  Extension: 1,
  SizeLf: 2,
  Data: 3,
  DataCr: 4,
  DataLf: 5,
  Trailers: 6,
  Done: 7,
  Violation: 8,
} as const;
type Part = (typeof Part)[keyof typeof Part];

/** Thirteen hex digits are less than 2^53, up to which lengths are whole numbers. */
const CHUNK_DIGITS_MAX = 13;
const SEMICOLON = 0x3b;
/** Trailers are lines as those of a head; so they are read as one, behind a line that is none of theirs. */
const LINE_BEFORE = Buffer.from('GET / HTTP/1.1\r\n');

/** Feed it a range, then ask for the next piece until it needs more. After Done or Violation it stays there. */
export class BodyReader {
  /** Index in the fed buffer just after the last byte taken. */
  position = 0;
  /** Of the last piece, in the fed buffer. */
  dataStart = 0;
  dataEnd = 0;
  violation: RefusalSlug | null = null;
  private readonly isChunked: boolean;
  private readonly isOpenEnded: boolean;
  private readonly limits: HeadLimits;
  private bytes: Buffer = NOTHING;
  private end = 0;
  private part: Part;
  /** Of the body or of the chunk. */
  private left: number;
  private digits = 0;
  /** Bytes of all chunk extensions. */
  private extensions = 0;
  private trailers: RequestHeadParser | null = null;

  /** `limits`: of its trailers, and in all of what its chunks say besides their size. */
  constructor(framing: AnswerFraming, limits: HeadLimits) {
    this.isChunked = framing.kind === 'chunked';
    this.isOpenEnded = framing.kind === 'until_close';
    this.left = framing.kind === 'length' ? framing.bytes : 0;
    if (this.isOpenEnded) this.left = Number.POSITIVE_INFINITY;
    if (framing.kind === 'none' || this.left + Number(this.isChunked) === 0) this.part = Part.Done;
    else this.part = this.isChunked ? Part.Size : Part.Data;
    this.limits = limits;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  next(): PieceStep {
    while (this.part < Part.Done) {
      if (this.position === this.end) return PieceStep.NeedData;
      if (this.part === Part.Data) return this.takeData();
      if (this.part === Part.Trailers) this.takeTrailers();
      else this.takeByte(this.bytes[this.position] ?? 0);
    }
    return this.part === Part.Done ? PieceStep.Done : PieceStep.Violation;
  }

  /** The peer sent FIN: whether that is an end of it (RFC 9112 8). */
  endsHere(): boolean {
    if (this.isOpenEnded) this.part = Part.Done;
    return this.part === Part.Done;
  }

  private takeData(): PieceStep {
    this.dataStart = this.position;
    this.dataEnd = Math.min(this.end, this.position + this.left);
    this.left -= this.dataEnd - this.dataStart;
    this.position = this.dataEnd;
    if (this.left === 0) this.part = this.isChunked ? Part.DataCr : Part.Done;
    return PieceStep.Data;
  }

  /** RFC 9112 7.1, strictly: hex digits at once, CR LF after each part. */
  private takeByte(byte: number): void {
    this.position += 1;
    switch (this.part) {
      case Part.Size:
        this.takeSize(byte);
        return;
      case Part.Extension:
        this.takeExtension(byte);
        return;
      case Part.SizeLf:
        this.digits = 0;
        this.expect(byte, Byte.LF, this.left === 0 ? Part.Trailers : Part.Data);
        return;
      case Part.DataCr:
        this.expect(byte, Byte.CR, Part.DataLf);
        return;
      default:
        this.expect(byte, Byte.LF, Part.Size);
    }
  }

  private takeSize(byte: number): void {
    const digit = hexValue(byte);
    if (digit !== -1 && this.digits < CHUNK_DIGITS_MAX) {
      this.digits += 1;
      this.left = this.left * 16 + digit;
    } else if (byte === SEMICOLON && this.digits > 0) this.part = Part.Extension;
    else if (byte === Byte.CR && this.digits > 0) this.part = Part.SizeLf;
    else this.fail('http_syntax');
  }

  /** RFC 9112 7.1.1: one that nobody knows is read past; an end of line in it would be one to some readers. */
  private takeExtension(byte: number): void {
    this.extensions += 1;
    if (byte === Byte.CR) this.part = Part.SizeLf;
    else if (this.extensions > this.limits.headBytesMax) this.fail('http_syntax');
    else if (FIELD_ASCII[byte] !== 1) this.fail('http_syntax');
  }

  private takeTrailers(): void {
    this.trailers ??= this.newTrailers();
    const step = this.trailers.feed(this.bytes, this.position, this.end);
    this.position = this.trailers.position;
    if (step === HeadStep.Done) this.part = Part.Done;
    else if (step === HeadStep.Violation) this.fail(this.trailers.violation ?? 'http_syntax');
  }

  private newTrailers(): RequestHeadParser {
    const { headBytesMax, targetBytesMax, fieldsMax } = this.limits;
    const parser = new RequestHeadParser({
      headBytesMax: headBytesMax + LINE_BEFORE.length,
      targetBytesMax,
      fieldsMax,
    });
    parser.feed(LINE_BEFORE, 0, LINE_BEFORE.length);
    return parser;
  }

  private expect(byte: number, wanted: number, next: Part): void {
    if (byte === wanted) this.part = next;
    else this.fail('http_syntax');
  }

  private fail(slug: RefusalSlug): void {
    this.violation = slug;
    this.part = Part.Violation;
  }
}

const NOTHING = Buffer.alloc(0);
