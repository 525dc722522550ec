// A Transport on Node's TLS layer over a libuv stream, below TLSSocket. It reads and writes as HandleTransport does,
// but for what that layer cannot: write twice at a time, stop what it has decrypted, or keep silent about an error.

import { type HandleIo, HEADROOM, type OwnedHandle } from './handle-io.ts';
import { HandleTransport } from './handle-transport.ts';
import { Outbox } from './outbox.ts';
import type { SecureHandle, StreamRequest } from './stream-base.ts';
import { TURN_BYTES, TURN_STEPS } from './turn.ts';

const UV_EOF = -4095;
/** Of what OpenSSL says by itself: a ticket or an alert is a hundredth of it. */
const UNSENT_MAX = 262_144;

interface PeerAddress {
  readonly address: string;
  readonly port: number;
}

/** What Node calls an oncomplete with. */
type OnWritten = (status: number, handle: OwnedHandle) => void;

export class TlsTransport extends HandleTransport {
  private readonly secure: SecureHandle;
  /** OpenSSL has a write that is not done: a second one would end the process. */
  private isWriting = false;
  /** Bytes of the last write. */
  private lastSize = 0;
  /** Bytes of this turn, and its number. A read is a record of 16 KiB at most, and one of TCP brings many. */
  private turnBytes = 0;
  private turn = 0;
  /** The FIN came behind what the reader has not had yet. */
  private isEndHeld = false;

  constructor(io: HandleIo, handle: SecureHandle, peer: PeerAddress, onSession: ((session: Buffer) => void) | null) {
    super(io, handle, peer);
    this.secure = handle;
    io.secured.add(this);
    handle.onerror = onTlsError;
    if (onSession !== null) handle.onnewsession = (_id, session) => onSession(session);
  }

  override get held(): number {
    return this.outbox === null ? 0 : this.outbox.cost;
  }

  override write(bytes: Buffer, start: number, end: number, _stable: boolean): void {
    if (this.destroyed || this.isLost || this.hasEnded || this.unwritable !== null) return;
    if (!this.isWriting) {
      // OpenSSL encrypts it at once, and keeps nothing of it.
      this.encrypt(this.io.lendCopy(bytes, start, end));
      return;
    }
    this.outbox ??= new Outbox(this.io, { foreign: 0 });
    this.outbox.append(bytes, start, end);
    this.pending += end - start;
  }

  private encrypt(bytes: Buffer): void {
    const request = new this.io.base.WriteWrap();
    const oncomplete: OnWritten = onWritten;
    request.oncomplete = oncomplete as StreamRequest['oncomplete']; // Node passes the handle as well
    this.isWriting = true;
    this.lastSize = bytes.length;
    const error = this.handle.writeBuffer(request, bytes);
    if (error !== 0) {
      this.onUnwritable(error);
      return;
    }
    // It is told in a later turn even if the kernel has all of it already.
    const waits = this.secure._parent.writeQueueSize;
    if (waits > 0) this.outbox ??= new Outbox(this.io, { foreign: waits });
    this.pending = waits + (this.outbox?.waiting ?? 0);
  }

  onWritten(status: number): void {
    this.isWriting = false;
    if (this.destroyed || this.isLost) return;
    if (status < 0) {
      this.onUnwritable(status);
      return;
    }
    const { outbox } = this;
    const bytes = outbox === null ? null : outbox.next();
    if (bytes !== null) {
      this.encrypt(bytes);
    } else {
      outbox?.clear();
      this.outbox = null;
      this.pending = 0;
      if (this.hasEnded) this.shutDown();
    }
    if (outbox !== null) this.reader.onTaken();
  }

  /** Lost, when more waits encrypted than what we wrote ourselves. */
  endIfUnsent(): void {
    if (this.secure.writeQueueSize <= UNSENT_MAX + 2 * this.lastSize) return;
    this.onFault(Object.assign(new Error('answers of TLS are not read'), { code: 'ERR_TLS_UNREAD' }));
  }

  override end(): void {
    if (this.destroyed || this.isLost || this.hasEnded) return;
    this.hasEnded = true;
    if (!this.isWriting) this.shutDown(); // else behind it
  }

  protected override closeHandle(): void {
    const { secure } = this;
    this.io.secured.delete(this);
    // Not before: OpenSSL may be at it just now. Without it what waits would keep the handle.
    secure._parent.close(() => secure.destroySSL());
  }

  override onRead(size: number): void {
    if (size > 0) this.onRecord(size);
    else if (size === UV_EOF) this.onFin();
    else if (size < 0 && !this.destroyed) this.onGone(size);
  }

  private onRecord(size: number): void {
    const { io } = this;
    if (this.isLost) return;
    // What is decrypted comes whether it is read or not.
    if (this.paused || this.isYielding || this.rest !== null) {
      this.hold(io.readBuffer, HEADROOM, HEADROOM + size);
      return;
    }
    this.beginTurn();
    this.turnBytes += size;
    if (this.turnBytes >= TURN_BYTES) this.yieldTurn();
    this.reader.onBytes(io.readBuffer, HEADROOM, HEADROOM + size);
  }

  private onFin(): void {
    if (this.destroyed || this.isLost || this.isAtEnd || this.isEndHeld) return;
    this.handle.readStop();
    if (this.paused || this.isYielding || this.rest !== null) this.isEndHeld = true;
    else this.tellEnd();
  }

  protected override tellEnd(): void {
    this.isEndHeld = false;
    if (this.unwritable === null) super.tellEnd();
    else this.onFault(this.unwritable);
  }

  override resume(): void {
    if (!this.paused || !this.isEndHeld) {
      super.resume();
      return;
    }
    this.paused = false;
    if (!this.destroyed && !this.isLost) this.yieldTurn();
  }

  protected override goOn(): void {
    this.beginTurn();
    if (this.rest !== null) this.takeRest(this.rest);
    if (!this.canRead) return;
    if (this.isEndHeld) this.tellEnd();
    else this.handle.readStart();
  }

  private beginTurn(): void {
    const turn = this.io.currentTurn;
    if (turn === this.turn) return;
    this.turn = turn;
    this.turnBytes = 0;
    this.stepsLeft = TURN_STEPS;
  }
}

function onTlsError(this: OwnedHandle, error: NodeJS.ErrnoException): void {
  this.transport?.onFault(error);
}

function onWritten(status: number, handle: OwnedHandle): void {
  const { transport } = handle;
  if (transport instanceof TlsTransport) transport.onWritten(status);
}
