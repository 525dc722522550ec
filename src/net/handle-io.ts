// What all transports on handles share in one thread: the buffer that they read into, and the scratches that they write
// from. It knows no transport, but that each handle has one which is told of its reads.

import type { ChunkSource } from './outbox.ts';
import type { StreamBase, StreamHandle, StreamRequest } from './stream-base.ts';

/** What libuv reads at most at once, and the room in front of it for what the read before left over: 130 bytes. */
export const READ_BYTES = 65_536;
export const HEADROOM = 144;
/** Lengths for which a view of the scratch is kept: small messages make no garbage. */
const VIEWS_MAX = 2_048;
/** A read and what the one before it left over; and for what is small, since an unfinished write keeps its scratch. */
const SCRATCH_BYTES = HEADROOM + READ_BYTES;
const SMALL_SCRATCH_BYTES = 4_096;
/** Scratches kept for later when the writes that took them are done: 1 MiB; more are left to the garbage collector. */
const SPARE_MAX = 16;

/** A write that libuv has not finished; it keeps its bytes alive. At most one per transport. */
export interface QueuedWrite extends StreamRequest {
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
export interface Rest {
  readonly bytes: Buffer;
  start: number;
  end: number;
  /** What `bytes` is, if it is to be used again. */
  readonly scratch: Scratch | null;
}

/** What a handle tells its transport. */
interface HandleOwner {
  /** `size` bytes are in the read buffer; 0 for none, or an error number. */
  onRead(size: number): void;
  onFault(error: NodeJS.ErrnoException): void;
}

/** A handle that knows its transport: one function serves the reads of all. */
export interface OwnedHandle extends StreamHandle {
  transport?: HandleOwner;
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
  /** The connections over TLS. */
  readonly secured = new Set<{ endIfUnsent(): void }>();
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
