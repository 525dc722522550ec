// A Transport straight on a libuv stream, below net.Socket. All of them read into one static buffer and write from one
// scratch, so a session holds no buffers. It owns its handle; the socket it was taken from is empty and forgotten.

import { getSystemErrorName } from 'node:util';
import { type ChunkSource, Outbox } from './outbox.ts';
import type { StreamBase, StreamHandle, StreamRequest } from './stream-base.ts';
import { silentReader, type Transport, type TransportReader } from './transport.ts';
import { TURN_BYTES, TURN_STEPS } from './turn.ts';

/** What libuv reads at most at once, and the room in front of it for what the read before left over: 130 bytes. */
const READ_BYTES = 65_536;
export const HEADROOM = 144;
/** Full reads in a row before other sockets get their turn. One that is not full is the last of its turn in libuv. */
const FULL_READS_MAX = TURN_BYTES / READ_BYTES;
/** Lengths for which a view of the scratch is kept: small messages make no garbage. */
const VIEWS_MAX = 2_048;
/** A read and what the one before it left over; and for what is small, since an unfinished write keeps its scratch. */
const SCRATCH_BYTES = HEADROOM + READ_BYTES;
const SMALL_SCRATCH_BYTES = 4_096;
/** Scratches kept for later when the writes that took them are done: 1 MiB; more are left to the garbage collector. */
const SPARE_MAX = 16;
const UV_EOF = -4095;

/** A write that libuv has not finished; it keeps its bytes alive. At most one per transport. */
interface QueuedWrite extends StreamRequest {
  bytes: Uint8Array | null;
  /** The scratch that `bytes` is a part of, to be used again afterwards. */
  scratch: Scratch | null;
}

/** A buffer that writes are copied to, and the views of its start that were needed so far, by their length. */
class Scratch {
  readonly bytes: Buffer;
  private views: (Buffer | undefined)[] = [];

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  view(length: number): Buffer {
    if (length >= VIEWS_MAX) return this.bytes.subarray(0, length);
    let view = this.views[length];
    if (view === undefined) {
      view = this.bytes.subarray(0, length);
      this.views[length] = view;
    }
    return view;
  }

  /** The views of one that is lent would cost more than its bytes. */
  forgetViews(): void {
    this.views = [];
  }
}

/** What a reader gave back of a read: at most one read, or what came before the session, until it is taken. */
interface Rest {
  readonly bytes: Buffer;
  start: number;
  end: number;
  /** What `bytes` is, if it is to be used again. */
  readonly scratch: Scratch | null;
}

/** A handle that knows its transport: one function serves the reads of all. */
export interface OwnedHandle extends StreamHandle {
  transport?: HandleTransport;
}

/** What all transports of one thread share. Only a write that could not finish at once takes something out of it. */
export class HandleIo implements ChunkSource {
  readonly base: StreamBase;
  readonly readBuffer = Buffer.allocUnsafeSlow(HEADROOM + READ_BYTES);
  /**
   * Where libuv reads to, registered in every handle. Never written from: an unfinished write out of it would send what
   * other sessions read later.
   */
  readonly readView = this.readBuffer.subarray(HEADROOM);
  /** Called by libuv for every read of every handle. */
  readonly onread: (this: OwnedHandle) => void;
  /** Which turn of the event loop this is: counted only while somebody asks. */
  private turn = 0;
  private isTurnOver = true;
  private scratch = new Scratch(SCRATCH_BYTES);
  private small = new Scratch(SMALL_SCRATCH_BYTES);
  private readonly spare: Scratch[] = [];
  /** Serves every write that finishes at once; one that does not keeps it. */
  private request: QueuedWrite;

  constructor(base: StreamBase) {
    this.base = base;
    this.request = this.newRequest();
    const { state, readIndex } = base;
    this.onread = function onread(this: OwnedHandle): void {
      this.transport?.onRead(state[readIndex] ?? 0);
    };
  }

  /** The number of this turn of the event loop: what is read until its end has the same one. */
  get currentTurn(): number {
    if (this.isTurnOver) {
      this.isTurnOver = false;
      this.turn += 1;
      setImmediate(() => {
        this.isTurnOver = true;
      });
    }
    return this.turn;
  }

  /** Write a copy of `[start, end)`. Gives the request that libuv has kept, null if all is done, or an error number. */
  writeCopy(handle: StreamHandle, bytes: Buffer, start: number, end: number): QueuedWrite | null | number {
    const size = end - start;
    if (size > SCRATCH_BYTES) return this.writeOwned(handle, Buffer.from(bytes.subarray(start, end)));
    const scratch = size < VIEWS_MAX ? this.small : this.scratch;
    bytes.copy(scratch.bytes, 0, start, end);
    const result = this.writeOwned(handle, scratch.view(size));
    if (typeof result === 'object' && result !== null) this.lend(scratch, result);
    return result;
  }

  /** The kernel has not taken all of it: that write keeps the scratch until it has. */
  private lend(scratch: Scratch, request: QueuedWrite): void {
    request.scratch = scratch;
    scratch.forgetViews();
    if (scratch === this.small) this.small = new Scratch(SMALL_SCRATCH_BYTES);
    else this.scratch = this.take(SCRATCH_BYTES);
  }

  take(size: number): Scratch {
    return size < VIEWS_MAX ? new Scratch(SMALL_SCRATCH_BYTES) : (this.spare.pop() ?? new Scratch(SCRATCH_BYTES));
  }

  /** Nothing of it is needed any more. */
  giveBack(scratch: Scratch): void {
    if (scratch.bytes.length === SCRATCH_BYTES && this.spare.length < SPARE_MAX) this.spare.push(scratch);
  }

  /** A copy of `[start, end)`, with headroom. */
  keep(bytes: Buffer, start: number, end: number): Rest {
    const size = HEADROOM + end - start;
    const scratch = size > SCRATCH_BYTES ? null : this.take(SCRATCH_BYTES);
    const copy = scratch?.bytes ?? Buffer.allocUnsafeSlow(size);
    bytes.copy(copy, HEADROOM, start, end); // copied: the read buffer is for the next read
    return { bytes: copy, start: HEADROOM, end: size, scratch };
  }

  /** `[start, end)`, for who has done with it when his call is over. */
  lendCopy(bytes: Buffer, start: number, end: number): Buffer {
    const size = end - start;
    if (size >= VIEWS_MAX) return bytes.subarray(start, end);
    bytes.copy(this.small.bytes, 0, start, end);
    return this.small.view(size);
  }

  /** Write `bytes`, which nobody touches any more. */
  writeOwned(handle: StreamHandle, bytes: Uint8Array): QueuedWrite | null | number {
    const { request, base } = this;
    const error = handle.writeBuffer(request, bytes);
    if (error !== 0) return error;
    if (base.state[base.asyncIndex] === 0) return null;
    request.bytes = bytes;
    this.request = this.newRequest();
    return request;
  }

  private newRequest(): QueuedWrite {
    return Object.assign(new this.base.WriteWrap(), { oncomplete: null, bytes: null, scratch: null });
  }
}

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

  write(bytes: Buffer, start: number, end: number, stable: boolean): void {
    if (this.destroyed || this.isLost || this.hasEnded) return;
    if (this.outbox !== null) {
      this.outbox.append(bytes, start, end);
      this.pending += end - start;
      return;
    }
    const { io, handle } = this;
    const result = stable ? io.writeOwned(handle, bytes.subarray(start, end)) : io.writeCopy(handle, bytes, start, end);
    if (result === null) return;
    if (typeof result === 'number') {
      this.onGone(result);
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
    if (this.rest === null) this.handle.readStart();
    else this.yieldTurn(); // a reader is never called from inside its own call
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

  protected closeHandle(): void {
    this.handle.close();
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
    if (size === UV_EOF) {
      this.handle.readStop();
      this.reader.onEnd();
      return;
    }
    this.onGone(size);
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
    return this.rest === null && !this.isYielding && !this.paused && !this.destroyed && !this.isLost;
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
      if (status < 0) this.onGone(status);
      else if (this.writeNext(outbox)) this.reader.onTaken();
    };
  }

  /** A write is done: on with what came behind it. False: the connection turns out to be gone. */
  private writeNext(outbox: Outbox): boolean {
    for (let bytes = outbox.next(); bytes !== null; bytes = outbox.next()) {
      const result = this.io.writeOwned(this.handle, bytes);
      if (result === null) continue;
      if (typeof result === 'number') {
        this.onGone(result);
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

  protected onGone(error: number): void {
    const code = getSystemErrorName(error);
    this.onFault(Object.assign(new Error(code), { code }));
  }

  /** The connection is gone. */
  onFault(error: Error): void {
    if (this.destroyed || this.isLost) return;
    this.isLost = true;
    // A write may find it out, and a reader is never called from inside its own write.
    queueMicrotask(() => this.reader.onLost(error));
  }
}
