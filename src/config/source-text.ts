// Owns config text before YAML: bytes to characters, size, and which offset is which line and column.
// It must not interpret what the text says.

import { formatSize } from './units.ts';

/** One MiB: a thousand routes take a fifth of it. */
const BYTES_MAX = 1024 * 1024;

export interface TextFault {
  readonly offset: number;
  readonly message: string;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

export class SourceText {
  readonly text: string;
  readonly fault: TextFault | null;
  private readonly lineStarts: number[] = [0];

  constructor(input: string | Uint8Array, bytesMax = BYTES_MAX) {
    const decoded = decode(input, bytesMax);
    this.text = decoded.text;
    this.fault = decoded.fault;
    for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1))
      this.lineStarts.push(at + 1);
  }

  /** Both begin at 1; the column counts UTF-16 units, as editors do. */
  position(offset: number): Position {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }

  /** The line that holds `offset`, without its end, and where it starts. */
  line(offset: number): { readonly text: string; readonly start: number } {
    const start = this.lineStarts[this.position(offset).line - 1] ?? 0;
    const end = this.text.indexOf('\n', start);
    return { text: this.text.slice(start, end === -1 ? undefined : end).replace(/\r$/, ''), start };
  }
}

function decode(input: string | Uint8Array, bytesMax: number): { text: string; fault: TextFault | null } {
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
  if (size > bytesMax) return { text: '', fault: { offset: 0, message: `the file is over ${formatSize(bytesMax)}` } };
  const bytes = typeof input === 'string' ? input : Buffer.from(input).toString('utf8');
  const text = bytes.replace(/^\ufeff/, '');
  return { text, fault: textFault(text, typeof input === 'string' ? null : Buffer.from(input)) };
}

/** Binary files show as NUL and other controls, or as bytes that are not UTF-8; YAML 1.2 5.1 allows neither. */
function textFault(text: string, bytes: Buffer | null): TextFault | null {
  const control = text.search(/[^\t\n\r\x20-\x7e\x85\u00a0-\uffff]/);
  if (control !== -1) {
    return { offset: control, message: 'a control character: this is no YAML text (binary, or another encoding?)' };
  }
  if (bytes === null || isUtf8(bytes)) return null;
  // The decoder put U+FFFD where the first wrong byte was.
  return { offset: Math.max(0, text.indexOf('\ufffd')), message: 'this file is not UTF-8 text' };
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
