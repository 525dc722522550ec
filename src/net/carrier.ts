// How plain sockets become transports: taken down to their libuv handle where this Node allows it, through the stream
// API where it does not. Decided once, by trying it out.

import { connect, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { familyOf, plainAddress } from '../protocol/addresses/ip-address.ts';
import { handleAccept } from './handle-accept.ts';
import { HandleIo } from './handle-io.ts';
import { LaneSender, receiveHandles } from './handle-lane.ts';
import { HandleTransport } from './handle-transport.ts';
import { carriesBytes, carriesTls } from './probe.ts';
import type { RawClient } from './raw-client.ts';
import { secureAccept, type TlsFacts, type TlsFault } from './secure-accept.ts';
import type { TlsTerms } from './server-tls.ts';
import {
  findStreamBase,
  isStreamHandle,
  type ServerHandle,
  type StreamHandle,
  serverHandleOf,
  takeHandle,
  takeSecureHandle,
} from './stream-base.ts';
import { StreamTransport } from './stream-transport.ts';
import { TlsTransport } from './tls-transport.ts';
import type { Transport } from './transport.ts';

/** TCP keep-alive begins after this much silence, on both sides. */
export const KEEP_ALIVE_AFTER_MS = 60_000;
/** A look costs a call into Node for each connection over TLS. */
const UNSENT_LOOK_MS = 1_000;

export interface ConnectTarget {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
  readonly localAddress: string | null;
}

export interface SecureOptions {
  readonly terms: TlsTerms;
  onSecure(transport: Transport, facts: TlsFacts): void;
  /** Nothing is left of the connection. `code`: OpenSSL's, or the system's. */
  onFailed(fault: TlsFault, code: string): void;
}

export class Carrier {
  /** Null means the stream API. */
  private io: HandleIo | null;
  /** False: TLS goes over the stream API. */
  private takesTls = true;

  constructor(mode: 'auto' | 'stream') {
    const base = mode === 'auto' ? findStreamBase() : null;
    this.io = base === null ? null : new HandleIo(base);
  }

  /** Try handles out on this Node; where they carry no bytes, keep to the stream API. Before anything is carried. */
  async probe(): Promise<void> {
    if (this.io !== null && !(await carriesBytes(this))) this.io = null;
    if (this.io !== null) this.takesTls = await carriesTls(this);
  }

  /**
   * A peer may have TLS answer it without end (RFC 8446 4.6.3) and read nothing of that. Node tells nobody, so it is
   * looked for, from now on. After the probe.
   */
  watch(wheel: TimerWheel, now: number): void {
    const { io } = this;
    if (io === null) return;
    const alarm = new Alarm((at) => {
      for (const one of io.secured) one.endIfUnsent();
      wheel.schedule(alarm, at + UNSENT_LOOK_MS);
    });
    wheel.schedule(alarm, now + UNSENT_LOOK_MS);
  }

  get kind(): 'handle' | 'stream' {
    return this.io === null ? 'stream' : 'handle';
  }

  /** A transport over `socket`, which is connected, paused, and has emitted no data. */
  carry(socket: Socket): Transport {
    const handle = this.io === null ? null : takeHandle(socket);
    if (this.io !== null && handle !== null) {
      return new HandleTransport(this.io, handle, { address: '', port: 0 });
    }
    const transport = new StreamTransport(socket);
    socket.resume();
    return transport;
  }

  /**
   * A transport over `socket`, whose TLS handshake is done, and which has emitted no data. `onSession`, which listens
   * to it, hears of the sessions that come from here on.
   */
  carrySecure(socket: TLSSocket, onSession: ((session: Buffer) => void) | null = null): Transport {
    const { remoteAddress, remotePort } = socket;
    const handle = this.io === null || !this.takesTls ? null : takeSecureHandle(socket);
    if (this.io !== null && handle !== null) {
      const peer = { address: plainAddress(remoteAddress ?? ''), port: remotePort ?? 0 };
      return new TlsTransport(this.io, handle, peer, onSession);
    }
    // A server's TLSSocket that no tls.Server made keeps silent about errors after its handshake otherwise.
    socket.on('_tlsError', (error: Error) => socket.destroy(error));
    const transport = new StreamTransport(socket);
    socket.resume();
    return transport;
  }

  /**
   * TLS with the client of `transport`, which has read its ClientHello: these bytes, and what stood behind them in the
   * same read. `transport` is over; another one takes its place, or neither function is called when it is given up.
   */
  acceptSecure(transport: Transport, read: Buffer, options: SecureOptions): () => void {
    const { terms, onSecure, onFailed } = options;
    const { io } = this;
    if (io !== null && this.takesTls && terms.clientAuth === 'none' && transport instanceof HandleTransport)
      return acceptOnHandle(io, transport, read, options);
    const socket = socketOf(transport);
    socket.unshift(read);
    const done = (secure: TLSSocket, facts: TlsFacts) => onSecure(this.carrySecure(secure), facts);
    try {
      return secureAccept({ socket, terms, onSecure: done, onFailed });
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /**
   * Connect over plain TCP; one of the two functions is called, later. The function it returns gives up: neither is
   * called then, and nothing is left.
   */
  connect(to: ConnectTarget, done: (transport: Transport) => void, fail: (error: Error) => void): () => void {
    return this.io === null ? this.connectSocket(to, done, fail) : connectHandle(this.io, to, done, fail);
  }

  private connectSocket(
    to: ConnectTarget,
    done: (transport: Transport) => void,
    fail: (error: Error) => void,
  ): () => void {
    const { address, port, localAddress } = to;
    // With autoSelectFamily Node gives each address 250 ms, whatever our own share says.
    const options = { host: address, port, allowHalfOpen: true, autoSelectFamily: false };
    const socket = connect(localAddress === null ? options : { ...options, localAddress });
    socket.pause();
    // The error listener stays: what fails on the way down must not end the process.
    socket.on('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
      done(this.carry(socket));
    });
    return () => socket.destroy();
  }

  /** Hand every client that `server` accepts to `onConnection`. `server` listens, and pauses on connect. */
  serve(server: Server, onConnection: (transport: Transport) => void): void {
    const serverHandle = this.io === null ? null : serverHandleOf(server);
    if (this.io === null || serverHandle === null) {
      server.on('connection', (socket: Socket) => {
        const transport = new StreamTransport(socket);
        onConnection(transport);
        socket.resume();
      });
      return;
    }
    const { io } = this;
    acceptHandles(serverHandle, (client) => onConnection(new HandleTransport(io, client, peerOf(client))));
  }

  /** The same for clients that another process is to carry. */
  serveRaw(server: Server, onClient: (client: RawClient) => void): void {
    const serverHandle = this.io === null ? null : serverHandleOf(server);
    if (serverHandle !== null) {
      acceptHandles(serverHandle, (handle) => onClient(rawOfHandle(handle)));
      return;
    }
    server.on('connection', (socket: Socket) => onClient(rawOfSocket(socket)));
  }

  /** A way for clients over the socket to a child process; null: they go over Node's channel. */
  laneOver(socket: Socket): LaneSender | null {
    return this.io === null ? null : LaneSender.over(this.io.base, socket);
  }

  /** The other end of one. False: there is none that can be read. */
  receiveFrom(fd: number, take: (note: string, handle: unknown) => void): boolean {
    return this.io !== null && receiveHandles(this.io.base, fd, take);
  }

  /** A transport over what another process has accepted; null where that is gone. */
  carryRaw(handle: unknown): Transport | null {
    if (handle instanceof Socket) {
      handle.allowHalfOpen = true;
      const transport = new StreamTransport(handle);
      handle.resume();
      return transport;
    }
    if (!isStreamHandle(handle)) return null;
    if (this.io !== null) return new HandleTransport(this.io, handle, peerOf(handle));
    const options = { handle, allowHalfOpen: true };
    return this.carryRaw(new Socket(options as SocketConstructorOpts)); // every Node takes a handle
  }
}

function acceptOnHandle(io: HandleIo, below: HandleTransport, read: Buffer, options: SecureOptions): () => void {
  const { terms, onSecure, onFailed } = options;
  const peer = { address: below.remoteAddress, port: below.remotePort };
  const handle = below.release();
  try {
    return handleAccept({
      base: io.base,
      handle,
      read,
      terms,
      onSecure: (secure, facts) => onSecure(new TlsTransport(io, secure, peer, null), facts),
      onFailed,
    });
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** What was taken down to its handle gets a socket again: TLS of Node is made of sockets. */
function socketOf(transport: Transport): Socket {
  if (transport instanceof StreamTransport) return transport.release();
  if (!(transport instanceof HandleTransport)) throw new Error('only what a listener accepted can speak TLS');
  const handle: unknown = transport.release();
  // Every Node takes a handle; its types do not say so.
  return new Socket({ handle, allowHalfOpen: true } as SocketConstructorOpts);
}

/** Straight on a handle: most of what a net.Socket costs is spent before it is connected. */
function connectHandle(
  io: HandleIo,
  to: ConnectTarget,
  done: (transport: Transport) => void,
  fail: (error: Error) => void,
): () => void {
  const { address, port, localAddress } = to;
  const handle = io.base.newTcp();
  const request = new io.base.TCPConnectWrap();
  let given = false;
  const giveUp = (): void => {
    if (given) return;
    given = true;
    handle.close();
  };
  const onResult = (status: number): void => {
    if (given) return;
    if (status !== 0) {
      giveUp();
      fail(systemError(status));
      return;
    }
    given = true;
    handle.setNoDelay?.(true);
    handle.setKeepAlive?.(true, KEEP_ALIVE_AFTER_MS / 1000);
    done(new HandleTransport(io, handle, { address, port }));
  };
  request.oncomplete = onResult;
  const isV6 = familyOf(address) === 6;
  let error = 0;
  if (localAddress !== null) error = (isV6 ? handle.bind6?.(localAddress, 0, 0) : handle.bind?.(localAddress, 0)) ?? 0;
  if (error === 0)
    error = (isV6 ? handle.connect6?.(request, address, port) : handle.connect?.(request, address, port)) ?? 0;
  // What fails at once is told later too, as everything else is.
  if (error !== 0) queueMicrotask(() => onResult(error));
  return giveUp;
}

function systemError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(code), { code });
}

function acceptHandles(server: ServerHandle, take: (client: StreamHandle) => void): void {
  server.onconnection = (status, client) => {
    // An accept that failed is the kernel's affair of one client.
    if (status !== 0) return;
    client.setNoDelay?.(true);
    client.setKeepAlive?.(true, KEEP_ALIVE_AFTER_MS / 1000);
    take(client);
  };
}

function rawOfHandle(handle: StreamHandle): RawClient {
  const close = (): void => handle.close();
  return { handle, remoteAddress: peerOf(handle).address, handedOver: close, close };
}

/** Node's channel closes what it has sent. */
function rawOfSocket(socket: Socket): RawClient {
  const remoteAddress = plainAddress(socket.remoteAddress ?? '');
  return { handle: socket, remoteAddress, handedOver: () => {}, close: () => socket.destroy() };
}

function peerOf(handle: StreamHandle): { address: string; port: number } {
  const out: { address?: string; port?: number } = {};
  handle.getpeername?.(out);
  return { address: plainAddress(out.address ?? ''), port: out.port ?? 0 };
}
