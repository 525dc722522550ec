// One end of a WebSocket connection for long runs: opens or accepts it, cuts what comes into frames, answers pings and
// Closes, counts payload, and keeps nothing else. What its frames mean is its owner's affair.

import type * as net from 'node:net';
import { FrameReader } from '../reference/frame-reader.ts';
import { connectedEvent, connectTo, isClientTls } from '../support/tls-sides.ts';
import {
  acceptFor,
  closeFrame,
  closeOf,
  type Frame,
  frame,
  type Head,
  Opcode,
  parseHead,
  ping,
  pong,
  upgradeRequest,
} from '../support/wire.ts';

const HEAD_BYTES_MAX = 65_536;
const opcodes: readonly number[] = Object.values(Opcode);

export interface Payloads {
  /** Payload bytes of data frames that were handed to the socket. */
  sent: number;
  /** Payload bytes of whole data frames that came. */
  received: number;
}

/** How a connection ended, seen from this end. */
export interface Ended {
  /** Of the peer's Close; null when it had none, undefined when none came. */
  readonly code: number | null | undefined;
  /** The peer's FIN came, rather than an error. */
  readonly fin: boolean;
}

export class Endpoint {
  readonly socket: net.Socket;
  readonly payloads: Payloads;
  onPong: (received: Frame) => void = () => {};
  /** A frame that its sender may not send, or that nobody may relay. */
  onIllegal: (received: Frame) => void = () => {};
  pingsSeen = 0;
  readonly over: Promise<Ended>;
  private readonly mask: Buffer | false;
  private handler: ((received: Frame) => void) | null = null;
  /** Data that came behind the head, before there was a handler. */
  private early: Frame[] = [];
  private readonly reader = new FrameReader();
  private code: number | null | undefined = undefined;
  private closeSent = false;
  private fin = false;

  /** `mask`: the key of what it sends, which makes it a client. */
  constructor(socket: net.Socket, mask: Buffer | false, payloads: Payloads = { sent: 0, received: 0 }) {
    this.socket = socket;
    this.mask = mask;
    this.payloads = payloads;
    this.over = new Promise((resolve) => {
      socket.once('close', () => resolve({ code: this.code, fin: this.fin }));
    });
    socket.on('error', () => {});
    socket.on('end', () => {
      this.fin = true;
      socket.end();
    });
  }

  /** Gets every whole data frame. */
  set onData(handler: (received: Frame) => void) {
    this.handler = handler;
    for (const received of this.early.splice(0)) handler(received);
  }

  get isOpen(): boolean {
    return !this.socket.destroyed && !this.closeSent && this.code === undefined;
  }

  /** `rest` came behind the head. */
  begin(rest: Buffer): void {
    this.take(rest);
    this.socket.on('data', (chunk: Buffer) => this.take(chunk));
  }

  /** Resolves once the kernel has taken it, or the socket is gone. */
  send(opcode: number, payload: Buffer | string, fin = true): Promise<void> {
    // RFC 6455 5.5.1: no data frame after a Close.
    if (this.closeSent || this.socket.destroyed) return Promise.resolve();
    this.payloads.sent += Buffer.byteLength(payload);
    return this.sendRaw(frame({ opcode, payload, fin, mask: this.mask }));
  }

  ping(payload: Buffer): Promise<void> {
    return this.closeSent ? Promise.resolve() : this.sendRaw(ping(payload, { mask: this.mask }));
  }

  /** Bytes as they are; what they hold is not counted. */
  sendRaw(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed || this.socket.writableEnded) resolve();
      else this.socket.write(bytes, () => resolve());
    });
  }

  close(code: number): void {
    if (this.closeSent || this.socket.destroyed) return;
    this.closeSent = true;
    this.socket.write(closeFrame(code, '', { mask: this.mask }));
  }

  private take(chunk: Buffer): void {
    for (const received of this.reader.push(chunk)) this.takeFrame(received);
  }

  private takeFrame(received: Frame): void {
    const isLegal =
      received.rsv === 0 && received.masked === (this.mask === false) && opcodes.includes(received.opcode);
    if (!isLegal) this.onIllegal(received);
    if (received.opcode === Opcode.Ping) {
      this.pingsSeen += 1;
      if (!this.closeSent) void this.sendRaw(pong(received.payload, { mask: this.mask }));
    } else if (received.opcode === Opcode.Pong) {
      this.onPong(received);
    } else if (received.opcode === Opcode.Close) {
      this.code = closeOf(received).code;
      this.close(this.code ?? 1000);
      // RFC 6455 7.1.1: the server ends the TCP connection first.
      if (this.mask === false) this.socket.end();
    } else {
      this.payloads.received += received.payload.length;
      if (this.handler === null) this.early.push(received);
      else this.handler(received);
    }
  }
}

/** Hands over the first head that comes, and what stands behind it; null when the connection ends before. */
export function readHead(socket: net.Socket): Promise<{ head: Head; rest: Buffer } | null> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = (result: { head: Head; rest: Buffer } | null) => {
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve(result);
    };
    const onClose = () => done(null);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end >= 0) done({ head: parseHead(bytes.toString('latin1', 0, end + 4)), rest: bytes.subarray(end + 4) });
      else if (bytes.length > HEAD_BYTES_MAX) socket.destroy();
    };
    socket.on('data', onData);
    socket.once('close', onClose);
  });
}

/** A connection to a port of the loopback interface; null when there is none. */
export function dial(port: number): Promise<net.Socket | null> {
  return new Promise((resolve) => {
    const socket = connectTo(port, '127.0.0.1', isClientTls);
    socket.on('error', () => {});
    socket.once(connectedEvent(isClientTls), () => resolve(socket));
    socket.once('close', () => resolve(null));
  });
}

/** A client's session; a status instead when it was refused, 0 when there was no answer. */
export async function openClient(
  port: number,
  path: string,
  options: {
    readonly mask: Buffer;
    readonly payloads?: Payloads;
    /** Sent with the request, before there can be an answer. */
    readonly early?: Buffer;
    readonly onSocket?: (socket: net.Socket) => void;
  },
): Promise<Endpoint | number> {
  const socket = await dial(port);
  if (socket === null) return 0;
  options.onSocket?.(socket);
  socket.write(Buffer.concat([upgradeRequest({ path }), options.early ?? Buffer.alloc(0)]));
  const answer = await readHead(socket);
  if (answer === null) return 0;
  if (answer.head.status !== 101) {
    socket.destroy();
    return answer.head.status;
  }
  const endpoint = new Endpoint(socket, options.mask, options.payloads);
  endpoint.begin(answer.rest);
  return endpoint;
}

/** The bytes of a 101 that answers `request`. */
export function switchTo(request: Head, accept = acceptFor(request.field('sec-websocket-key') ?? '')): Buffer {
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
