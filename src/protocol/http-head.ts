// The incremental parsers of an HTTP/1.1 request head and response head: request line, status line, field rules.
// They judge syntax and caps only; what a complete head means is judged elsewhere.

import { Byte, FIELD_ASCII, FIELD_TEXT, PATH, QUERY, TOKEN } from './charset.ts';
import { type FieldViolation, type HeadField, HeadParser } from './head-parser.ts';
import type { RefusalSlug } from './refusals.ts';

export { type HeadField, HeadStep } from './head-parser.ts';

export interface HeadLimits {
  readonly headBytesMax: number;
  readonly targetBytesMax: number;
  readonly fieldsMax: number;
}

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  /** Two digits and a dot, such as '1.1'. */
  readonly version: string;
  readonly fields: readonly HeadField[];
}

export interface ResponseHead {
  readonly version: '1.0' | '1.1';
  readonly status: number;
  readonly fields: readonly HeadField[];
  /** A line of it ends in LF alone. */
  readonly bareLf: boolean;
}

export interface ResponseHeadOptions {
  readonly headBytesMax: number;
  /** Lines of a 101 may end in LF alone; those of no other answer. */
  readonly relaxLf: boolean;
}

type ResponseViolation = FieldViolation | 'status_line';

/** Longer than any registered method; who sends more sends no request. */
const METHOD_BYTES_MAX = 32;
/** How much of a refused target is kept for the log. */
const REFUSED_TARGET_BYTES = 256;
const VERSION_PREFIX = 'HTTP/';

const Part = { Start: 0, EmptyLine: 1, Method: 2, Path: 3, Query: 4, Version: 5 } as const;
type Part = (typeof Part)[keyof typeof Part];

interface FieldRule {
  /** RFC 9110 5.3: a bit per field that may stand once; 0 when the judge of the whole head knows better. */
  readonly onceBit: number;
  readonly obsText: RefusalSlug;
  readonly control: RefusalSlug;
}

const HANDSHAKE_RULE: FieldRule = { onceBit: 0, obsText: 'obs_text', control: 'ctl' };

/** Fields whose value decides something here: no obs-text, which other parsers may read as another character. */
const FIELD_RULES: ReadonlyMap<string, FieldRule> = new Map([
  ['host', { onceBit: 0, obsText: 'host', control: 'host' }],
  ['upgrade', HANDSHAKE_RULE],
  ['connection', HANDSHAKE_RULE],
  ['content-length', { onceBit: 0, obsText: 'content_length', control: 'ctl' }],
  ['transfer-encoding', { onceBit: 0, obsText: 'transfer_encoding', control: 'ctl' }],
  ['sec-websocket-key', { onceBit: 1, obsText: 'key', control: 'ctl' }],
  ['sec-websocket-version', { onceBit: 2, obsText: 'obs_text', control: 'ctl' }],
  ['authorization', { onceBit: 4, obsText: 'obs_text', control: 'ctl' }],
  ['origin', { onceBit: 8, obsText: 'obs_text', control: 'ctl' }],
]);

export class RequestHeadParser extends HeadParser<RefusalSlug> {
  /** Set when the method, the target and the whole head were read; after a violation too, for the log. */
  method = '';
  target = '';
  head: RequestHead | null = null;
  private readonly targetBytesMax: number;
  private part: Part = Part.Start;
  private matched = 0;
  private version = '';
  private seenOnce = 0;

  constructor(limits: HeadLimits) {
    super(limits);
    this.targetBytesMax = limits.targetBytesMax;
  }

  protected override startLine(bytes: Buffer, from: number, end: number): number {
    switch (this.part) {
      case Part.Method:
        return this.readMethod(bytes, from, end);
      case Part.Path:
      case Part.Query:
        return this.readTarget(bytes, from, end);
      case Part.Version:
        return this.readVersion(bytes[from]!, from);
      default:
        return this.readFirst(bytes[from]!, from);
    }
  }

  protected override fieldName(lower: string): RefusalSlug | null {
    const rule = FIELD_RULES.get(lower) ?? (lower.startsWith('sec-websocket-') ? HANDSHAKE_RULE : null);
    if (rule === null) return null;
    this.valueClass = FIELD_ASCII;
    this.obsTextSlug = rule.obsText;
    this.controlSlug = rule.control;
    // RFC 6455 11.3, RFC 9110 5.3: a second copy, equal or not, leaves open which of them the backend believes.
    if ((this.seenOnce & rule.onceBit) !== 0) return 'dup_field';
    this.seenOnce |= rule.onceBit;
    return null;
  }

  protected override complete(): void {
    this.head = { method: this.method, target: this.target, version: this.version, fields: this.fields };
  }

  private readFirst(byte: number, i: number): number {
    if (this.part === Part.Start && byte === Byte.CR) {
      // RFC 9112 2.2: one empty line before the request line is ignored.
      this.part = Part.EmptyLine;
      return i + 1;
    }
    if (this.part === Part.EmptyLine && byte !== Byte.LF) return this.refuse('bare_cr', i);
    const next = this.part === Part.EmptyLine ? i + 1 : i;
    this.mark = next - this.base;
    this.part = Part.Method;
    return next;
  }

  private readMethod(bytes: Buffer, from: number, end: number): number {
    const start = this.base + this.mark;
    const stop = Math.min(end, start + METHOD_BYTES_MAX);
    let i = from;
    while (i < stop && TOKEN[bytes[i]!] === 1) i += 1;
    if (i === end) return i;
    const byte = bytes[i]!;
    if (byte === Byte.SP && i > start) {
      this.method = this.text(bytes, start, i);
      this.mark = i + 1 - this.base;
      this.part = Part.Path;
      return i + 1;
    }
    return this.refuseInLine(byte, i, 'request_line');
  }

  private readTarget(bytes: Buffer, from: number, end: number): number {
    const start = this.base + this.mark;
    const stop = Math.min(end, start + this.targetBytesMax);
    const members = this.part === Part.Path ? PATH : QUERY;
    let i = from;
    while (i < stop && members[bytes[i]!] === 1) i += 1;
    if (i === end) return i;
    const byte = bytes[i]!;
    // RFC 9112 3.2: a target has at least one byte; no more is needed to see that there is none.
    if (byte === Byte.SP && i === start) return this.refuse('request_line', i);
    if (byte === Byte.SP) {
      this.target = this.text(bytes, start, i);
      this.part = Part.Version;
      return i + 1;
    }
    this.target = this.text(bytes, start, Math.min(i, start + REFUSED_TARGET_BYTES));
    // RFC 9112 3: a target longer than the server wishes to parse is answered with 414.
    if (i === stop && (members[byte] === 1 || byte === Byte.QUESTION)) return this.refuse('target_too_long', i);
    if (byte === Byte.QUESTION) {
      this.part = Part.Query;
      return i + 1;
    }
    // RFC 9112 3: a CR LF here is a request line without a version.
    return byte === Byte.CR ? this.refuseInLine(byte, i, 'request_line') : this.refuseInLine(byte, i, 'target_char');
  }

  /** "HTTP/" DIGIT "." DIGIT CR. Which version it is, is judged on the complete head. */
  private readVersion(byte: number, i: number): number {
    const at = this.matched;
    this.matched += 1;
    if (at < VERSION_PREFIX.length) {
      if (byte === VERSION_PREFIX.charCodeAt(at)) return i + 1;
      return this.refuseInLine(byte, i, at === 0 ? this.versionSlug(byte) : 'request_line');
    }
    if (at === VERSION_PREFIX.length + 3) {
      if (byte !== Byte.CR) return this.refuseInLine(byte, i, 'request_line');
      this.startLineEnd();
      return i + 1;
    }
    const isDot = at === VERSION_PREFIX.length + 1;
    // HTTP/0.9 has no version in its request line, so a major version 0 is malformed.
    const lowest = at === VERSION_PREFIX.length ? Byte.ZERO + 1 : Byte.ZERO;
    const fits = isDot ? byte === Byte.DOT : byte >= lowest && byte <= Byte.NINE;
    if (!fits) return this.refuseInLine(byte, i, 'request_line');
    this.version += String.fromCharCode(byte);
    return i + 1;
  }

  /** What starts no version after a single space was meant as a part of the target: a raw space in it. */
  private versionSlug(byte: number): RefusalSlug {
    const isSpace = byte === Byte.SP || byte === Byte.HTAB;
    const isText = FIELD_TEXT[byte] === 1 && !isSpace && byte !== Byte.LOWER_H;
    return isText ? 'target_char' : 'request_line';
  }

  private refuseInLine(byte: number, i: number, slug: RefusalSlug): number {
    if (byte === Byte.CR) {
      this.earlyCr(slug);
      return i + 1;
    }
    if (byte === Byte.LF) return this.refuse('bare_lf', i);
    return this.refuse(byte === Byte.NUL ? 'ctl' : slug, i);
  }

  private refuse(slug: RefusalSlug, i: number): number {
    this.fail(slug);
    return i;
  }
}

/** "HTTP/1." then '0' or '1', SP, three digits, and SP with a reason or the line's end. */
const STATUS_TEXT_AT = 12;

export class ResponseHeadParser extends HeadParser<ResponseViolation> {
  head: ResponseHead | null = null;
  private at = 0;
  private minor = 0;
  private status = 0;

  private readonly relaxLf: boolean;

  /** The size is the only cap: backends with many cookies or long policies are not worth refusing for their form. */
  constructor({ headBytesMax, relaxLf }: ResponseHeadOptions) {
    super({ headBytesMax, fieldsMax: Number.POSITIVE_INFINITY });
    this.relaxLf = relaxLf;
  }

  protected override startLine(bytes: Buffer, from: number, end: number): number {
    let i = from;
    while (i < end && this.at <= STATUS_TEXT_AT) {
      const byte = bytes[i]!;
      // Most servers' clients take a line that ends right after the status, though RFC 9112 4 asks for a space.
      if (this.at === STATUS_TEXT_AT && (byte === Byte.CR || byte === Byte.LF)) return this.endLine(byte, i);
      if (!this.takeStatusByte(byte)) return this.refuse(byte, i);
      this.at += 1;
      i += 1;
    }
    while (i < end && FIELD_TEXT[bytes[i]!] === 1) i += 1;
    if (i === end) return i;
    return this.endLine(bytes[i]!, i);
  }

  private endLine(byte: number, i: number): number {
    this.lfEndsLine = this.relaxLf && this.status === 101;
    if (byte === Byte.LF && this.lfEndsLine) this.bareLfEnd();
    else if (byte === Byte.CR) this.startLineEnd();
    else return this.refuse(byte, i);
    return i + 1;
  }

  protected override fieldName(): null {
    return null;
  }

  protected override complete(): void {
    const version = this.minor === 0 ? '1.0' : '1.1';
    this.head = { version, status: this.status, fields: this.fields, bareLf: this.hasBareLf };
  }

  private takeStatusByte(byte: number): boolean {
    const at = this.at;
    if (at < 7) return byte === 'HTTP/1.'.charCodeAt(at);
    const digit = byte - Byte.ZERO;
    if (at === 7) {
      this.minor = digit;
      return digit === 0 || digit === 1;
    }
    if (at === 8 || at === STATUS_TEXT_AT) return byte === Byte.SP;
    this.status = this.status * 10 + digit;
    // RFC 9110 15: the first digit is a class from 1 to 5.
    return at === 9 ? digit >= 1 && digit <= 5 : digit >= 0 && digit <= 9;
  }

  private refuse(byte: number, i: number): number {
    if (byte === Byte.CR) {
      this.earlyCr('status_line');
      return i + 1;
    }
    this.fail(byte === Byte.LF ? 'bare_lf' : 'status_line');
    return i;
  }
}
