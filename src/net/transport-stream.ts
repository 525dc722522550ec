// A Transport as a stream of Node, for what Node speaks over streams only. It is the reader and closer of its transport
// until that is taken back.

import { Duplex } from 'node:stream';
import type { Transport, TransportReader } from './transport.ts';

type Done = (error?: Error | null) => void;

export class TransportStream extends Duplex implements TransportReader {
  /** Null: it was taken back. */
  private transport: Transport | null;
  private taken: Done | null = null;

  constructor(transport: Transport) {
    super({ allowHalfOpen: true });
    this.transport = transport;
    transport.reader = this;
  }

  /** Whatever the stream is asked for from now on, the transport has nothing to do with it. */
  takeBack(): void {
    this.transport = null;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    // Copied: it outlives the read buffer.
    if (this.transport !== null) this.give(Buffer.from(bytes.subarray(start, end)));
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

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.transport?.write(chunk, 0, chunk.length, true);
    if ((this.transport?.pending ?? 0) === 0) done();
    else this.taken = done;
  }

  /** What was written in one turn goes out in one write. */
  override _writev(chunks: { readonly chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done);
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
