// A Transport over a net.Socket or tls.TLSSocket through Node's stream API. It owns the socket's listeners, its
// pauses and its end; nothing else may touch the socket once it is wrapped.

import type { Socket } from 'node:net';
import { plainAddress } from '../protocol/addresses/ip-address.ts';
import { type ChunkSource, Outbox } from './outbox.ts';
import { type LocalEndpoint, silentReader, type Transport, type TransportReader } from './transport.ts';
import { TURN_BYTES, TURN_STEPS } from './turn.ts';

const EMPTY = Buffer.alloc(0);
/** Where little waits, little is enough. */
const SMALL_BYTES = 2_048;
const SMALL_CHUNK_BYTES = 4_096;
const CHUNK_BYTES = 65_536;

/** Fresh memory each time: the stream API does so for every read as well. */
const FRESH: ChunkSource = {
  take: (size) => ({ bytes: Buffer.allocUnsafeSlow(size < SMALL_BYTES ? SMALL_CHUNK_BYTES : CHUNK_BYTES) }),
  giveBack() {},
};

export class StreamTransport implements Transport {
  /** Each chunk of the stream API has memory of its own. */
  readonly stable = true;
  readonly headroom = 0;
  readonly remoteAddress: string;
  readonly remotePort: number;
  reader: TransportReader = silentReader;
  stepsLeft = TURN_STEPS;
  isEndSure = true;
  paused = false;
  destroyed = false;
  private readonly socket: Socket;
  private readonly taken: () => void;
  /** Bytes of this turn; what a chunk of TLS holds does not tell whether more is there. */
  private turnBytes = 0;
  private isInTurn = false;
  private isYielding = false;
  private lost: Error | null = null;
  /** While a write is not finished: what waits, and is not given to Node's queue before. */
  private outbox: Outbox | null = null;
  private hasEnded = false;

  /** `socket` must have been created with allowHalfOpen, and must not have emitted anything yet. */
  constructor(socket: Socket) {
    this.socket = socket;
    this.remoteAddress = plainAddress(socket.remoteAddress ?? '');
    this.remotePort = socket.remotePort ?? 0;
    this.taken = () => this.writeNext();
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('error', (error: Error) => this.onGone(error));
    // Without an error before it, 'close' is the end of both directions, which our owner has seen or caused.
    socket.on('close', () => this.onGone(new Error('closed')));
  }

  get pending(): number {
    return this.outbox === null ? 0 : this.socket.writableLength + this.outbox.waiting;
  }

  get held(): number {
    if (this.outbox === null) return 0;
    // Over TLS what is under way is there twice: OpenSSL has all of it, encrypted.
    return this.outbox.cost + ('encrypted' in this.socket ? this.socket.writableLength : 0);
  }

  get kept(): number {
    return this.socket.readableLength;
  }

  localEndpoint(): LocalEndpoint | null {
    const { localAddress, localPort } = this.socket;
    return localAddress === undefined ? null : { address: plainAddress(localAddress), port: localPort ?? 0 };
  }

  write(bytes: Buffer, start: number, end: number, stable: boolean): void {
    if (this.destroyed || this.lost !== null || this.hasEnded) return;
    if (this.outbox !== null) {
      this.outbox.append(bytes, start, end);
      return;
    }
    const { socket } = this;
    const range = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    const written = stable ? range : Buffer.from(range);
    socket.write(written);
    // The kernel took all of it in most cases. If not, an empty write behind it tells when it has; no callback is
    // paid for otherwise.
    if (socket.writableLength === 0) return;
    this.outbox = new Outbox(FRESH, { foreign: written.buffer.byteLength });
    socket.write(EMPTY, this.taken);
  }

  /** A write is done: on with what came behind it. */
  private writeNext(): void {
    const { outbox, socket } = this;
    if (this.destroyed || this.lost !== null || outbox === null) return;
    for (let bytes = outbox.next(); bytes !== null; bytes = outbox.next()) {
      socket.write(bytes);
      if (socket.writableLength === 0) continue;
      socket.write(EMPTY, this.taken);
      this.reader.onTaken();
      return;
    }
    this.outbox = null;
    if (this.hasEnded) socket.end();
    this.reader.onTaken();
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.isYielding && !this.destroyed) this.socket.resume();
  }

  unread(bytes: Buffer, start: number, end: number): void {
    if (this.destroyed || this.lost !== null) return;
    this.yieldTurn();
    // Behind a pause, or it would be said at once; in front of a FIN that Node knows of already.
    this.socket.unshift(bytes.subarray(start, end));
  }

  end(): void {
    if (this.destroyed || this.lost !== null || this.hasEnded) return;
    this.hasEnded = true;
    if (this.outbox === null) this.socket.end(); // else behind what waits
  }

  destroy(): void {
    if (this.destroyed) return;
    this.leave();
    this.socket.destroy();
  }

  reset(): void {
    if (this.destroyed) return;
    const { socket } = this;
    this.leave();
    if ('encrypted' in socket || this.remotePort === 0) socket.destroy();
    else socket.resetAndDestroy();
  }

  private leave(): void {
    this.destroyed = true;
    this.reader = silentReader;
    this.outbox = null;
  }

  /** The socket, for something else that reads it from now on. Nothing was given back or waits; this is over. */
  release(): Socket {
    const { socket } = this;
    socket.pause();
    socket.removeListener('data', this.onData);
    socket.removeListener('end', this.onEnd);
    this.destroyed = true;
    this.reader = silentReader;
    return socket;
  }

  private readonly onData = (chunk: Buffer): void => {
    if (this.destroyed) return;
    if (!this.isInTurn) this.beginTurn();
    this.turnBytes += chunk.length;
    if (this.turnBytes >= TURN_BYTES) this.yieldTurn();
    this.reader.onBytes(chunk, 0, chunk.length);
  };

  private readonly onEnd = (): void => {
    if (!this.destroyed) this.reader.onEnd();
  };

  private beginTurn(): void {
    this.isInTurn = true;
    this.turnBytes = 0;
    this.stepsLeft = TURN_STEPS;
    setImmediate(endTurn, this);
  }

  /** Let the other sockets of this turn of the event loop have theirs. */
  private yieldTurn(): void {
    this.isYielding = true;
    this.socket.pause();
    if (this.isInTurn) return;
    // What came before the session was given back.
    this.isInTurn = true;
    setImmediate(endTurn, this);
  }

  /** A turn of the event loop in which something came is over. */
  endTurn(): void {
    this.isInTurn = false;
    if (!this.isYielding) return;
    this.isYielding = false;
    if (!this.paused && !this.destroyed) this.socket.resume();
  }

  private onGone(error: Error): void {
    if (this.destroyed || this.lost !== null) return;
    this.lost = error;
    this.reader.onLost(error);
  }
}

function endTurn(transport: StreamTransport): void {
  transport.endTurn();
}
