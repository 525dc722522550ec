// A Transport over a net.Socket or tls.TLSSocket through Node's stream API. It owns the socket's listeners, its
// pauses and its end; nothing else may touch the socket once it is wrapped.

import type { Socket } from 'node:net';
import { silentReader, type Transport, type TransportReader } from './transport.ts';

/** The size of libuv's read buffer: a chunk that fills it means that the kernel has more. */
const FULL_READ_BYTES = 65536;
/** Full chunks in a row before other sockets get their turn: 256 KiB, where libuv itself would go on to 2 MiB. */
const FULL_READS_MAX = 4;
const EMPTY = Buffer.alloc(0);

export class StreamTransport implements Transport {
  /** Each chunk of the stream API has memory of its own. */
  readonly stable = true;
  readonly headroom = 0;
  readonly remoteAddress: string;
  readonly remotePort: number;
  reader: TransportReader = silentReader;
  paused = false;
  destroyed = false;
  private readonly socket: Socket;
  private readonly taken: () => void;
  private fullReads = 0;
  private yielding = false;
  private lost: Error | null = null;

  /** `socket` must have been created with allowHalfOpen, and must not have emitted anything yet. */
  constructor(socket: Socket) {
    this.socket = socket;
    this.remoteAddress = plainAddress(socket.remoteAddress ?? '');
    this.remotePort = socket.remotePort ?? 0;
    this.taken = () => {
      if (!this.destroyed && this.lost === null) this.reader.onTaken();
    };
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('end', () => {
      if (!this.destroyed) this.reader.onEnd();
    });
    socket.on('error', (error: Error) => this.onGone(error));
    // Without an error before it, 'close' is the end of both directions, which our owner has seen or caused.
    socket.on('close', () => this.onGone(new Error('closed')));
  }

  get pending(): number {
    return this.socket.writableLength;
  }

  write(bytes: Buffer, start: number, end: number, stable: boolean): void {
    if (this.destroyed || this.lost !== null) return;
    const socket = this.socket;
    const range = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    if (socket.writableLength > 0) {
      socket.write(stable ? range : Buffer.from(range), this.taken);
      return;
    }
    socket.write(stable ? range : Buffer.from(range));
    // The kernel took all of it in most cases. If not, an empty write behind it tells when it has; no callback is
    // paid for otherwise.
    if (socket.writableLength > 0) socket.write(EMPTY, this.taken);
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.yielding && !this.destroyed) this.socket.resume();
  }

  end(): void {
    if (!this.destroyed && this.lost === null) this.socket.end();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.reader = silentReader;
    this.socket.destroy();
  }

  private onData(chunk: Buffer): void {
    if (this.destroyed) return;
    if (chunk.length < FULL_READ_BYTES) {
      this.fullReads = 0;
    } else if (++this.fullReads === FULL_READS_MAX) {
      this.fullReads = 0;
      this.yieldTurn();
    }
    this.reader.onBytes(chunk, 0, chunk.length);
  }

  /** Let the other sockets of this turn of the event loop have theirs. */
  private yieldTurn(): void {
    this.yielding = true;
    this.socket.pause();
    setImmediate(() => {
      this.yielding = false;
      if (!this.paused && !this.destroyed) this.socket.resume();
    });
  }

  private onGone(error: Error): void {
    if (this.destroyed || this.lost !== null) return;
    this.lost = error;
    this.reader.onLost(error);
  }
}

/** An IPv4 address that reached an IPv6 socket is written as IPv4 (RFC 4291 2.5.5.2). */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
