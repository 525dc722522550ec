// What the servers of the tests have in common: a free port, and an end with the test.

import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';

export interface Served {
  readonly server: http.Server;
  readonly port: number;
  /** As if its process was gone: nobody listens, and every connection is cut. */
  end(): void;
}

/** An HTTP server on a free port of the loopback interface; it and its connections end with the test. */
export async function httpServer(): Promise<Served> {
  const server = http.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const end = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  atTestEnd(end);
  return { server, port: (server.address() as AddressInfo).port, end };
}

/** A `ws` server; `serve` gets each session that it opens. */
export async function wsServer(
  options: ServerOptions,
  serve: (socket: WebSocket, request: http.IncomingMessage) => void,
): Promise<number> {
  const { server, port } = await httpServer();
  const sockets = new WebSocketServer({ ...options, server });
  sockets.on('connection', (socket, request) => {
    socket.on('error', () => {});
    serve(socket, request);
  });
  return port;
}

/** The whole body. */
export async function textOf(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Text that compresses about as well as JSON does, and no two pieces of it are alike. */
export function jsonText(length: number): string {
  let text = '';
  for (let i = 0; text.length < length; i += 1)
    text += JSON.stringify({ id: i, name: `item ${i * 7919}`, on: i % 3 === 0 });
  return text.slice(0, length);
}
