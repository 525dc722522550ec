// Judges the stream of echoes of one session: each must be one frame of exactly the expected length, and the payload of
// every so many is compared byte by byte. Pings between them are stepped over; anything else is a fault.

const CONTROL = 0x08;
const OPCODE_CLOSE = 0x8;
const OPCODE_PING = 0x9;
const CONTROL_HEADER_BYTES = 2;

export class EchoChecker {
  /** What the stream broke; final. */
  fault: string | null = null;
  /** Complete echoes so far. */
  echoes = 0;
  /** Pings so far, for who answers them. */
  pings = 0;
  /** Echoes whose payload was compared. */
  compared = 0;
  private readonly frame: Buffer;
  private readonly headerBytes: number;
  private readonly compareEvery: number;
  /** Bytes of the current echo that are here already. */
  private at = 0;
  private comparing: boolean;
  /** Bytes of a control frame still to be stepped over. */
  private controlLeft = 0;
  /** First byte of a control frame whose length has not come yet. */
  private controlFirst = 0;

  /** `frame` is the whole expected echo, `headerBytes` of it its header. */
  constructor(frame: Buffer, headerBytes: number, compareEvery: number) {
    this.frame = frame;
    this.headerBytes = headerBytes;
    this.compareEvery = compareEvery;
    this.comparing = compareEvery === 1;
  }

  /** True between two echoes. */
  get isAtBoundary(): boolean {
    return this.at === 0 && this.controlLeft === 0 && this.controlFirst === 0;
  }

  /** Take `[start, end)`; gives how many echoes became complete with it. */
  take(bytes: Buffer, start: number, end: number): number {
    const before = this.echoes;
    let position = start;
    while (position < end && this.fault === null) {
      if (this.controlLeft > 0 || this.controlFirst > 0) position = this.stepOver(bytes, position, end);
      else if (this.at === 0 && ((bytes[position] ?? 0) & CONTROL) !== 0) position = this.beginControl(bytes, position);
      else if (this.at < this.headerBytes) position = this.takeHeader(bytes, position, end);
      else position = this.takePayload(bytes, position, end);
    }
    return this.echoes - before;
  }

  /** The header is known, so its bytes are: a wrong one is another length, an opcode or a fragment. */
  private takeHeader(bytes: Buffer, position: number, end: number): number {
    let from = position;
    while (this.at < this.headerBytes && from < end) {
      if (bytes[from] !== this.frame[this.at]) {
        this.fault = `echo ${this.echoes}: header byte ${this.at} is ${bytes[from]}, expected ${this.frame[this.at]}`;
        return end;
      }
      this.at += 1;
      from += 1;
    }
    if (this.at === this.frame.length) this.complete();
    return from;
  }

  private takePayload(bytes: Buffer, position: number, end: number): number {
    const size = Math.min(end - position, this.frame.length - this.at);
    if (this.comparing && bytes.compare(this.frame, this.at, this.at + size, position, position + size) !== 0) {
      this.fault = `echo ${this.echoes}: its payload is not what was sent`;
      return end;
    }
    this.at += size;
    if (this.at === this.frame.length) this.complete();
    return position + size;
  }

  private complete(): void {
    if (this.comparing) this.compared += 1;
    this.at = 0;
    this.echoes += 1;
    this.comparing = this.echoes % this.compareEvery === this.compareEvery - 1;
  }

  private beginControl(bytes: Buffer, position: number): number {
    this.controlFirst = bytes[position] ?? 0;
    if ((this.controlFirst & 0x0f) === OPCODE_PING) this.pings += 1;
    if ((this.controlFirst & 0x0f) === OPCODE_CLOSE) this.fault = `a Close after ${this.echoes} echoes`;
    return position + 1;
  }

  private stepOver(bytes: Buffer, position: number, end: number): number {
    if (this.controlLeft === 0) {
      this.controlFirst = 0;
      const length = bytes[position] ?? 0;
      if (length > 125) this.fault = `a control frame whose second byte is ${length}`;
      this.controlLeft = length;
      return position + 1;
    }
    const size = Math.min(end - position, this.controlLeft);
    this.controlLeft -= size;
    return position + size;
  }
}

/** Bytes of the header of an unmasked frame with this payload. */
export function headerBytesOf(payloadBytes: number): number {
  if (payloadBytes < 126) return CONTROL_HEADER_BYTES;
  return payloadBytes < 65_536 ? 4 : 10;
}
