// The body of an answer: how it is framed, and the body itself up to a cap. It knows nothing of what the answer means.

import type { AnswerFraming } from './body-reader.ts';
import { Byte, hexValue, trimOws } from './charset.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { ResponseHead } from './http-head.ts';
import { valuesOf } from './lists.ts';

export const BodyStep = { NeedData: 0, Done: 1, Violation: 2 } as const;
export type BodyStep = (typeof BodyStep)[keyof typeof BodyStep];

/** Chunk extensions and trailers of one body, together; they are read past. */
const CHUNK_OVERHEAD_MAX = 16 * 1024;
const BODY_BYTES_MIN = 1024;

type Framing = AnswerFraming | { readonly kind: 'invalid'; readonly cause: string };

/** RFC 9112 6.3, refusing what it leaves to the recipient: a body that two readers could end at two places. */
export function answerFramingOf(head: ResponseHead): Framing {
  const codings = valuesOf(head.fields, 'transfer-encoding');
  const lengths = valuesOf(head.fields, 'content-length').flatMap((value) => value.split(',').map(trimOws));
  const [length] = lengths;
  if (codings.length > 0 && lengths.length > 0) {
    return { kind: 'invalid', cause: 'Transfer-Encoding with Content-Length' };
  }
  if (!lengths.every((each) => /^[0-9]{1,15}$/.test(each))) return { kind: 'invalid', cause: 'bad Content-Length' };
  // RFC 9112 6.3: several of the same value are that value.
  if (lengths.some((each) => each !== length)) return { kind: 'invalid', cause: 'different Content-Lengths' };
  if (codings.length > 1 || (codings.length === 1 && codings[0]?.toLowerCase() !== 'chunked')) {
    return { kind: 'invalid', cause: 'unknown Transfer-Encoding' };
  }
  // RFC 9112 6.1: HTTP/1.0 knows no Transfer-Encoding, so its framing is faulty.
  if (codings.length === 1 && head.version === '1.0') return { kind: 'invalid', cause: 'chunked in HTTP/1.0' };
  // RFC 9110 15.4.5: a 304 ends with its head, whatever length it states.
  if (head.status === 304 || head.status === 204 || head.status < 200) return { kind: 'none' };
  if (codings.length === 1) return { kind: 'chunked' };
  return length === undefined ? { kind: 'until_close' } : { kind: 'length', bytes: Number(length) };
}

const Chunk = { Size: 0, Extension: 1, SizeLf: 2, Data: 3, DataCr: 4, DataLf: 5, Trailer: 6, TrailerLf: 7 } as const;
type Chunk = (typeof Chunk)[keyof typeof Chunk];

/** Seven hex digits are 256 MiB, far above the cap. */
const CHUNK_DIGITS_MAX = 7;

/**
 * The body of one answer. Feed it until it says Done or Violation; it stays there. Above the cap it is Done at once
 * and empty, and so it is when it is cut short: a status may be worth more than that its body is missing.
 */
export class ResponseBody {
  /** Index in the last fed buffer just after the last byte taken, once Done and not dropped. */
  position = 0;
  /** Why it says Violation. */
  violation: string | null = null;
  /** The body was larger than the cap, or cut short. */
  dropped = false;
  private readonly framing: Framing;
  private readonly bytesMax: number;
  private readonly body: GrowingBytes;
  private isDone = false;
  private chunk: Chunk = Chunk.Size;
  private digits = 0;
  private left = 0;
  private overhead = 0;
  private trailerLine = 0;

  constructor(head: ResponseHead, bytesMax: number) {
    this.bytesMax = bytesMax;
    this.body = new GrowingBytes({ bytesMin: BODY_BYTES_MIN, bytesMax, isPooled: true });
    this.framing = answerFramingOf(head);
    const framing = this.framing;
    if (framing.kind === 'invalid') this.violation = framing.cause;
    else if (framing.kind === 'none') this.isDone = true;
    else if (framing.kind === 'length') {
      this.left = framing.bytes;
      if (framing.bytes > this.bytesMax) this.drop();
      else this.isDone = framing.bytes === 0;
    }
  }

  /** It has an end of its own; else it goes on until its connection ends. */
  get isDelimited(): boolean {
    return this.framing.kind !== 'until_close';
  }

  feed(bytes: Buffer, start: number, end: number): BodyStep {
    this.position = start;
    if (!this.running) return this.step;
    switch (this.framing.kind) {
      case 'length': {
        const stop = Math.min(end, start + this.left);
        this.left -= stop - start;
        this.append(bytes, start, stop);
        this.position = stop;
        if (this.left === 0) this.isDone = true;
        break;
      }
      case 'until_close':
        this.append(bytes, start, end);
        this.position = end;
        break;
      default:
        this.readChunks(bytes, start, end);
    }
    return this.step;
  }

  /** The backend sent FIN. */
  end(): BodyStep {
    if (!this.running) return this.step;
    // RFC 9112 8: a body that ends before its length or its last chunk is incomplete.
    if (this.framing.kind === 'until_close') this.isDone = true;
    else this.drop();
    return this.step;
  }

  /** The body, once Done; empty when there is none or it was dropped. */
  bytes(): Buffer {
    return this.body.view();
  }

  private get running(): boolean {
    return !this.isDone && this.violation === null;
  }

  private get step(): BodyStep {
    if (this.violation !== null) return BodyStep.Violation;
    return this.isDone ? BodyStep.Done : BodyStep.NeedData;
  }

  private drop(): void {
    this.body.take();
    this.dropped = true;
    this.isDone = true;
  }

  private append(bytes: Buffer, start: number, end: number): void {
    if (end - start > this.bytesMax - this.body.size) this.drop();
    else this.body.append(bytes, start, end);
  }

  private readChunks(bytes: Buffer, start: number, end: number): void {
    let i = start;
    while (i < end && this.running) {
      if (this.chunk !== Chunk.Data) {
        this.readChunkByte(bytes[i]!);
        i += 1;
        continue;
      }
      const stop = Math.min(end, i + this.left);
      this.append(bytes, i, stop);
      this.left -= stop - i;
      i = stop;
      if (this.left === 0) this.chunk = Chunk.DataCr;
    }
    this.position = i;
  }

  /** RFC 9112 7.1, strictly: hex digits at once, CR LF after each part. */
  private readChunkByte(byte: number): void {
    switch (this.chunk) {
      case Chunk.Size:
        this.readSize(byte);
        break;
      case Chunk.Extension:
        this.count();
        if (byte === Byte.CR) this.chunk = Chunk.SizeLf;
        else if (byte === Byte.LF || byte === Byte.NUL) this.bad();
        break;
      case Chunk.SizeLf:
        if (byte !== Byte.LF) this.bad();
        this.chunk = this.left === 0 ? Chunk.Trailer : Chunk.Data;
        this.digits = 0;
        this.trailerLine = 0;
        break;
      case Chunk.DataCr:
        if (byte !== Byte.CR) this.bad();
        this.chunk = Chunk.DataLf;
        break;
      case Chunk.DataLf:
        if (byte !== Byte.LF) this.bad();
        this.chunk = Chunk.Size;
        break;
      case Chunk.Trailer:
        this.count();
        if (byte === Byte.CR) this.chunk = Chunk.TrailerLf;
        else if (byte === Byte.LF || byte === Byte.NUL) this.bad();
        else this.trailerLine += 1;
        break;
      default:
        if (byte !== Byte.LF) this.bad();
        else if (this.trailerLine === 0) this.isDone = true;
        this.trailerLine = 0;
        this.chunk = Chunk.Trailer;
    }
  }

  private readSize(byte: number): void {
    const digit = hexValue(byte);
    if (digit !== -1 && this.digits < CHUNK_DIGITS_MAX) {
      this.digits += 1;
      this.left = this.left * 16 + digit;
      if (this.left > this.bytesMax - this.body.size) this.drop();
    } else if (byte === SEMICOLON && this.digits > 0) this.chunk = Chunk.Extension;
    else if (byte === Byte.CR && this.digits > 0) this.chunk = Chunk.SizeLf;
    else this.bad();
  }

  private count(): void {
    this.overhead += 1;
    if (this.overhead > CHUNK_OVERHEAD_MAX) this.bad();
  }

  private bad(): void {
    this.violation ??= 'bad chunk';
  }
}

const SEMICOLON = 0x3b;
