// Writes the fields of an HTTP/1.1 head behind a start line, latin1 out as latin1 came in. It chooses no fields. It
// refuses bytes that could end a line, whoever passes them.

import type { HeadField } from './http-head.ts';

const CRLF = '\r\n';
const PRINTABLE = /^[\x20-\x7e]*$/;
const VISIBLE = /^[\x21-\x7e]+$/;
/** Above U+00FF a string is no latin1, and U+010D U+010A would be written as CR LF. */
const FIELD_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;

export class FieldWriter {
  private text: string;

  constructor(startLine: string) {
    if (!PRINTABLE.test(startLine)) throw new Error('a start line holds printable ASCII only');
    this.text = startLine + CRLF;
  }

  static visible(text: string): string {
    if (!VISIBLE.test(text)) throw new Error('a request target holds visible ASCII only');
    return text;
  }

  /** A field of our own making. */
  own(name: string, value: string): void {
    if (!PRINTABLE.test(value)) throw new Error(`the value of ${name} must be printable ASCII`);
    this.put(name, value);
  }

  /** A field of our own with a value that a peer sent, or a part of it: HTAB and obs-text may be in it. */
  field(name: string, value: string): void {
    if (!FIELD_TEXT.test(value)) throw new Error(`the value of ${name} must be field content`);
    this.put(name, value);
  }

  /** A field that passes with its case and its bytes; the parser that read it has judged both. */
  relayed(field: HeadField): void {
    this.field(field.name, field.value);
  }

  finish(body: Buffer | null = null): Buffer {
    const head = Buffer.from(this.head(), 'latin1');
    return body === null ? head : Buffer.concat([head, body]);
  }

  /** All of it, as text of latin1. */
  head(): string {
    return this.text + CRLF;
  }

  private put(name: string, value: string): void {
    this.text += `${name}: ${value}${CRLF}`;
  }
}
