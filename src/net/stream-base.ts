// The internals of Node's sockets that the fast transport needs, fetched once and proven to work before anyone relies
// on them. The one place that knows their names. Without them everything still runs, over the stream API.

import type { Server, Socket } from 'node:net';
import process from 'node:process';
import type { SecureContext, TLSSocket } from 'node:tls';

/** A request object of Node's stream layer. */
export interface StreamRequest {
  oncomplete: ((status: number) => void) | null;
}

interface ConnectRequest {
  oncomplete: ((status: number) => void) | null;
}

/** What a libuv stream (TCP or pipe) looks like from JavaScript. */
export interface StreamHandle {
  onread: (this: StreamHandle) => void;
  /** Bytes that libuv has queued and the kernel has not taken. */
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: StreamRequest, bytes: Uint8Array): number;
  shutdown(request: StreamRequest): number;
  close(done?: () => void): void;
  /** Of TCP: closes with RST. Not while a shutdown is under way. */
  reset?(): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
  bind?(address: string, port: number): number;
  bind6?(address: string, port: number, flags: number): number;
  connect?(request: ConnectRequest, address: string, port: number): number;
  connect6?(request: ConnectRequest, address: string, port: number): number;
  getpeername?(out: { address?: string; port?: number }): number;
  getsockname?(out: { address?: string; port?: number }): number;
}

/** A pipe that takes handles along. */
export interface HandlePipe extends StreamHandle {
  /** That came with what was read last. */
  pendingHandle?: unknown;
  open(fd: number): number;
  unref(): void;
  writeLatin1String(request: StreamRequest, text: string, handle: StreamHandle): number;
}

export interface StreamBase {
  readonly WriteWrap: new () => StreamRequest;
  readonly ShutdownWrap: new () => StreamRequest;
  /** A TCP handle that is not connected yet, and the request that connects it. */
  readonly newTcp: () => StreamHandle;
  readonly TCPConnectWrap: new () => ConnectRequest;
  /** Not open yet. */
  readonly newHandlePipe: () => HandlePipe;
  /** TLS as a server over a connected handle, which nobody reads; nothing is read or sent yet. */
  readonly wrapTls: (handle: StreamHandle, context: SecureContext) => SecureHandle;
  /** Results of the last call into a stream, by the indexes below. */
  readonly state: Int32Array;
  readonly readIndex: number;
  readonly asyncIndex: number;
}

/** A listening handle: `onconnection` gets every accepted client. */
export interface ServerHandle {
  /** Its descriptor; below 0 once it is closed. */
  readonly fd?: number;
  onconnection: (status: number, client: StreamHandle) => void;
}

export function isStreamHandle(value: unknown): value is StreamHandle {
  return hasFunctions(value, STREAM_METHODS) && 'writeQueueSize' in value;
}

const STREAM_METHODS = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'shutdown', 'close'] as const;

/** The handle of a server that listens, if it is of the form we know. */
export function serverHandleOf(server: Server): ServerHandle | null {
  const handle: unknown = Reflect.get(server, '_handle');
  if (typeof handle !== 'object' || handle === null) return null;
  return typeof Reflect.get(handle, 'onconnection') === 'function' ? (handle as ServerHandle) : null; // just looked at
}

/** The TLS layer over a TCP stream. What it does not find to call throws, and ends the process. */
export interface SecureHandle extends StreamHandle {
  /** The TCP stream below, and the socket that it came from, if any. */
  readonly _parent: StreamHandle;
  _parentWrap: unknown;
  onerror: (this: SecureHandle, error: Error) => void;
  onnewsession: (id: Buffer, session: Buffer) => void;
  onhandshakestart: () => void;
  onhandshakedone: () => void;
  /** With --tls-keylog also for every change of keys later. */
  onkeylog: () => void;
  destroySSL(): void;
  /** What came before TLS was begun. */
  receive(bytes: Buffer): void;
  /** Names in the form of RFC 7301 3.1. */
  setALPNProtocols(names: Buffer): void;
  getProtocol(): string;
  isSessionReused(): boolean;
}

const SECURE_METHODS = ['destroySSL', 'receive', 'setALPNProtocols', 'getProtocol', 'isSessionReused'] as const;

function isSecureHandle(value: unknown): value is SecureHandle {
  return isStreamHandle(value) && hasFunctions(value, SECURE_METHODS) && isStreamHandle(Reflect.get(value, '_parent'));
}

/**
 * The handle of a TLS socket whose handshake is done, and which has read nothing since; the socket is left empty and
 * never heard of again, as the one below it.
 */
export function takeSecureHandle(socket: TLSSocket): SecureHandle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (!isSecureHandle(handle) || socket.readableLength + socket.writableLength > 0) return null;
  const below = handle._parentWrap;
  for (const one of [handle, handle._parent]) disown(one);
  // What would call the socket, and so keep it.
  handle.onhandshakestart = nothing;
  handle.onhandshakedone = nothing;
  handle.onnewsession = nothing;
  handle.onkeylog = nothing;
  handle._parentWrap = null;
  if (typeof below === 'object' && below !== null) Reflect.set(below, '_handle', null);
  Reflect.set(socket, '_handle', null);
  Reflect.set(socket, 'ssl', null);
  return handle;
}

function nothing(): void {}

/** Without this the handle would keep its socket alive as long as the session lives. */
function disown(handle: StreamHandle): void {
  for (const symbol of Object.getOwnPropertySymbols(handle)) {
    if (symbol.description === 'owner_symbol') Reflect.set(handle, symbol, null);
  }
}

/** The handle of a connected socket that has read nothing; the socket is left empty and never heard of again. */
export function takeHandle(socket: Socket): StreamHandle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (!isStreamHandle(handle)) return null;
  disown(handle);
  Reflect.set(socket, '_handle', null);
  return handle;
}

/** The internals, or null when this Node does not have them in the form we know. */
export function findStreamBase(): StreamBase | null {
  try {
    const stream = binding('stream_wrap');
    const tcp = binding('tcp_wrap');
    const tls = binding('tls_wrap');
    const pipe = binding('pipe_wrap');
    if (!isStreamWrap(stream) || !isTcpWrap(tcp) || !isTlsWrap(tls) || !isPipeWrap(pipe)) return null;
    const newTcp = () => new tcp.TCP(tcp.constants.SOCKET) as StreamHandle; // one is looked at here, the rest are alike
    const first: unknown = newTcp();
    if (!isStreamHandle(first)) return null;
    first.close();
    const newHandlePipe = () => new pipe.Pipe(pipe.constants.IPC) as HandlePipe; // as above
    const firstPipe: unknown = newHandlePipe();
    if (!isStreamHandle(firstPipe)) return null;
    firstPipe.close();
    if (!hasFunctions(firstPipe, ['open', 'unref', 'writeLatin1String'])) return null;
    return {
      WriteWrap: stream.WriteWrap,
      ShutdownWrap: stream.ShutdownWrap,
      newTcp,
      TCPConnectWrap: tcp.TCPConnectWrap,
      newHandlePipe,
      wrapTls: (handle, context) => wrapTls(tls, handle, context),
      state: stream.streamBaseState,
      readIndex: stream.kReadBytesOrError,
      asyncIndex: stream.kLastWriteWasAsync,
    };
  } catch {
    return null;
  }
}

function wrapTls(tls: TlsWrapBinding, handle: StreamHandle, { context }: SecureContext): SecureHandle {
  const secure = tls.wrap(handle, context, true, false);
  // As Node's own TLSSocket leaves it; what closes it asks for that.
  Reflect.set(secure, '_parent', handle);
  if (!isSecureHandle(secure)) throw new Error('TLS over a handle is not of the form that the probe saw');
  return secure;
}

interface SecureCallbacks {
  readonly onDone: () => void;
  readonly onError: (error: Error) => void;
}

/** All that Node may call in a handshake: what it does not find ends the process. */
export function setSecureCallbacks(secure: SecureHandle, { onDone, onError }: SecureCallbacks): void {
  secure.onhandshakestart = nothing;
  secure.onhandshakedone = onDone;
  secure.onerror = onError;
  secure.onnewsession = nothing;
  secure.onkeylog = nothing;
}

/** Not public, but on the list of what process.binding() may give, on Node 20 and on 24. */
function binding(name: string): unknown {
  return Reflect.apply(Reflect.get(process, 'binding'), process, [name]);
}

interface StreamWrapBinding {
  readonly WriteWrap: new () => StreamRequest;
  readonly ShutdownWrap: new () => StreamRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

interface TcpWrapBinding {
  readonly TCP: new (type: number) => unknown;
  readonly TCPConnectWrap: new () => ConnectRequest;
  readonly constants: { readonly SOCKET: number };
}

interface PipeWrapBinding {
  readonly Pipe: new (type: number) => unknown;
  readonly constants: { readonly IPC: number };
}

function isPipeWrap(value: unknown): value is PipeWrapBinding {
  if (!hasFunctions(value, ['Pipe'])) return false;
  const constants: unknown = Reflect.get(value, 'constants');
  return typeof constants === 'object' && constants !== null && typeof Reflect.get(constants, 'IPC') === 'number';
}

interface TlsWrapBinding {
  readonly wrap: (handle: StreamHandle, context: unknown, isServer: boolean, hasActiveWrite: boolean) => object;
}

function isTlsWrap(value: unknown): value is TlsWrapBinding {
  return hasFunctions(value, ['wrap']);
}

function isStreamWrap(value: unknown): value is StreamWrapBinding {
  return (
    hasFunctions(value, ['WriteWrap', 'ShutdownWrap']) &&
    Reflect.get(value, 'streamBaseState') instanceof Int32Array &&
    typeof Reflect.get(value, 'kReadBytesOrError') === 'number' &&
    typeof Reflect.get(value, 'kLastWriteWasAsync') === 'number'
  );
}

function isTcpWrap(value: unknown): value is TcpWrapBinding {
  if (!hasFunctions(value, ['TCP', 'TCPConnectWrap'])) return false;
  const constants: unknown = Reflect.get(value, 'constants');
  return typeof constants === 'object' && constants !== null && typeof Reflect.get(constants, 'SOCKET') === 'number';
}

function hasFunctions(value: unknown, names: readonly string[]): value is object {
  return (
    typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}
