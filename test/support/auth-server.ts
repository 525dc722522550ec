// A service that decides about credentials, in a test's hands: what it was asked, and what it says.

import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
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

interface Says {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** Null: no answer, for as long as the test runs. */
export type Answer = (asked: AskedOfService) => Says | null | Promise<Says | null>;

export class AuthServer {
  readonly asked: AskedOfService[] = [];
  readonly url: string;
  readonly port: number;
  answer: Answer;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, answer: Answer) {
    this.server = server;
    this.answer = answer;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}/ask`;
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('request', this.take);
  }

  static async listen(answer: Answer, port = 0): Promise<AuthServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const service = new AuthServer(server, answer);
    atTestEnd(() => service.close());
    return service;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
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
      response.writeHead(says.status ?? 200, says.headers);
      response.end(says.body ?? '');
    });
  };
}

/** RFC 7662 2.2. */
export function claims(own: Readonly<Record<string, unknown>>): Says {
  return { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(own) };
}
