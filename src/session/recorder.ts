// The flight recorder of one session: the headers of its last frames, both ways, in 8 bytes each. It keeps nothing of
// what is in them, and decides nothing.

import type { Side } from '../protocol/end-causes.ts';
import { Opcode } from '../protocol/frame-scanner.ts';

export interface RecordedFrame {
  /** Milliseconds of the session's clock. Of frames before a gap of over nine hours to the second. */
  readonly at: number;
  readonly from: Side;
  /** `text`, `binary`, `continuation`, `ping`, `pong`, `close`, or a reserved one as its number. */
  readonly opcode: string;
  readonly fin: boolean;
  /** Payload; 4 GiB - 1 stands for more. */
  readonly bytes: number;
  /** Of a Close, 1005 when it had none; null of all others. */
  readonly code: number | null;
}

/** Words of a frame: the first is, from the top, direction, FIN, opcode (4), unit of the step, step (25). */
const WORDS = 2;
const FROM_BACKEND = 1 << 31;
const FIN = 1 << 30;
const OPCODE_AT = 26;
/** The step counts seconds. */
const SECONDS = 1 << 25;
const STEP_MAX = SECONDS - 1;
const BYTES_MAX = 0xffffffff;
/** The second word of a Close: its code above its length. */
const CODE_AT = 8;
const LENGTH_OF_CLOSE = 0xff;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Opcode).map(([name, opcode]) => [opcode, name.toLowerCase()]),
);

export class Recorder {
  /** At most that many. */
  readonly frames: number;
  /** Made with the first frame. */
  private ring: Int32Array | null = null;
  private next = 0;
  /** The ring has been filled once. */
  private isFull = false;
  /** Of the read at hand: whose it is, and its time in whole milliseconds. */
  private side = 0;
  private at = 0;
  /** Milliseconds between the last frame and that. */
  private waited = 0;

  constructor(frames: number) {
    this.frames = frames;
  }

  /** What is noted from here on came with one read: it has its time and its side. */
  begin(fromClient: boolean, now: number): void {
    const at = Math.floor(now);
    if (at > this.at) this.waited += at - this.at;
    this.at = at;
    this.side = fromClient ? 0 : FROM_BACKEND;
  }

  /** A ping, a pong or the header of a data frame. */
  note(opcode: number, fin: boolean, bytes: number): void {
    const ring = this.ring ?? this.obtainRing();
    const { next, waited } = this;
    const step = waited <= STEP_MAX ? waited : inSeconds(waited);
    ring[next] = this.side | (fin ? FIN : 0) | (opcode << OPCODE_AT) | step;
    ring[next + 1] = bytes < BYTES_MAX ? bytes : BYTES_MAX;
    this.waited = 0;
    this.next = next + WORDS;
    if (this.next === ring.length) this.goRound();
  }

  noteClose(code: number, bytes: number): void {
    this.note(Opcode.Close, true, (code << CODE_AT) | bytes);
  }

  /** A frame that broke a rule stands at `at`, as far as it is here. */
  noteBroken(bytes: Buffer, at: number, end: number): void {
    const first = bytes[at]!; // a rule is broken by its first byte at the earliest
    const opcode = first & 0x0f;
    if (opcode === Opcode.Close) this.noteClose(0, Math.min(lengthAt(bytes, at, end), LENGTH_OF_CLOSE));
    else this.note(opcode, first >= 0x80, lengthAt(bytes, at, end));
  }

  private obtainRing(): Int32Array {
    this.ring = new Int32Array(this.frames * WORDS);
    return this.ring;
  }

  private goRound(): void {
    this.next = 0;
    this.isFull = true;
  }

  /** Words in use. */
  private get used(): number {
    return this.isFull ? this.frames * WORDS : this.next;
  }

  /** The oldest first. */
  read(): RecordedFrame[] {
    const { ring, used } = this;
    if (ring === null) return [];
    const found: RecordedFrame[] = [];
    let at = this.at - this.waited;
    for (let back = WORDS; back <= used; back += WORDS) {
      const index = (this.next - back + ring.length) % ring.length;
      const first = ring[index]!; // within the ring
      found.push(frameOf(first, ring[index + 1]! >>> 0, at)); // within the ring
      at -= (first & STEP_MAX) * ((first & SECONDS) === 0 ? 1 : 1000);
    }
    return found.reverse();
  }

  /** The same for another number of frames: the last of them stay. */
  resized(frames: number): Recorder {
    const other = new Recorder(frames);
    const { ring } = this;
    if (ring === null) return other;
    const used = Math.min(this.used, frames * WORDS);
    const copy = other.obtainRing();
    for (let i = 0; i < used; i++) copy[i] = ring[(this.next - used + i + ring.length) % ring.length]!; // within
    other.next = used % copy.length;
    other.isFull = used === copy.length;
    other.at = this.at;
    other.waited = this.waited;
    return other;
  }

  /** The same with room for nothing more: what is kept of a session that is over. Null when nothing was recorded. */
  trimmed(): Recorder | null {
    return this.used === 0 ? null : this.resized(this.used / WORDS);
  }
}

/** A step too long to be counted in milliseconds. */
function inSeconds(ms: number): number {
  return SECONDS | Math.min(STEP_MAX, Math.floor(ms / 1000));
}

function frameOf(first: number, second: number, at: number): RecordedFrame {
  const opcode = (first >>> OPCODE_AT) & 0x0f;
  const isClose = opcode === Opcode.Close;
  return {
    at,
    from: (first & FROM_BACKEND) === 0 ? 'client' : 'backend',
    opcode: NAMES.get(opcode) ?? String(opcode),
    fin: (first & FIN) !== 0,
    bytes: isClose ? second & LENGTH_OF_CLOSE : second,
    code: isClose ? second >>> CODE_AT : null,
  };
}

/** The payload length that a header declares, as far as it is here: 0 where it is not. */
function lengthAt(bytes: Buffer, at: number, end: number): number {
  const length7 = end - at < 2 ? 0 : bytes[at + 1]! & 0x7f; // within the bytes
  if (length7 < 126) return length7;
  if (length7 === 126) return end - at < 4 ? 0 : bytes.readUInt16BE(at + 2);
  return end - at < 10 ? 0 : bytes.readUInt32BE(at + 2) * 0x100000000 + bytes.readUInt32BE(at + 6);
}
