// A Transport as a stream of Node, for what Node speaks over streams only. It is the reader and closer of its transport
// until that is taken back.

import { Duplex, type DuplexOptions } from 'node:stream';
import type { Transport, TransportReader } from './transport.ts';

type Done = (error?: Error | null) => void;

/** As Node gives what was written: heads are text. */
interface Written {
  readonly chunk: Buffer | string;
  readonly encoding: BufferEncoding;
}

/** Text comes as it is: it is turned into bytes once, where all of it is joined. */
const OPTIONS: DuplexOptions = { allowHalfOpen: true, decodeStrings: false };

export class TransportStream extends Duplex implements TransportReader {
  /** Null: it was taken back. */
  private transport: Transport | null;
  private taken: Done | null = null;

  constructor(transport: Transport) {
    super(OPTIONS);
    this.transport = transport;
    transport.reader = this;
  }

  /** Whatever the stream is asked for from now on, the transport has nothing to do with it. */
  takeBack(): void {
    this.transport = null;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.transport === null) return;
    // Copied: it outlives the read buffer.
    const kept = Buffer.allocUnsafe(end - start);
    bytes.copy(kept, 0, start, end);
    this.give(kept);
  }

  /** For who reads the stream; the transport is not read while too much waits. */
  give(bytes: Buffer): void {
    if (this.transport !== null && !this.push(bytes)) this.transport.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onLost(error: Error): void {
    this.destroy(error);
  }

  onTaken(): void {
    const { taken } = this;
    if (taken === null || (this.transport?.pending ?? 0) > 0) return;
    this.taken = null;
    taken();
  }

  override _read(): void {
    this.transport?.resume();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    this.transport?.write(bytes, 0, bytes.length, true);
    if ((this.transport?.pending ?? 0) === 0) done();
    else this.taken = done;
  }

  /** What was written in one turn goes out in one write. */
  override _writev(written: readonly Written[], done: Done): void {
    let size = 0;
    for (const { chunk, encoding } of written) size += Buffer.byteLength(chunk, encoding);
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const { chunk, encoding } of written)
      at += typeof chunk === 'string' ? bytes.write(chunk, at, encoding) : chunk.copy(bytes, at);
    this._write(bytes, 'latin1', done);
  }

  override _final(done: Done): void {
    this.transport?.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.transport?.destroy();
    done(error);
  }
}
