// The generator's sockets over TLS. The handshake is Node's; from there on bytes pass below TLSSocket, since the
// streams above it would cost the generator more than the proxy spends. Without such a handle: the stream API.

import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { StreamBase, StreamHandle, StreamRequest } from '../../src/net/stream-base.ts';
import { faultOfTls, SERVER_NAME, type TlsPlan } from './tls.ts';
import type { Wire, WireReader, WireTarget } from './wire-form.ts';

const CONNECT_MS = 60_000;
const UV_EOF = -4095;

/** The ticket that a client has: offered with its next connection, and replaced by what the server sends. */
export interface Ticket {
  session: Buffer | null;
}

export interface TlsMeans {
  readonly base: StreamBase | null;
  readonly buffer: Buffer;
  readonly secureContext: SecureContext;
  readonly plan: TlsPlan;
  readonly ticket: Ticket | null;
}

export interface SecureWire extends Wire {
  readonly resumed: boolean;
  /** When the ClientHello was made, by performance.now(). */
  readonly helloAt: number;
}

export function connectTls(means: TlsMeans, target: WireTarget, reader: WireReader): Promise<SecureWire> {
  return new Promise((resolve, reject) => {
    const { secureContext, ticket, plan } = means;
    const { host, port, localAddress } = target;
    const socket = connect({
      host,
      port,
      secureContext,
      servername: SERVER_NAME,
      // The certificate was made a moment ago by who leads the bench, and is the same for all.
      rejectUnauthorized: false,
      ...(localAddress === null ? {} : { localAddress }),
      ...(ticket?.session ? { session: ticket.session } : {}),
    });
    let isOpen = false;
    let helloAt = Number.NaN;
    const late = setTimeout(() => socket.destroy(new Error('no TLS in time')), CONNECT_MS);
    socket.setNoDelay(true);
    socket.once('connect', () => {
      helloAt = performance.now();
    });
    socket.on('session', (session: Buffer) => {
      if (ticket !== null) ticket.session = session;
    });
    socket.on('error', (error) => {
      clearTimeout(late);
      if (isOpen) reader.onGone(error.message);
      else reject(error);
    });
    socket.on('close', () => reject(new Error('closed within the TLS handshake')));
    socket.on('secureConnect', () => {
      clearTimeout(late);
      isOpen = true;
      const resumed = socket.isSessionReused();
      const fault = faultOfTls(plan, { ...suiteOf(socket), resumed });
      if (fault !== null) {
        socket.destroy();
        reject(new Error(fault));
        return;
      }
      const facts = { resumed, helloAt };
      const handle = means.base === null ? null : handleOf(socket);
      if (means.base === null || handle === null) resolve(new TlsStreamWire(socket, reader, facts));
      else resolve(new TlsHandleWire(means.base, means.buffer, socket, handle, reader, facts));
    });
  });
}

function suiteOf(socket: TLSSocket) {
  const key: unknown = socket.getEphemeralKeyInfo();
  const group = typeof key === 'object' && key !== null ? Reflect.get(key, 'name') : undefined;
  const { standardName, name } = socket.getCipher();
  const protocol = socket.getProtocol();
  return { protocol, cipher: protocol === 'TLSv1.3' ? standardName : name, group };
}

/** The handle stays with its socket, which hears of tickets and of TLS errors. */
function handleOf(socket: TLSSocket): StreamHandle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return null;
  const isKnown = ['useUserBuffer', 'writeBuffer', 'readStart'].every(
    (name) => typeof Reflect.get(handle, name) === 'function',
  );
  return isKnown ? (handle as StreamHandle) : null; // just looked at
}

interface Facts {
  readonly resumed: boolean;
  readonly helloAt: number;
}

class TlsHandleWire implements SecureWire {
  readonly resumed: boolean;
  readonly helloAt: number;
  private readonly base: StreamBase;
  private readonly socket: TLSSocket;
  private readonly handle: StreamHandle;
  private readonly reader: WireReader;
  private request: StreamRequest;
  /** A second write before the first has ended is an assertion of Node. */
  private writing = false;
  private waiting: Buffer | null = null;
  private gone = false;

  constructor(
    base: StreamBase,
    buffer: Buffer,
    socket: TLSSocket,
    handle: StreamHandle,
    reader: WireReader,
    facts: Facts,
  ) {
    this.base = base;
    this.socket = socket;
    this.handle = handle;
    this.reader = reader;
    this.resumed = facts.resumed;
    this.helloAt = facts.helloAt;
    this.request = this.newRequest();
    handle.useUserBuffer(buffer);
    handle.onread = () => {
      const size = base.state[base.readIndex] ?? 0;
      if (size > 0) reader.onBytes(buffer, 0, size);
      else if (size < 0) this.end(size === UV_EOF ? 'ended' : `read error ${size}`);
    };
    handle.readStart();
  }

  write(bytes: Buffer): void {
    if (this.gone) return;
    if (this.writing) {
      this.waiting = this.waiting === null ? bytes : Buffer.concat([this.waiting, bytes]);
      return;
    }
    const error = this.handle.writeBuffer(this.request, bytes);
    if (error !== 0) {
      this.end(`write error ${error}`);
      return;
    }
    this.writing = this.base.state[this.base.asyncIndex] !== 0;
  }

  destroy(): void {
    if (this.gone) return;
    this.gone = true;
    this.socket.destroy();
  }

  private onWritten(status: number): void {
    this.writing = false;
    if (status < 0) {
      this.end(`write error ${status}`);
      return;
    }
    const { waiting } = this;
    this.waiting = null;
    if (waiting === null) return;
    // The one whose end this is cannot be used before this call is over.
    this.request = this.newRequest();
    this.write(waiting);
  }

  private newRequest(): StreamRequest {
    return Object.assign(new this.base.WriteWrap(), { oncomplete: (status: number) => this.onWritten(status) });
  }

  private end(why: string): void {
    if (this.gone) return;
    this.destroy();
    this.reader.onGone(why);
  }
}

class TlsStreamWire implements SecureWire {
  readonly resumed: boolean;
  readonly helloAt: number;
  private readonly socket: TLSSocket;
  private gone = false;

  constructor(socket: TLSSocket, reader: WireReader, facts: Facts) {
    this.socket = socket;
    this.resumed = facts.resumed;
    this.helloAt = facts.helloAt;
    const end = (why: string) => {
      if (this.gone) return;
      this.gone = true;
      reader.onGone(why);
    };
    socket.on('data', (bytes: Buffer) => reader.onBytes(bytes, 0, bytes.length));
    socket.on('end', () => end('ended'));
    socket.on('close', () => end('closed'));
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  destroy(): void {
    this.gone = true;
    this.socket.destroy();
  }
}
