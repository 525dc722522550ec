// A Transport in memory whose peer the test plays: it decides what is read, when it is taken, and how it ends.
// Nothing is delivered inside a call of the reader, as with sockets. What a socket would punish ends up in `misuse`.

import type { Transport, TransportReader } from '../../src/net/transport.ts';

/** What a read from a socket carries at most. */
const READ_BYTES_MAX = 65_536;
const HEADROOM = 144;
const NOBODY: TransportReader = { onBytes() {}, onEnd() {}, onLost() {}, onTaken() {} };

export interface MemoryTransportOptions {
  readonly name: string;
  /**
   * True: each read has memory of its own, as with the stream API. False: all reads share `readBuffer`, which is
   * overwritten right after each call of the reader.
   */
  readonly stable: boolean;
  /** The peer's address; none, as of a unix socket, when absent. */
  readonly address?: string;
  /** Told of each thing done to this transport, in order. */
  readonly journal?: (name: string, what: 'write' | 'fin' | 'destroy', bytes: Buffer) => void;
  /** Share one between all transports of a test, as all sockets of a process do. */
  readonly readBuffer?: Buffer;
  /** What `stepsLeft` is at each read: a read is a turn here. */
  readonly stepsPerTurn?: number;
}

export function makeReadBuffer(): Buffer {
  return Buffer.alloc(HEADROOM + READ_BYTES_MAX, 0xee);
}

export class MemoryTransport implements Transport {
  readonly name: string;
  readonly stable: boolean;
  readonly headroom: number;
  readonly remoteAddress: string;
  readonly remotePort = 0;
  reader: TransportReader = NOBODY;
  paused = false;
  destroyed = false;
  wasReset = false;
  stepsLeft: number;
  isEndSure = true;
  /** True once our FIN has gone out behind everything written. */
  finSent = false;
  /** Things no one may do to a transport, e.g. write behind the FIN. */
  readonly misuse: string[] = [];
  /** When set, writes throw it: `failOnce` the next one only. */
  failure: Error | null = null;
  failOnce: Error | null = null;
  private readonly journal: NonNullable<MemoryTransportOptions['journal']>;
  private readonly readBuffer: Buffer;
  private readonly stepsPerTurn: number;
  /** What the peer has sent and we have not read; 'fin' and 'lost' come behind the bytes. */
  private incoming: (Buffer | 'fin' | 'lost')[] = [];
  private taken: Buffer[] = [];
  private takenBytes = 0;
  /** Writes the peer has not taken. Views where the writer said that they are stable: that promise is tested too. */
  private queue: Buffer[] = [];
  private queued = 0;
  private room = Number.POSITIVE_INFINITY;
  private ending = false;
  private isInside = false;
  private isOver = false;

  constructor(options: MemoryTransportOptions) {
    this.name = options.name;
    this.remoteAddress = options.address ?? '';
    this.stable = options.stable;
    this.headroom = options.stable ? 0 : HEADROOM;
    this.journal = options.journal ?? (() => {});
    this.readBuffer = options.readBuffer ?? makeReadBuffer();
    this.stepsPerTurn = options.stepsPerTurn ?? Number.MAX_SAFE_INTEGER;
    this.stepsLeft = this.stepsPerTurn;
  }

  localEndpoint(): null {
    return null;
  }

  get pending(): number {
    return this.queued;
  }

  /** Here a byte costs a byte. */
  get held(): number {
    return this.queued;
  }

  readonly kept = 0;

  write(bytes: Buffer, start: number, end: number, stable: boolean): void {
    const failure = this.failOnce ?? this.failure;
    this.failOnce = null;
    if (failure !== null) throw failure;
    if (this.destroyed) return;
    if (this.ending) this.misuse.push('write behind end()');
    if (end <= start) this.misuse.push('empty write');
    const range = bytes.subarray(start, end);
    this.journal(this.name, 'write', Buffer.from(range));
    const now = this.queued > 0 ? 0 : Math.min(this.room, range.length);
    this.accept(range.subarray(0, now));
    if (now === range.length) return;
    const rest = range.subarray(now);
    this.queue.push(stable ? rest : Buffer.from(rest));
    this.queued += rest.length;
  }

  pause(): void {
    if (this.destroyed) this.misuse.push('pause of a destroyed transport');
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  unread(bytes: Buffer, start: number, end: number): void {
    if (end <= start) this.misuse.push('nothing unread');
    if (!this.destroyed)
      this.incoming.unshift(this.stable ? bytes.subarray(start, end) : Buffer.from(bytes.subarray(start, end)));
  }

  end(): void {
    if (this.destroyed) return;
    if (this.ending) this.misuse.push('end() twice');
    this.ending = true;
    this.finishWriting();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.reader = NOBODY;
    this.queue = [];
    this.queued = 0;
    this.journal(this.name, 'destroy', Buffer.alloc(0));
  }

  reset(): void {
    this.wasReset = !this.destroyed;
    this.destroy();
  }

  // What follows is the peer's side.

  /** Everything the peer has taken so far. */
  get received(): Buffer {
    const all = Buffer.concat(this.taken, this.takenBytes);
    this.taken = [all];
    return all;
  }

  get receivedBytes(): number {
    return this.takenBytes;
  }

  /** Bytes the peer has sent that were not read. */
  get unreadBytes(): number {
    return this.incoming.reduce((sum, one) => sum + (typeof one === 'string' ? 0 : one.length), 0);
  }

  /** The peer sends; each argument is a read of its own. Delivered by `pump`. */
  send(...chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += READ_BYTES_MAX) {
        this.incoming.push(Buffer.from(chunk.subarray(at, at + READ_BYTES_MAX)));
      }
    }
  }

  fin(): void {
    this.incoming.push('fin');
  }

  /** The peer resets the connection: what it sent before and was not read is lost. */
  rst(): void {
    this.incoming = ['lost'];
  }

  /** From now on the peer's buffers have room for `bytes` more. */
  setRoom(bytes: number): void {
    this.room = bytes;
  }

  /** The peer takes `bytes` of what waits. */
  take(bytes: number): void {
    let left = bytes;
    let finished = false;
    while (left > 0 && this.queue.length > 0) {
      const first = this.queue[0] as Buffer;
      const now = Math.min(left, first.length);
      this.room = Math.max(this.room, now);
      this.accept(first.subarray(0, now));
      this.queued -= now;
      left -= now;
      if (now < first.length) {
        this.queue[0] = first.subarray(now);
      } else {
        this.queue.shift();
        finished = true;
      }
    }
    this.finishWriting();
    if (finished) this.enter(() => this.reader.onTaken());
  }

  /** The peer takes all that waits, and whatever comes from now on. */
  takeAll(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.take(this.queued);
  }

  /** Deliver what the reader wants to read. True when anything was. */
  pump(): boolean {
    let moved = false;
    while (!this.paused && !this.destroyed && !this.isOver) {
      const next = this.incoming.shift();
      if (next === undefined) break;
      moved = true;
      if (next === 'fin') this.enter(() => this.reader.onEnd());
      else if (next === 'lost') this.lose();
      else this.deliver(next);
    }
    return moved;
  }

  private deliver(chunk: Buffer): void {
    this.stepsLeft = this.stepsPerTurn;
    if (this.stable) {
      this.enter(() => this.reader.onBytes(chunk, 0, chunk.length));
      return;
    }
    const buffer = this.readBuffer;
    chunk.copy(buffer, HEADROOM);
    this.enter(() => this.reader.onBytes(buffer, HEADROOM, HEADROOM + chunk.length));
    buffer.fill(0xee);
  }

  private lose(): void {
    this.isOver = true;
    this.enter(() => this.reader.onLost(Object.assign(new Error('lost'), { code: 'ECONNRESET' })));
  }

  private enter(call: () => void): void {
    if (this.isInside) this.misuse.push('delivery inside a call of the reader');
    this.isInside = true;
    call();
    this.isInside = false;
  }

  private accept(bytes: Buffer): void {
    this.room -= bytes.length;
    if (bytes.length === 0) return;
    this.taken.push(Buffer.from(bytes));
    this.takenBytes += bytes.length;
  }

  private finishWriting(): void {
    if (!this.ending || this.finSent || this.queued > 0) return;
    this.finSent = true;
    this.journal(this.name, 'fin', Buffer.alloc(0));
  }
}
