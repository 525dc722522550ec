// The generator's sockets: one static read buffer for all of them, writes straight into the handle. On a Node whose
// handles look otherwise it uses the stream API, which costs more and measures the same.

import { connect, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import {
  findStreamBase,
  type StreamBase,
  type StreamHandle,
  type StreamRequest,
  takeHandle,
} from '../../src/net/stream-base.ts';
import { clientContext, type TlsPlan } from './tls.ts';
import { connectTls, type SecureWire, type Ticket } from './tls-wire.ts';
import type { Wire, WireReader, WireTarget } from './wire-form.ts';

const READ_BYTES = 65_536;
const CONNECT_MS = 10_000;
const UV_EOF = -4095;

export class WireMaker {
  /** Null means the stream API. */
  readonly base: StreamBase | null = findStreamBase();
  readonly buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  private readonly contexts = new Map<string, SecureContext>();

  /** Over TLS; `ticket` is offered, and holds the newest one afterwards. */
  connectTls(plan: TlsPlan, target: WireTarget, reader: WireReader, ticket: Ticket | null = null): Promise<SecureWire> {
    const { base, buffer } = this;
    return connectTls({ base, buffer, secureContext: this.contextFor(plan), plan, ticket }, target, reader);
  }

  private contextFor(plan: TlsPlan): SecureContext {
    const key = `${plan.version} ${plan.certificate}`;
    const context = this.contexts.get(key) ?? clientContext(plan);
    this.contexts.set(key, context);
    return context;
  }

  connect(target: WireTarget, reader: WireReader): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const { base, buffer } = this;
      let isOpen = false;
      const onread = {
        buffer,
        callback: (size: number) => {
          reader.onBytes(buffer, 0, size);
          return true;
        },
      };
      const { host, port, localAddress } = target;
      const socket = connect({
        host,
        port,
        noDelay: true,
        ...(localAddress === null ? {} : { localAddress }),
        ...(base === null ? { onread } : {}),
      });
      if (base !== null) socket.pause();
      const late = setTimeout(() => socket.destroy(new Error('no connection in time')), CONNECT_MS);
      socket.on('error', (error) => {
        clearTimeout(late);
        if (isOpen) reader.onGone(error.message);
        else reject(error);
      });
      socket.on('connect', () => {
        clearTimeout(late);
        isOpen = true;
        const handle = base === null ? null : takeHandle(socket);
        if (base !== null && handle !== null) resolve(new HandleWire(base, buffer, handle, reader));
        else resolve(new StreamWire(socket, reader));
      });
    });
  }
}

/** Keeps the bytes of a write that libuv has queued. */
interface HeldRequest extends StreamRequest {
  bytes: Buffer | null;
}

class HandleWire implements Wire {
  private readonly base: StreamBase;
  private readonly handle: StreamHandle;
  private readonly reader: WireReader;
  private request: HeldRequest;
  private gone = false;

  constructor(base: StreamBase, buffer: Buffer, handle: StreamHandle, reader: WireReader) {
    this.base = base;
    this.handle = handle;
    this.reader = reader;
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
    const { request } = this;
    const error = this.handle.writeBuffer(request, bytes);
    if (error !== 0) {
      this.end(`write error ${error}`);
      return;
    }
    if (this.base.state[this.base.asyncIndex] === 0) return;
    request.bytes = bytes;
    this.request = this.newRequest();
  }

  destroy(): void {
    if (this.gone) return;
    this.gone = true;
    const reset: unknown = Reflect.get(this.handle, 'reset');
    if (typeof reset === 'function') Reflect.apply(reset, this.handle, []);
    else this.handle.close();
  }

  private end(why: string): void {
    if (this.gone) return;
    this.gone = true;
    this.handle.close();
    this.reader.onGone(why);
  }

  private newRequest(): HeldRequest {
    const request: HeldRequest = Object.assign(new this.base.WriteWrap(), { oncomplete: null, bytes: null });
    request.oncomplete = (status) => {
      request.bytes = null;
      if (status < 0) this.end(`write error ${status}`);
    };
    return request;
  }
}

class StreamWire implements Wire {
  private readonly socket: Socket;

  constructor(socket: Socket, reader: WireReader) {
    this.socket = socket;
    let isEnded = false;
    socket.on('end', () => {
      isEnded = true;
      reader.onGone('ended');
    });
    socket.on('close', () => {
      if (!isEnded) reader.onGone('closed');
    });
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  destroy(): void {
    this.socket.removeAllListeners('close');
    this.socket.resetAndDestroy();
  }
}
