// A backend that a test scripts byte by byte: it accepts connections, keeps what came, and answers only when told to.

import * as net from 'node:net';
import * as tls from 'node:tls';
import { atTestEnd } from './cleanup.ts';
import { defaultDeadlineMs, RawPeer } from './raw-peer.ts';
import { acceptFor, type FrameSpec, frame, type Head, headerPairs, parseHead } from './wire.ts';

export interface BackendOptions {
  /** A unix socket instead of a free port of the loopback interface. */
  path?: string;
  /** Present: TLS with these options. */
  tls?: tls.TlsOptions;
  deadlineMs?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Do not read until told to: `connection.resume()`. */
  paused?: boolean;
}

export class BackendConnection extends RawPeer {
  private headText: Promise<string> | null = null;

  /** The raw head of the request; taken from the bytes once, the same text every time. */
  head(): Promise<string> {
    this.headText ??= this.readHead().then((head) => head.raw);
    return this.headText;
  }

  async request(): Promise<Head> {
    return parseHead(await this.head());
  }

  /** Reads the request and answers it with a valid 101; `glued` goes out in the same write. */
  async accept(
    extraHeaders: Readonly<Record<string, string>> | readonly (readonly [string, string])[] = [],
    glued: Buffer = Buffer.alloc(0),
  ): Promise<Head> {
    const request = await this.request();
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptFor(request.field('sec-websocket-key') ?? '')}`,
      ...headerPairs(extraHeaders).map(([name, value]) => `${name}: ${value}`),
    ];
    this.send(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), glued]));
    return request;
  }

  /** Sends a frame, unmasked as a server must unless `mask` says otherwise. */
  sendFrame(spec: FrameSpec): void {
    this.send(frame(spec));
  }
}

export class RawBackend {
  /** Every connection so far, in order of arrival. */
  readonly all: BackendConnection[] = [];
  readonly server: net.Server;
  /** 0 on a unix socket. */
  readonly port: number;
  /** As a target's `url`. */
  readonly url: string;
  private readonly deadlineMs: number;
  private handedOut = 0;
  private readonly waiting = new Set<() => void>();
  /** Every TCP connection, those whose TLS handshake was never completed too. */
  private readonly sockets: ReadonlySet<net.Socket>;

  private constructor(server: net.Server, sockets: ReadonlySet<net.Socket>, options: BackendOptions) {
    this.server = server;
    this.sockets = sockets;
    this.deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    const scheme = options.tls === undefined ? 'ws' : 'wss';
    const host = options.host ?? '127.0.0.1';
    this.url =
      options.path === undefined
        ? `${scheme}://${host.includes(':') ? `[${host}]` : host}:${this.port}`
        : `ws+unix:${options.path}`;
  }

  /** Listens; closed, with all its connections, when the test ends. */
  static async listen(options: BackendOptions = {}): Promise<RawBackend> {
    const shared = { allowHalfOpen: true, noDelay: true, pauseOnConnect: false };
    const server =
      options.tls === undefined ? net.createServer(shared) : tls.createServer({ ...shared, ...options.tls });
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    const early: net.Socket[] = [];
    const sink = { take: (socket: net.Socket): unknown => early.push(socket) };
    server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: net.Socket) => sink.take(socket));
    // A handshake that fails (an untrusted certificate) is the test's subject, seen from the other side.
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (options.path === undefined) server.listen(0, options.host ?? '127.0.0.1', resolve);
      else server.listen(options.path, resolve);
    });
    const backend = new RawBackend(server, sockets, options);
    sink.take = (socket) => backend.admit(socket, options.paused ?? false);
    for (const socket of early) sink.take(socket);
    atTestEnd(() => backend.close());
    return backend;
  }

  /** How many connections were accepted; with TLS, those whose handshake was completed. */
  get connections(): number {
    return this.all.length;
  }

  /** The next connection that was not handed out yet. */
  nextConnection(): Promise<BackendConnection> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        const next = this.all[this.handedOut];
        if (next === undefined) return;
        this.handedOut += 1;
        this.waiting.delete(attempt);
        clearTimeout(timer);
        resolve(next);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(attempt);
        reject(new Error(`no connection within ${this.deadlineMs} ms; ${this.all.length} came before`));
      }, this.deadlineMs);
      this.waiting.add(attempt);
      attempt();
    });
  }

  /** The next connection, its request answered with a 101. */
  async nextSession(
    extraHeaders: Readonly<Record<string, string>> | readonly (readonly [string, string])[] = [],
  ): Promise<BackendConnection> {
    const connection = await this.nextConnection();
    await connection.accept(extraHeaders);
    return connection;
  }

  /** Stop listening, leave connections alone: further dials are refused. */
  stopListening(): void {
    this.server.close();
  }

  async close(): Promise<void> {
    for (const connection of this.all) connection.destroy();
    for (const socket of this.sockets) socket.destroy();
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private admit(socket: net.Socket, paused: boolean): void {
    const connection = new BackendConnection(socket, this.deadlineMs);
    if (paused) connection.pause();
    this.all.push(connection);
    for (const attempt of this.waiting) attempt();
  }
}
