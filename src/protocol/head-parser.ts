// The part of an HTTP/1.1 head that requests and responses share: field lines, line ends, caps, and the buffer that
// holds an unfinished head. The first byte that breaks a rule decides, so no cut of the stream changes an outcome.

import { Byte, type ByteClass, FIELD_TEXT, isOws, TOKEN } from './charset.ts';
import { GrowingBytes } from './growing-bytes.ts';

export const HeadStep = { NeedData: 0, Done: 1, Violation: 2 } as const;
export type HeadStep = (typeof HeadStep)[keyof typeof HeadStep];

/** Latin1 strings: one character per byte of the wire. `value` is trimmed of SP and HTAB and of nothing else. */
export interface HeadField {
  readonly name: string;
  readonly lower: string;
  readonly value: string;
}

export type FieldViolation =
  | 'bare_lf'
  | 'bare_cr'
  | 'ctl'
  | 'obs_fold'
  | 'header_name'
  | 'head_too_large'
  | 'too_many_fields';

interface HeadCaps {
  readonly headBytesMax: number;
  /** Infinity: as many as fit. */
  readonly fieldsMax: number;
}

const Phase = {
  StartLine: 0,
  LineFeed: 1,
  LineStart: 2,
  Name: 3,
  Value: 4,
  LastLineFeed: 5,
  EarlyCr: 6,
  Done: 7,
  Violation: 8,
} as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** An unfinished head is held in a buffer that begins at this size and doubles up to the cap. */
const HELD_BYTES_MIN = 256;

/**
 * Feed it ranges until it says Done or Violation; it stays there. A head that comes in one piece is read where it lies;
 * of others the bytes are copied once. `mark` counts from the first byte of the head.
 */
export abstract class HeadParser<Slug extends string> {
  /** Index in the last fed buffer just after the last byte taken. */
  position = 0;
  bytesSeen = 0;
  violation: Slug | FieldViolation | null = null;
  /** The field lines read so far, also after a violation. */
  readonly fields: HeadField[] = [];
  /** Whether a line may end in LF without CR, from here on, and whether one did. */
  protected lfEndsLine = false;
  protected hasBareLf = false;
  protected base = 0;
  protected mark = 0;
  /** What the value of the current field may hold, and how a byte from 0x80 on and a control byte are called in it. */
  protected valueClass: ByteClass = FIELD_TEXT;
  protected obsTextSlug: Slug | FieldViolation = 'ctl';
  protected controlSlug: Slug | FieldViolation = 'ctl';
  private readonly caps: HeadCaps;
  private phase: Phase = Phase.StartLine;
  private name = '';
  private lower = '';
  private earlySlug: Slug | FieldViolation | null = null;
  private held: GrowingBytes | null = null;
  private decoded = '';

  constructor(caps: HeadCaps) {
    this.caps = caps;
  }

  feed(bytes: Buffer, start: number, end: number): HeadStep {
    this.position = start;
    if (this.phase === Phase.Done) return HeadStep.Done;
    if (this.phase === Phase.Violation) return HeadStep.Violation;
    const room = this.caps.headBytesMax - this.bytesSeen;
    const stop = end - start > room ? start + room : end;
    const held = this.held;
    const taken = held === null ? this.scanHere(bytes, start, stop) : this.scanHeld(held, bytes, start, stop);
    this.position = start + taken;
    this.bytesSeen += taken;
    // RFC 6585 5: one more byte than the cap allows has arrived.
    if (this.running && stop < end) this.fail('head_too_large');
    if (this.running) {
      if (held === null && stop > start) {
        // Sized by what arrived and by our own cap, never by what a peer declares.
        this.held = new GrowingBytes({ bytesMin: HELD_BYTES_MIN, bytesMax: this.caps.headBytesMax, isPooled: true });
        this.held.append(bytes, start, stop);
      }
      return HeadStep.NeedData;
    }
    this.held = null;
    return this.violation === null ? HeadStep.Done : HeadStep.Violation;
  }

  /** Take bytes of the start line from `from`; ends by `startLineEnd`, `earlyCr` or `fail`. Returns the next index. */
  protected abstract startLine(bytes: Buffer, from: number, end: number): number;
  /** A field name was read. May set the rules for the value, or name the rule it breaks. */
  protected abstract fieldName(lower: string): Slug | null;
  /** The head is complete. */
  protected abstract complete(): void;

  /** The CR that ends the start line was taken. */
  protected startLineEnd(): void {
    this.phase = Phase.LineFeed;
  }

  /** An LF that ends a line by itself was taken. */
  protected bareLfEnd(): void {
    this.hasBareLf = true;
    this.phase = Phase.LineStart;
  }

  /** A CR stands where the line cannot end: `slug` if it is a line end all the same, else it is a bare CR. */
  protected earlyCr(slug: Slug | FieldViolation): void {
    this.earlySlug = slug;
    this.phase = Phase.EarlyCr;
  }

  protected fail(slug: Slug | FieldViolation): void {
    this.violation = slug;
    this.phase = Phase.Violation;
  }

  /** Bytes `[start, end)` of the head as a latin1 string. */
  protected text(bytes: Buffer, start: number, end: number): string {
    if (this.decoded === '') return bytes.toString('latin1', start, end);
    return this.decoded.slice(start - this.base, end - this.base);
  }

  private get running(): boolean {
    return this.phase < Phase.Done;
  }

  private scanHere(bytes: Buffer, start: number, stop: number): number {
    this.base = start;
    // Decoded once and cut from there: one call into the decoder costs more than all the cuts.
    this.decoded = bytes.toString('latin1', start, stop);
    const taken = this.scan(bytes, start, stop) - start;
    this.decoded = '';
    return taken;
  }

  private scanHeld(held: GrowingBytes, bytes: Buffer, start: number, stop: number): number {
    const from = held.size;
    held.append(bytes, start, stop);
    this.base = 0;
    return this.scan(held.buffer, from, held.size) - from;
  }

  private scan(bytes: Buffer, from: number, end: number): number {
    let i = from;
    while (i < end && this.running) {
      switch (this.phase) {
        case Phase.StartLine:
          i = this.startLine(bytes, i, end);
          break;
        case Phase.LineStart:
          i = this.startField(bytes[i]!, i);
          break;
        case Phase.Name:
          i = this.readName(bytes, i, end);
          break;
        case Phase.Value:
          i = this.readValue(bytes, i, end);
          break;
        default:
          i = this.expectLf(bytes[i]!, i);
      }
    }
    return i;
  }

  private expectLf(byte: number, i: number): number {
    // RFC 9112 2.2: a CR that is not followed by LF is invalid; nothing else ends a line.
    if (byte !== Byte.LF) {
      this.fail('bare_cr');
      return i;
    }
    if (this.phase === Phase.EarlyCr) {
      this.fail(this.earlySlug ?? 'bare_cr');
      return i;
    }
    if (this.phase === Phase.LastLineFeed) {
      this.phase = Phase.Done;
      this.complete();
      return i + 1;
    }
    this.phase = Phase.LineStart;
    return i + 1;
  }

  private startField(byte: number, i: number): number {
    if (TOKEN[byte] === 1) {
      // The excess is never dropped silently: a dropped field could be the one that matters.
      if (this.fields.length === this.caps.fieldsMax) {
        this.fail('too_many_fields');
        return i;
      }
      this.mark = i - this.base;
      this.phase = Phase.Name;
      return i + 1;
    }
    if (byte === Byte.CR) {
      this.phase = Phase.LastLineFeed;
      return i + 1;
    }
    if (byte === Byte.LF && this.lfEndsLine) {
      this.bareLfEnd();
      this.phase = Phase.Done;
      this.complete();
      return i + 1;
    }
    // RFC 9112 2.2 and 5.2: no folded lines, and no whitespace before the first field.
    this.fail(isOws(byte) ? 'obs_fold' : nameSlug(byte));
    return i;
  }

  private readName(bytes: Buffer, from: number, end: number): number {
    let i = from;
    while (i < end && TOKEN[bytes[i]!] === 1) i += 1;
    if (i === end) return i;
    const byte = bytes[i]!;
    if (byte === Byte.CR) {
      // RFC 9112 5: a field line has a colon.
      this.earlyCr('header_name');
      return i + 1;
    }
    if (byte !== Byte.COLON) {
      // RFC 9112 5.1: no whitespace between name and colon, and only token bytes in the name.
      this.fail(nameSlug(byte));
      return i;
    }
    this.name = this.text(bytes, this.base + this.mark, i);
    this.lower = this.name.toLowerCase();
    this.valueClass = FIELD_TEXT;
    this.controlSlug = 'ctl';
    const slug = this.fieldName(this.lower);
    if (slug !== null) {
      this.fail(slug);
      return i;
    }
    this.mark = i + 1 - this.base;
    this.phase = Phase.Value;
    return i + 1;
  }

  private readValue(bytes: Buffer, from: number, end: number): number {
    const members = this.valueClass;
    let i = from;
    while (i < end && members[bytes[i]!] === 1) i += 1;
    if (i === end) return i;
    const byte = bytes[i]!;
    if (byte === Byte.CR) {
      this.addField(bytes, i);
      this.phase = Phase.LineFeed;
      return i + 1;
    }
    if (byte === Byte.LF && this.lfEndsLine) {
      this.addField(bytes, i);
      this.bareLfEnd();
      return i + 1;
    }
    if (byte === Byte.LF) this.fail('bare_lf');
    // RFC 9110 5.5: no control bytes in a value.
    else this.fail(byte >= 0x80 ? this.obsTextSlug : this.controlSlug);
    return i;
  }

  private addField(bytes: Buffer, valueEnd: number): void {
    let start = this.base + this.mark;
    let end = valueEnd;
    while (start < end && isOws(bytes[start]!)) start += 1;
    while (end > start && isOws(bytes[end - 1]!)) end -= 1;
    this.fields.push({ name: this.name, lower: this.lower, value: this.text(bytes, start, end) });
  }
}

function nameSlug(byte: number): FieldViolation {
  if (byte === Byte.LF) return 'bare_lf';
  return byte === Byte.NUL ? 'ctl' : 'header_name';
}
