// `ws` on both sides of a proxy: a backend that hands out its sessions, a client, and an inbox for what either
// receives. Everything is closed when the test ends.

import type { IncomingMessage } from 'node:http';
import * as http from 'node:http';
import { type ClientOptions, type RawData, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { defaultDeadlineMs } from '../support/raw-peer.ts';

export type Received =
  | { readonly kind: 'text' | 'binary' | 'ping' | 'pong'; readonly data: Buffer }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string };

/** Keeps what a WebSocket receives, from the tick it was born, and hands it out in order. */
export class Inbox {
  readonly socket: WebSocket;
  readonly all: Received[] = [];
  private taken = 0;
  private readonly waiting = new Set<() => void>();

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => this.add({ kind: isBinary ? 'binary' : 'text', data: bufferOf(data) }));
    socket.on('ping', (data) => this.add({ kind: 'ping', data }));
    socket.on('pong', (data) => this.add({ kind: 'pong', data }));
    socket.on('close', (code, reason) => this.add({ kind: 'close', code, reason: reason.toString() }));
    // What a test waits for says enough; an error is always followed by a close.
    socket.on('error', () => {});
  }

  /** The next thing received, past or to come. */
  next(): Promise<Received> {
    return this.until('something', () => {
      const next = this.all[this.taken];
      if (next !== undefined) this.taken += 1;
      return next ?? null;
    });
  }

  async take(count: number): Promise<Received[]> {
    const received: Received[] = [];
    while (received.length < count) received.push(await this.next());
    return received;
  }

  /** The end of the connection, whatever comes before it. */
  closed(): Promise<{ code: number; reason: string }> {
    return this.until('the end', () => {
      const last = this.all.at(-1);
      return last?.kind === 'close' ? { code: last.code, reason: last.reason } : null;
    });
  }

  private add(received: Received): void {
    this.all.push(received);
    for (const attempt of [...this.waiting]) attempt();
  }

  private until<T>(what: string, attempt: () => T | null): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(retry);
        reject(new Error(`no ${what}; ${this.all.length} came, the last: ${JSON.stringify(this.all.at(-1))}`));
      }, 2 * defaultDeadlineMs);
      const retry = () => {
        const value = attempt();
        if (value === null) return;
        clearTimeout(timer);
        this.waiting.delete(retry);
        resolve(value);
      };
      this.waiting.add(retry);
      retry();
    });
  }
}

export interface BackendSession {
  readonly inbox: Inbox;
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
}

export class WsBackend {
  readonly url: string;
  readonly sessions: BackendSession[] = [];
  private handedOut = 0;
  private readonly waiting = new Set<() => void>();

  private constructor(server: WebSocketServer, url: string) {
    this.url = url;
    server.on('connection', (socket, request) => {
      this.sessions.push({ inbox: new Inbox(socket), socket, request });
      for (const attempt of [...this.waiting]) attempt();
    });
  }

  /** Listens on a free port, or on the unix socket `path`. */
  static async listen(options: ServerOptions = {}, path?: string): Promise<WsBackend> {
    const server = http.createServer();
    const sockets = new WebSocketServer({ ...options, server });
    await new Promise<void>((resolve) => {
      if (path === undefined) server.listen(0, '127.0.0.1', resolve);
      else server.listen(path, resolve);
    });
    atTestEnd(async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    const address = server.address();
    const url = address === null || typeof address === 'string' ? `ws+unix:${path}` : `ws://127.0.0.1:${address.port}`;
    return new WsBackend(sockets, url);
  }

  /** The next session that was not handed out yet. */
  next(): Promise<BackendSession> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(attempt);
        reject(new Error(`no session at the backend; ${this.sessions.length} came before`));
      }, defaultDeadlineMs);
      const attempt = () => {
        const next = this.sessions[this.handedOut];
        if (next === undefined) return;
        this.handedOut += 1;
        clearTimeout(timer);
        this.waiting.delete(attempt);
        resolve(next);
      };
      this.waiting.add(attempt);
      attempt();
    });
  }
}

/** An open client. Rejects with what `ws` says when there is no 101. */
export async function connectWs(
  where: number | string,
  options: ClientOptions & { readonly protocols?: readonly string[]; readonly path?: string } = {},
): Promise<Inbox> {
  const { protocols = [], path = '/', ...rest } = options;
  const base = typeof where === 'number' ? `ws://127.0.0.1:${where}${path}` : `ws+unix:${where}:${path}`;
  const socket = new WebSocket(base, [...protocols], rest);
  atTestEnd(() => socket.terminate());
  const inbox = new Inbox(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return inbox;
}

export interface WsPair {
  readonly running: RunningProxy;
  readonly backend: WsBackend;
  readonly client: Inbox;
  readonly server: BackendSession;
}

export interface WsPairOptions {
  readonly route?: Partial<ConfigInput['routes'][number]>;
  readonly config?: Partial<ConfigInput>;
  readonly client?: Parameters<typeof connectWs>[1];
  readonly server?: ServerOptions;
}

/** A backend, a proxy with one route to it, and one session. */
export async function openWsPair(options: WsPairOptions = {}): Promise<WsPair> {
  const backend = await WsBackend.listen(options.server);
  const running = await startProxy(oneRoute(backend.url, options.route, options.config));
  const client = await connectWs(running.port, options.client);
  return { running, backend, client, server: await backend.next() };
}

function bufferOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
