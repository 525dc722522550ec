// Is what one side calls text UTF-8? Follows the text messages of a stream through frames and reads, masked or not,
// without holding a byte back (RFC 6455 5.6, 8.1).

import { type FrameScanner, Opcode, Step } from '../../protocol/frame-scanner.ts';
import { Utf8Validator } from '../../protocol/utf8-validator.ts';
import type { SidePolicy } from '../policy.ts';
import type { Watcher } from './watcher.ts';

export class Utf8Watcher implements Watcher {
  private readonly validator = new Utf8Validator();
  private readonly masked: boolean;
  private inText = false;
  private isOn = true;
  private isLastFrame = false;
  private key = 0;
  /** Bytes of the current frame's payload that were judged, and that are still to come. */
  private judged = 0;
  private left = 0;
  /** Where the rest of it begins in the bytes at hand. */
  private payloadAt = 0;

  constructor(masked: boolean) {
    this.masked = masked;
  }

  retune({ validateUtf8 }: SidePolicy): Watcher | null {
    this.isOn = validateUtf8;
    return validateUtf8 || this.inText ? this : null;
  }

  begin(start: number): void {
    this.payloadAt = start;
  }

  passes(bytes: Buffer, scanner: FrameScanner, step: Step): boolean {
    if (this.inText && !this.payloadPasses(bytes, scanner, step)) return false;
    if (step === Step.Header) this.beginFrame(bytes, scanner);
    return true;
  }

  tailPasses(bytes: Buffer, start: number, end: number): boolean {
    this.payloadAt = start;
    return !this.inText || this.rangePasses(bytes, end);
  }

  private payloadPasses(bytes: Buffer, scanner: FrameScanner, step: Step): boolean {
    const passed = step === Step.NeedData ? scanner.position : scanner.frameStart;
    // What lies behind the frame's own payload is control frames.
    return this.rangePasses(bytes, Math.min(passed, this.payloadAt + this.left));
  }

  private rangePasses(bytes: Buffer, end: number): boolean {
    if (end > this.payloadAt) {
      if (this.validator.feed(bytes, this.payloadAt, end, this.key, this.judged) >= 0) return false;
      this.judged += end - this.payloadAt;
      this.left -= end - this.payloadAt;
      this.payloadAt = end;
    }
    if (this.left > 0 || !this.isLastFrame) return true;
    this.inText = false;
    return this.validator.isComplete();
  }

  private beginFrame(bytes: Buffer, scanner: FrameScanner): void {
    if (scanner.opcode !== Opcode.Continuation) {
      this.inText = this.isOn && scanner.opcode === Opcode.Text;
      this.validator.reset();
    }
    this.isLastFrame = !scanner.inMessage;
    this.key = this.masked ? bytes.readUInt32BE(scanner.position - 4) : 0;
    this.judged = 0;
    this.left = scanner.remaining;
    this.payloadAt = scanner.position;
  }
}
