// One raw byte stream seen from a test: sends exactly what it is told, keeps what came, and awaits with a deadline.
// It knows no more of HTTP and frames than to cut them out of the bytes. RawClient and BackendConnection extend it.

import * as net from 'node:net';
import { performance } from 'node:perf_hooks';
import { closeOf, describeBytes, type Frame, type Head, Opcode, parseHead, takeFrame } from './wire.ts';

/** How long anything may take here before the test fails with what did come. */
export const defaultDeadlineMs = 5000;

export interface Response {
  readonly head: Head;
  readonly status: number;
  readonly body: Buffer;
  /** The body as JSON; fails when it is none. */
  json(): Record<string, unknown>;
}

export interface Closed {
  /** The peer's FIN came before the end. */
  readonly fin: boolean;
  /** The code of the error that ended it (ECONNRESET for an RST), null for an orderly end. */
  readonly error: string | null;
}

interface Waiter {
  readonly what: string;
  /** True once it is over: resolved, or rejected because it can no longer come true. */
  readonly attempt: () => boolean;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class RawPeer {
  readonly socket: net.Socket;
  readonly deadlineMs: number;
  /** Bytes that came, those that `keep(false)` dropped included. */
  bytesReceived = 0;
  private store: Buffer = Buffer.alloc(4096);
  private size = 0;
  private taken = 0;
  private keeping = true;
  private fin = false;
  private error: string | null = null;
  private gone = false;
  private readonly waiters = new Set<Waiter>();

  constructor(socket: net.Socket, deadlineMs: number = defaultDeadlineMs) {
    this.socket = socket;
    this.deadlineMs = deadlineMs;
    socket.on('data', (chunk: Buffer) => this.collect(chunk));
    socket.on('end', () => {
      this.fin = true;
      this.changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message;
      this.changed();
    });
    socket.on('close', () => {
      this.gone = true;
      this.changed();
    });
  }

  /** Every byte that came, taken or not. */
  get received(): Buffer {
    return Buffer.from(this.store.subarray(0, this.size));
  }

  /** The bytes that came and that nothing has taken yet. */
  get unread(): Buffer {
    return Buffer.from(this.view());
  }

  /** True once the peer's FIN was read. */
  get finSeen(): boolean {
    return this.fin;
  }

  /** True once the socket is closed both ways or reset. */
  get isClosed(): boolean {
    return this.gone;
  }

  /** With false, bytes that come from now on are counted and dropped: for a test that moves a lot. */
  keep(keep: boolean): void {
    this.keeping = keep;
  }

  /** Writes and does not wait. */
  send(...parts: readonly (Buffer | string)[]): void {
    for (const part of parts) this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  }

  /** Each byte in a write of its own, each handed to the kernel before the next. Stops early when the peer is gone. */
  async sendBytewise(bytes: Buffer | string): Promise<void> {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    await this.sendInPieces(all, 1);
  }

  async sendInPieces(bytes: Buffer, pieceBytes: number): Promise<void> {
    for (let start = 0; start < bytes.length && !this.gone && this.error === null; start += pieceBytes) {
      const piece = bytes.subarray(start, start + pieceBytes);
      await new Promise<void>((resolve) => this.socket.write(piece, () => setImmediate(resolve)));
    }
  }

  /** Resolves once the kernel has taken everything that was sent. */
  async flushed(): Promise<void> {
    let taken = false;
    this.socket.write(Buffer.alloc(0), () => {
      taken = true;
      this.changed();
    });
    await this.until('all bytes to be taken by the kernel', () => (taken ? true : null));
  }

  /** FIN after what was sent. */
  end(bytes?: Buffer): void {
    if (bytes === undefined) this.socket.end();
    else this.socket.end(bytes);
  }

  /** RST, below TLS where there is some. What was sent and not yet taken by the kernel is lost. */
  reset(): void {
    const below: unknown = Reflect.get(this.socket, '_parent');
    if (below instanceof net.Socket) below.resetAndDestroy();
    else this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Stop reading, so that the peer's window fills; FIN and RST are not seen meanwhile. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** FIN of the peer; rejects when the connection ends without one. */
  get ended(): Promise<void> {
    return this.until<true>('FIN', () => (this.fin ? true : null)).then(() => undefined);
  }

  /** The end of the connection, by whatever means. Our own FIN is sent first if the peer has sent its own. */
  get closed(): Promise<Closed> {
    return this.until('the connection to close', () => {
      if (this.fin && !this.socket.writableEnded) this.socket.end();
      return this.gone ? { fin: this.fin, error: this.error } : null;
    });
  }

  /** Takes everything that is unread once `predicate` holds for it. */
  async readUntil(predicate: (unread: Buffer) => boolean, what = 'the bytes waited for'): Promise<Buffer> {
    return this.until(what, () => (predicate(this.view()) ? this.take(this.size - this.taken) : null));
  }

  /** Takes exactly `count` bytes. */
  async readBytes(count: number): Promise<Buffer> {
    return this.until(`${count} bytes`, () => (this.size - this.taken < count ? null : this.take(count)));
  }

  /** Takes everything up to the peer's FIN; an RST instead rejects. */
  async readToEnd(): Promise<Buffer> {
    return this.until('everything up to FIN', () => (this.fin ? this.take(this.size - this.taken) : null));
  }

  /** Waits until `count` bytes have come in all, kept or not. */
  async receivedBytes(count: number): Promise<void> {
    await this.until(`${count} bytes in all`, () => (this.bytesReceived < count ? null : true));
  }

  /** Takes a head, its empty line included. */
  async readHead(): Promise<Head> {
    return this.until('a head', () => {
      const end = this.view().indexOf('\r\n\r\n');
      return end < 0 ? null : parseHead(this.take(end + 4).toString('latin1'));
    });
  }

  /** Takes a response and its body: by Content-Length, else up to FIN; none after a 1xx, 204 or 304. */
  async readResponse(): Promise<Response> {
    const head = await this.readHead();
    const declared = head.field('content-length');
    const bodiless = head.status < 200 || head.status === 204 || head.status === 304;
    const body = bodiless
      ? Buffer.alloc(0)
      : await (declared === undefined ? this.readToEnd() : this.readBytes(Number(declared)));
    return { head, status: head.status, body, json: () => JSON.parse(body.toString('utf8')) };
  }

  /** Takes one frame. */
  async nextFrame(): Promise<Frame> {
    return this.until('a frame', () => {
      const next = takeFrame(this.view());
      if (next !== null) this.taken += next.bytes.length;
      return next;
    });
  }

  async nextFrames(count: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.nextFrame());
    return frames;
  }

  /** Takes frames up to and including the first Close. */
  async framesUntilClose(): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (;;) {
      const next = await this.nextFrame();
      frames.push(next);
      if (next.opcode === Opcode.Close) return frames;
    }
  }

  /** Takes frames up to the first Close and tells what that one says. */
  async nextClose(): Promise<{ code: number | null; reason: string }> {
    const last = (await this.framesUntilClose()).at(-1);
    if (last === undefined) throw new Error('framesUntilClose returned nothing');
    return closeOf(last);
  }

  /** Resolves with the first value of `attempt` that is not null, asked again after every event on the socket. */
  until<T>(what: string, attempt: () => T | null): Promise<T> {
    const begun = performance.now();
    return new Promise<T>((resolve, reject) => {
      const fail = (why: string) => {
        const after = Math.round(performance.now() - begun);
        reject(new Error(`waited ${after} ms for ${what}: ${why}\n${this.describe()}`));
      };
      const waiter: Waiter = {
        what,
        reject,
        timer: setTimeout(() => {
          this.waiters.delete(waiter);
          fail('deadline');
        }, this.deadlineMs),
        attempt: () => {
          try {
            const value = attempt();
            if (value === null && !this.gone) return false;
            if (value === null) fail('the connection is closed');
            else resolve(value);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
          clearTimeout(waiter.timer);
          return true;
        },
      };
      if (!waiter.attempt()) this.waiters.add(waiter);
    });
  }

  /** What came so far and how the connection stands, for messages. */
  describe(): string {
    const state = [this.fin ? 'FIN seen' : 'no FIN', this.gone ? 'closed' : 'open'];
    if (this.error !== null) state.push(this.error);
    const unread = this.view();
    return (
      `  ${state.join(', ')}; ${this.bytesReceived} bytes in all, ${unread.length} of them unread: ` +
      `${describeBytes(unread)}\n  all: ${describeBytes(this.store.subarray(0, this.size))}`
    );
  }

  private view(): Buffer {
    return this.store.subarray(this.taken, this.size);
  }

  private take(count: number): Buffer {
    const bytes = Buffer.from(this.store.subarray(this.taken, this.taken + count));
    this.taken += count;
    return bytes;
  }

  /** Asks every waiter again: for conditions that come true outside the socket's data, FIN and close. */
  protected poke(): void {
    this.changed();
  }

  private collect(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    if (this.keeping) {
      if (chunk.length > this.store.length - this.size) {
        const larger = Buffer.alloc(Math.max(this.store.length * 2, this.size + chunk.length));
        this.store.copy(larger, 0, 0, this.size);
        this.store = larger;
      }
      chunk.copy(this.store, this.size);
      this.size += chunk.length;
    }
    this.changed();
  }

  private changed(): void {
    for (const waiter of this.waiters) if (waiter.attempt()) this.waiters.delete(waiter);
  }
}
