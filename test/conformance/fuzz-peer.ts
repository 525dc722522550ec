// The fuzzing peer: one end of one connection after its handshake. Sends what a case tells it, legal or not, and keeps
// what came back as a list of events. It ends the connection as RFC 6455 7.1 says and leaves the judging to verdict.ts.

import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { FrameReader } from '../reference/frame-reader.ts';
import {
  type CloseStatus,
  closeOf,
  describeFrame,
  type Frame,
  type FrameSpec,
  frame,
  Opcode,
} from '../support/wire.ts';
import type { PerMessageDeflate } from './deflate.ts';
import type { Outcome } from './verdict.ts';

/** Event texts show payloads up to this size, and a digest of longer ones. */
const SHOWN_BYTES_MAX = 40;
/** How long a client waits for the server's FIN after the close handshake, and anybody for a FIN that answers one. */
const DROP_MS = 1_500;
/** How long a server waits for a FIN that the client should not send, before it sends its own. */
const EARLY_DROP_MS = 25;

export interface FuzzPeerOptions {
  readonly socket: Socket;
  /** What the fuzzer is. */
  readonly role: 'client' | 'server';
  readonly deflate: PerMessageDeflate | null;
}

export class FuzzPeer {
  readonly role: 'client' | 'server';
  readonly deflate: PerMessageDeflate | null;
  readonly events: string[] = [];
  /** The connection is over: nothing more can come. */
  isOver = false;
  private readonly socket: Socket;
  private readonly reader = new FrameReader();
  private readonly fragments: Buffer[] = [];
  private opcode = 0;
  private compressed = false;
  private illegal: string | null = null;
  private fuzzerClosed = false;
  private peerClosedFirst = false;
  private peerClose: (CloseStatus & { readonly payload: Buffer }) | null = null;
  private droppedBy: Outcome['droppedBy'] = null;
  private reset = false;
  private keyCount = 0;
  private isMidFrame = false;
  private dropTimer: NodeJS.Timeout | null = null;
  private readonly waiting = new Set<() => void>();

  constructor(options: FuzzPeerOptions) {
    const { socket } = options;
    this.role = options.role;
    this.deflate = options.deflate;
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('end', () => this.onFin());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // EPIPE: the peer was faster; its FIN or RST tells the rest.
      if (error.code !== 'EPIPE') this.reset = true;
    });
    socket.on('close', () => {
      if (this.dropTimer !== null) clearTimeout(this.dropTimer);
      this.isOver = true;
      this.changed();
    });
  }

  get outcome(): Outcome {
    const { role, events, illegal, peerClosedFirst, fuzzerClosed, peerClose, droppedBy, reset } = this;
    return {
      role,
      events,
      illegal,
      unimplemented: false,
      peerClosedFirst,
      fuzzerClosed,
      peerClose,
      droppedBy,
      reset,
    };
  }

  /** True once the peer has ended it: a Close, a FIN or a reset. */
  get isEnding(): boolean {
    return this.peerClose !== null || this.droppedBy !== null || this.isOver;
  }

  /** A frame of the fuzzer's side: masked as its role demands unless `mask` says otherwise. */
  build(spec: FrameSpec): Buffer {
    return frame({ mask: this.role === 'client' ? this.nextKey() : false, ...spec });
  }

  /** All frames in one write. */
  send(...specs: readonly FrameSpec[]): void {
    this.write(Buffer.concat(specs.map((spec) => this.build(spec))));
  }

  /** Each frame in a write of its own. */
  async sendFramewise(...specs: readonly FrameSpec[]): Promise<void> {
    for (const spec of specs) await this.writeAndYield(this.build(spec));
  }

  /** The frames' bytes in writes of `size`. */
  async sendChopped(size: number, ...specs: readonly FrameSpec[]): Promise<void> {
    const bytes = Buffer.concat(specs.map((spec) => this.build(spec)));
    for (let at = 0; at < bytes.length && !this.isOver; at += size) {
      await this.writeAndYield(bytes.subarray(at, at + size));
    }
  }

  /** A whole message, compressed if that was agreed on. */
  sendMessage(opcode: number, payload: Buffer): void {
    if (this.deflate === null) this.send({ opcode, payload });
    else this.send({ opcode, rsv: 4, payload: this.deflate.compress(payload) });
  }

  /** A part of a frame. An answer to a Close waits until the last part is out: it could not be told from payload. */
  sendPart(bytes: Buffer, isLast: boolean): void {
    this.isMidFrame = !isLast;
    this.write(bytes);
    if (isLast && this.peerClose !== null) this.answerClose(this.peerClose.payload);
  }

  write(bytes: Buffer): void {
    if (!this.socket.writableEnded) this.socket.write(bytes);
  }

  /** Close from the fuzzer's side. A null code is an empty Close. */
  sendClose(payload: Buffer): void {
    this.send({ opcode: Opcode.Close, payload });
    this.noteClose();
  }

  /** A Close was sent by other means. */
  noteClose(): void {
    this.fuzzerClosed = true;
    if (this.peerClose !== null) this.afterCloses();
  }

  /** Resolves when `condition` holds, or the peer has ended the connection, or after `ms`. True: the time is over. */
  within(ms: number, condition: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (timedOut: boolean) => {
        clearTimeout(timer);
        this.waiting.delete(attempt);
        resolve(timedOut);
      };
      const attempt = () => {
        if (this.isEnding || condition()) settle(false);
      };
      const timer = setTimeout(() => settle(true), ms);
      this.waiting.add(attempt);
      attempt();
    });
  }

  /** Waits for the peer to end it; when it does not, that is an event. */
  async timeout(name: string, ms: number): Promise<void> {
    if (await this.within(ms)) this.events.push(`timeout ${name}`);
  }

  /** Resolves when the socket is closed both ways, at the latest after `ms`: then the fuzzer gives up on the peer. */
  async ended(ms: number): Promise<void> {
    if (!this.isEnding && (await this.within(ms))) this.kill();
    while (!this.isOver) await new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
  }

  kill(): void {
    this.droppedBy ??= 'fuzzer';
    this.socket.destroy();
  }

  private async writeAndYield(bytes: Buffer): Promise<void> {
    this.write(bytes);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  private nextKey(): Buffer {
    this.keyCount += 1;
    return Buffer.from([this.keyCount & 0xff, 0x5a, (this.keyCount * 7) & 0xff, 0xc3]);
  }

  private changed(): void {
    for (const attempt of [...this.waiting]) attempt();
  }

  private onData(chunk: Buffer): void {
    if (this.illegal !== null) return;
    if (this.peerClose !== null) {
      this.fail('bytes behind its Close');
      return;
    }
    for (const received of this.reader.push(chunk)) {
      if (this.illegal === null) this.onFrame(received);
    }
    this.changed();
  }

  private onFrame(received: Frame): void {
    const broken = this.ruleBrokenBy(received);
    if (broken !== null) {
      this.fail(`${broken}: ${describeFrame(received)}`);
      return;
    }
    switch (received.opcode) {
      case Opcode.Ping:
      case Opcode.Pong:
        this.events.push(`${received.opcode === Opcode.Ping ? 'ping' : 'pong'} ${show(received.payload)}`);
        return;
      case Opcode.Close:
        this.onClose(received);
        return;
      default:
        this.onDataFrame(received);
    }
  }

  /** RFC 6455 5.1, 5.2, 5.4 and 5.5, as far as they bind the peer. */
  private ruleBrokenBy(received: Frame): string | null {
    const { opcode, rsv, fin, masked } = received;
    if (this.peerClose !== null) return 'a frame behind its Close';
    if (masked !== (this.role === 'server')) return masked ? 'masked' : 'not masked';
    if (opcode >= Opcode.Close) {
      if (opcode > Opcode.Pong || rsv !== 0) return 'reserved bits';
      return fin && received.payload.length <= 125 ? null : 'not a control frame';
    }
    if (opcode > Opcode.Binary) return 'reserved opcode';
    const continues = opcode === Opcode.Continuation;
    if (rsv !== 0 && !(rsv === 4 && this.deflate !== null && !continues)) return 'reserved bits';
    return continues === this.opcode > 0 ? null : 'fragments out of order';
  }

  private onDataFrame(received: Frame): void {
    if (received.opcode !== Opcode.Continuation) {
      this.opcode = received.opcode;
      this.compressed = received.rsv !== 0;
    }
    this.fragments.push(received.payload);
    if (!received.fin) return;
    const kind = this.opcode === Opcode.Text ? 'text' : 'binary';
    const wire = Buffer.concat(this.fragments.splice(0));
    this.opcode = 0;
    try {
      this.events.push(`${kind} ${show(this.compressed && this.deflate !== null ? this.deflate.inflate(wire) : wire)}`);
    } catch (error) {
      this.fail(`cannot be inflated: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private onClose(received: Frame): void {
    if (received.payload.length === 1) {
      this.fail('a Close of one byte');
      return;
    }
    this.peerClose = { ...closeOf(received), payload: received.payload };
    this.peerClosedFirst = !this.fuzzerClosed;
    if (!this.isMidFrame) this.answerClose(received.payload);
  }

  private answerClose(payload: Buffer): void {
    if (this.fuzzerClosed) this.afterCloses();
    else this.sendClose(payload);
  }

  /** A Close went both ways: the server drops the connection, the client waits for it (RFC 6455 7.1.1). */
  private afterCloses(): void {
    if (this.dropTimer !== null) return;
    this.dropTimer = setTimeout(() => this.drop(), this.role === 'server' ? EARLY_DROP_MS : DROP_MS);
  }

  private drop(): void {
    this.droppedBy ??= 'fuzzer';
    this.socket.end();
    this.dropTimer = setTimeout(() => {
      this.reset = true;
      this.socket.destroy();
    }, DROP_MS);
  }

  private onFin(): void {
    this.droppedBy ??= 'peer';
    if (this.dropTimer !== null) clearTimeout(this.dropTimer);
    this.dropTimer = setTimeout(() => this.socket.destroy(), DROP_MS);
    this.socket.end();
    this.changed();
  }

  private fail(rule: string): void {
    this.illegal ??= rule;
    this.kill();
    this.changed();
  }
}

/** A payload in an event: itself, or its size and a digest. */
export function show(payload: Buffer): string {
  if (payload.length <= SHOWN_BYTES_MAX) return JSON.stringify(payload.toString('latin1'));
  return `${payload.length} bytes ${createHash('sha1').update(payload).digest('hex').slice(0, 12)}`;
}
