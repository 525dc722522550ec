// A service that decides about credentials, in a test's hands: what it was asked, and what it says.

import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { atTestEnd } from './cleanup.ts';

export interface AskedOfService {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn. */
  readonly raw: readonly string[];
  readonly body: string;
}

interface ListenOptions {
  readonly port?: number;
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string } | null;
  /** It leaves no connection open for another question. */
  readonly closes?: boolean;
}

interface Says {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** Null: no answer, for as long as the test runs. A function gets the connection to say anything on. */
type Said = Says | null | ((socket: Socket) => void);
export type Answer = (asked: AskedOfService) => Said | Promise<Said>;

export class AuthServer {
  readonly asked: AskedOfService[] = [];
  readonly url: string;
  readonly port: number;
  answer: Answer;
  /** That there have been. */
  connections = 0;
  private readonly server: Server | TlsServer;
  private readonly closes: boolean;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server | TlsServer, answer: Answer, closes: boolean) {
    this.server = server;
    this.answer = answer;
    this.closes = closes;
    this.port = (server.address() as AddressInfo).port;
    this.url = `${server instanceof TlsServer ? 'https' : 'http'}://127.0.0.1:${this.port}/ask`;
    // It leaves them open for as long as it takes: whoever asks is to let go.
    server.keepAliveTimeout = 0;
    server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('request', this.take);
  }

  static async listen(
    answer: Answer,
    { port = 0, tls = null, closes = false }: ListenOptions = {},
  ): Promise<AuthServer> {
    const server = tls === null ? createServer() : createTlsServer(tls);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const service = new AuthServer(server, answer, closes);
    atTestEnd(() => service.close());
    return service;
  }

  /** It has heard so many questions. */
  async wasAsked(times: number): Promise<void> {
    while (this.asked.length < times) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Whoever has asked has read its answer, and is gone: where nobody keeps the connection. */
  async isLeft(): Promise<void> {
    while (this.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** All connections are over, those that wait for a question, too. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.hangUp();
    if (this.server.listening) await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private readonly take: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const { method = '', url = '', headers, rawHeaders: raw } = request;
      const asked = { method, url, headers, raw, body: Buffer.concat(chunks).toString() };
      this.asked.push(asked);
      const says = await this.answer(asked);
      if (says === null) return;
      if (typeof says === 'function') {
        if (response.socket !== null) says(response.socket);
        return;
      }
      if (this.closes) response.shouldKeepAlive = false;
      response.writeHead(says.status ?? 200, says.headers);
      response.end(says.body ?? '');
    });
  };
}

/** Goes on until it has said `bytes`, or nobody listens any more; `told` is called with what it has said so far. */
export function endless(bytes: number, told: (said: number) => void): (socket: Socket) => void {
  const chunk = Buffer.alloc(65_536, ' ');
  return (socket) => {
    let said = 0;
    socket.on('error', () => {});
    const goOn = (): void => {
      while (said < bytes && socket.writable) {
        said += chunk.length;
        told(said);
        if (!socket.write(chunk)) {
          socket.once('drain', goOn);
          return;
        }
      }
    };
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n');
    goOn();
  };
}

/** RFC 7662 2.2. */
export function claims(own: Readonly<Record<string, unknown>>): Says {
  return { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(own) };
}
