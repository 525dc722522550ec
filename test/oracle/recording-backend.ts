// The backend of every subject: keeps each request head it gets, answers a WebSocket handshake with a 101 and anything
// else with an empty 200, and keeps what comes behind a 101. It judges no syntax: a head ends at its empty line.

import * as net from 'node:net';
import { acceptFor } from '../support/wire.ts';

/** Requests for this path are how the oracle knows that a subject has got as far. */
export const SYNC_PATH = '/oracle-sync';

export interface SeenRequest {
  /** Latin1, its empty line included. */
  readonly head: string;
  /** What came behind it that is no further request: frames, or garbage. */
  behind: string;
}

export class RecordingBackend {
  readonly port: number;
  private readonly server: net.Server;
  private readonly sockets: ReadonlySet<net.Socket>;
  private seen: SeenRequest[] = [];

  private constructor(server: net.Server, sockets: ReadonlySet<net.Socket>) {
    this.server = server;
    this.sockets = sockets;
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  static async listen(): Promise<RecordingBackend> {
    const sockets = new Set<net.Socket>();
    const server = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const backend = new RecordingBackend(server, sockets);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {});
      backend.serve(socket);
    });
    return backend;
  }

  /** What came since the last call, requests for SYNC_PATH left out. */
  take(): SeenRequest[] {
    const seen = this.seen.filter(({ head }) => !head.startsWith(`GET ${SYNC_PATH} `));
    this.seen = [];
    return seen;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private serve(socket: net.Socket): void {
    let unread = '';
    let tunnel: SeenRequest | null = null;
    socket.on('data', (chunk: Buffer) => {
      unread += chunk.toString('latin1');
      while (tunnel === null) {
        const end = unread.indexOf('\r\n\r\n');
        if (end === -1) return;
        const request: SeenRequest = { head: unread.slice(0, end + 4), behind: '' };
        unread = unread.slice(end + 4);
        this.seen.push(request);
        if (answer(socket, request.head)) tunnel = request;
        else unread = unread.slice(bodyLength(request.head, unread));
      }
      tunnel.behind += unread;
      unread = '';
    });
  }
}

/** Of a body that came with its head: as far as a proxy forwards one, that is all of it here. */
function bodyLength(head: string, rest: string): number {
  if (/^transfer-encoding:[ \t]*chunked/im.test(head)) return rest.indexOf('0\r\n\r\n') + 5;
  return Number(/^content-length:[ \t]*(\d+)/im.exec(head)?.[1] ?? 0);
}

/** True when it was a handshake, and the connection is a tunnel now. */
function answer(socket: net.Socket, head: string): boolean {
  const key = /^sec-websocket-key:[ \t]*(\S+)/im.exec(head)?.[1];
  const isHandshake = key !== undefined && /^upgrade:.*websocket/im.test(head);
  const accepted = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  if (isHandshake) accepted.push(`Sec-WebSocket-Accept: ${acceptFor(key)}`);
  const other = ['HTTP/1.1 200 OK', 'Content-Length: 0'];
  socket.write(`${(isHandshake ? accepted : other).join('\r\n')}\r\n\r\n`);
  return isHandshake;
}
