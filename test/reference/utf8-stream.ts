// Follows a stream of frames octet by octet and says at the first impossible octet that a text is not UTF-8.
// For legal framing only: it is the fail-fast peer's check, written from RFC 3629, and judges nothing else.

import { Opcode } from '../support/wire.ts';
import { frontOf } from './front.ts';

export class Utf8Stream {
  private head: number[] = [];
  private key: readonly number[] = [];
  private payloadLeft = 0;
  private payloadAt = 0;
  private inText = false;
  private fin = false;
  private isControl = false;
  /** Continuation octets that must still come, and what the next one may be. */
  private expected = 0;
  private low = 0x80;
  private high = 0xbf;

  /** False from the first octet on that cannot be. */
  push(chunk: Buffer): boolean {
    for (const byte of chunk) {
      if (this.payloadLeft > 0) {
        if (!this.takePayload(byte)) return false;
        if (this.payloadLeft > 0) continue;
      } else {
        this.head.push(byte);
        if (!this.isHeadComplete() || this.payloadLeft > 0) continue;
      }
      if (this.inText && this.fin && !this.isControl && this.expected > 0) return false;
    }
    return true;
  }

  private isHeadComplete(): boolean {
    if (this.head.length < 2) return false;
    const bytes = Buffer.from(this.head);
    const { opcode, fin, length, lengthEnd, headBytes } = frontOf(bytes);
    if (length === null || bytes.length < headBytes) return false;
    this.fin = fin;
    this.isControl = opcode >= Opcode.Close;
    if (opcode === Opcode.Text || opcode === Opcode.Binary) {
      this.inText = opcode === Opcode.Text;
      this.expected = 0;
    }
    this.key = this.head.slice(lengthEnd, headBytes);
    this.payloadLeft = length;
    this.payloadAt = 0;
    this.head = [];
    return true;
  }

  private takePayload(byte: number): boolean {
    const clear = byte ^ (this.key[this.payloadAt & 3] ?? 0);
    this.payloadAt += 1;
    this.payloadLeft -= 1;
    return this.isControl || !this.inText || this.take(clear);
  }

  /** RFC 3629 4: the table of well-formed sequences. */
  private take(byte: number): boolean {
    if (this.expected > 0) {
      if (byte < this.low || byte > this.high) return false;
      this.expected -= 1;
      this.low = 0x80;
      this.high = 0xbf;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.expected = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    this.low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    return true;
  }
}
