// A Transport straight on a libuv stream, below net.Socket. All of them read into one static buffer and write from one
// scratch, so a session holds no buffers. It owns its handle; the socket it was taken from is empty and forgotten.

import { getSystemErrorName } from 'node:util';
import { plainAddress } from '../protocol/addresses/ip-address.ts';
import { type HandleIo, HEADROOM, type OwnedHandle, type QueuedWrite, READ_BYTES, type Rest } from './handle-io.ts';
import { Outbox } from './outbox.ts';
import type { StreamHandle } from './stream-base.ts';
import { type LocalEndpoint, silentReader, type Transport, type TransportReader } from './transport.ts';
import { TURN_BYTES, TURN_STEPS } from './turn.ts';

/** Full reads in a row before other sockets get their turn. One that is not full is the last of its turn in libuv. */
const FULL_READS_MAX = TURN_BYTES / READ_BYTES;
const UV_EOF = -4095;

interface PeerAddress {
  readonly address: string;
  readonly port: number;
}

export class HandleTransport implements Transport {
  readonly stable = false;
  readonly headroom = HEADROOM;
  readonly remoteAddress: string;
  readonly remotePort: number;
  reader: TransportReader = silentReader;
  pending = 0;
  stepsLeft = TURN_STEPS;
  paused = false;
  destroyed = false;
  protected readonly io: HandleIo;
  protected readonly handle: OwnedHandle;
  private fullReads = 0;
  /** What this turn had no steps left for; the handle is not read before it is taken. */
  protected rest: Rest | null = null;
  /** While a write is not finished: what waits, and is not given to libuv before. */
  protected outbox: Outbox | null = null;
  protected isYielding = false;
  protected isLost = false;
  protected hasEnded = false;
  private isResetting = false;
  isEndSure = true;
  /** A write failed: reading goes on to what came before, and ends with this. */
  protected unwritable: Error | null = null;
  /** The peer's FIN was told: the kernel would tell it again to who reads again. */
  protected isAtEnd = false;

  /** Reading begins at once, in a later turn of the event loop. `handle` must not be read by anybody else. */
  constructor(io: HandleIo, handle: StreamHandle, peer: PeerAddress) {
    this.io = io;
    this.handle = handle;
    this.remoteAddress = peer.address;
    this.remotePort = peer.port;
    this.handle.transport = this;
    handle.onread = io.onread;
    handle.useUserBuffer(io.readView);
    handle.readStart();
  }

  get held(): number {
    return this.outbox === null ? 0 : this.outbox.cost;
  }

  get kept(): number {
    return this.rest === null ? 0 : this.rest.bytes.length;
  }

  localEndpoint(): LocalEndpoint | null {
    const out: { address?: string; port?: number } = {};
    if (!this.destroyed) this.handle.getsockname?.(out);
    return out.address === undefined ? null : { address: plainAddress(out.address), port: out.port ?? 0 };
  }

  write(bytes: Buffer, start: number, end: number, stable: boolean): void {
    if (this.destroyed || this.isLost || this.hasEnded || this.unwritable !== null) return;
    if (this.outbox !== null) {
      this.outbox.append(bytes, start, end);
      this.pending += end - start;
      return;
    }
    const { io, handle } = this;
    const result = stable ? io.writeOwned(handle, bytes.subarray(start, end)) : io.writeCopy(handle, bytes, start, end);
    if (result === null) return;
    if (typeof result === 'number') {
      this.onUnwritable(result);
      return;
    }
    const { scratch } = result;
    const foreign = result.bytes?.buffer.byteLength ?? 0;
    this.outbox = new Outbox(io, scratch === null ? { foreign } : { chunk: scratch, size: end - start });
    this.awaitWrite(result, this.outbox);
  }

  pause(): void {
    this.paused = true;
    if (!this.isYielding && !this.destroyed) this.handle.readStop();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.isYielding || this.destroyed || this.isLost) return;
    if (this.canRead) this.handle.readStart();
    else if (this.rest !== null) this.yieldTurn(); // a reader is never called from inside its own call
  }

  unread(bytes: Buffer, start: number, end: number): void {
    if (this.destroyed) return;
    const { rest } = this;
    if (rest?.bytes === bytes) {
      rest.start = start;
    } else {
      this.rest = this.io.keep(bytes, start, end);
      if (rest !== null) this.hold(rest.bytes, rest.start, rest.end);
    }
    this.yieldTurn();
  }

  /** `[start, end)` comes behind what was given back. */
  protected hold(bytes: Buffer, start: number, end: number): void {
    const { rest } = this;
    const free = rest === null ? 0 : rest.bytes.length - rest.end;
    if (rest === null) {
      this.rest = this.io.keep(bytes, start, end);
    } else if (end - start <= free) {
      bytes.copy(rest.bytes, rest.end, start, end);
      rest.end += end - start;
    } else {
      const joined = Buffer.concat([rest.bytes.subarray(rest.start, rest.end), bytes.subarray(start, end)]);
      this.rest = this.io.keep(joined, 0, joined.length);
    }
  }

  end(): void {
    if (this.destroyed || this.isLost || this.hasEnded) return;
    this.hasEnded = true;
    if (this.outbox === null) this.shutDown(); // else behind what waits
  }

  protected shutDown(): void {
    const request = new this.io.base.ShutdownWrap();
    request.oncomplete = () => {};
    this.handle.shutdown(request);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.reader = silentReader;
    // Not to be used again: the reader of the one may be at it, and libuv at the other.
    this.rest = null;
    this.outbox = null;
    this.pending = 0;
    // Node insists on a function there; without its transport it does nothing.
    delete this.handle.transport;
    this.closeHandle();
  }

  reset(): void {
    this.isResetting = !this.hasEnded;
    this.destroy();
  }

  protected closeHandle(): void {
    const { handle } = this;
    if (this.isResetting && handle.reset !== undefined) handle.reset();
    else handle.close();
  }

  /** The handle, for something else that reads it from now on. Nothing was given back or waits; this is over. */
  release(): StreamHandle {
    this.handle.readStop();
    this.destroyed = true;
    this.reader = silentReader;
    delete this.handle.transport;
    return this.handle;
  }

  /** One read: `size` bytes in the shared buffer, 0 for none, or an error number. */
  onRead(size: number): void {
    if (size > 0) {
      if (this.fullReads === 0) this.stepsLeft = TURN_STEPS;
      if (size < READ_BYTES) this.fullReads = 0;
      else if (++this.fullReads === FULL_READS_MAX) this.yieldTurn();
      this.reader.onBytes(this.io.readBuffer, HEADROOM, HEADROOM + size);
      return;
    }
    if (size === 0 || this.destroyed) return;
    if (size !== UV_EOF) this.onGone(size);
    else if (this.unwritable !== null) this.onFault(this.unwritable);
    else if (this.isEndSure) {
      this.handle.readStop();
      this.tellEnd();
    } else {
      this.isEndSure = true;
      this.handle.readStart();
    }
  }

  protected tellEnd(): void {
    this.isAtEnd = true;
    this.reader.onEnd();
  }

  /** Let the other sockets of this turn of the event loop have theirs. */
  protected yieldTurn(): void {
    this.fullReads = 0;
    if (this.isYielding) return;
    this.isYielding = true;
    this.handle.readStop();
    setImmediate(() => {
      this.isYielding = false;
      this.goOn();
    });
  }

  /** A turn of the event loop later. */
  protected goOn(): void {
    if (this.rest !== null) this.takeRest(this.rest);
    if (this.canRead) this.handle.readStart();
  }

  protected get canRead(): boolean {
    const isFree = this.rest === null && !this.isYielding && !this.paused;
    return isFree && !this.isAtEnd && !this.destroyed && !this.isLost;
  }

  /** What was given back comes again, and may in part be given back once more. */
  protected takeRest(rest: Rest): void {
    if (this.paused || this.destroyed || this.isLost) return;
    const { start } = rest;
    rest.start = rest.end;
    this.stepsLeft = TURN_STEPS;
    this.reader.onBytes(rest.bytes, start, rest.end);
    if (rest.start < rest.end || this.destroyed) return;
    this.rest = null;
    if (rest.scratch !== null) this.io.giveBack(rest.scratch);
  }

  private awaitWrite(request: QueuedWrite, outbox: Outbox): void {
    this.pending = this.handle.writeQueueSize + outbox.waiting;
    request.oncomplete = (status) => {
      request.bytes = null; // until now libuv needed it
      if (this.destroyed) return;
      if (status < 0) this.onUnwritable(status);
      else if (this.writeNext(outbox)) this.reader.onTaken();
    };
  }

  /** A write is done: on with what came behind it. False: the connection turns out to be gone. */
  private writeNext(outbox: Outbox): boolean {
    for (let bytes = outbox.next(); bytes !== null; bytes = outbox.next()) {
      const result = this.io.writeOwned(this.handle, bytes);
      if (result === null) continue;
      if (typeof result === 'number') {
        this.onUnwritable(result);
        return false;
      }
      this.awaitWrite(result, outbox);
      return true;
    }
    outbox.clear();
    this.outbox = null;
    this.pending = 0;
    if (this.hasEnded) this.shutDown();
    return true;
  }

  /** The peer takes nothing more. Where its end may be that of an answer, that one may have come before. */
  protected onUnwritable(error: number): void {
    if (this.isEndSure) {
      this.onGone(error);
      return;
    }
    this.unwritable = faultOf(error);
    this.outbox = null;
    this.pending = 0;
  }

  protected onGone(error: number): void {
    this.onFault(faultOf(error));
  }

  /** The connection is gone. */
  onFault(error: Error): void {
    if (this.destroyed || this.isLost) return;
    this.isLost = true;
    // A write may find it out, and a reader is never called from inside its own write.
    queueMicrotask(() => this.reader.onLost(error));
  }
}

function faultOf(error: number): Error {
  const code = getSystemErrorName(error);
  return Object.assign(new Error(code), { code });
}
