// A peer of the load bench: http-proxy-3, the maintained heir of http-proxy.
// node http-proxy-3.js PORT BACKEND_PORT FLOOD_BACKEND_PORT

import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const HOST = '127.0.0.1';
const [port = 0, backendPort = 0, floodPort = 0] = process.argv.slice(2).map(Number);

/** As much of the package as is used here; it is there only after `npm --prefix bench ci`. */
interface Library {
  createProxyServer(options: object): {
    ws(request: IncomingMessage, socket: Duplex, head: Buffer, options: object): void;
    on(event: 'error', listener: () => void): void;
  };
}

// A name that the compiler does not follow: it must not miss what is not installed.
const LIBRARY: string = 'http-proxy-3';
// The shape is the library's documented one; what is missing shows when it is called.
const { createProxyServer } = (await import(LIBRARY)) as Library;

const proxy = createProxyServer({ ws: true });
proxy.on('error', () => {});
const server = createServer((_request, response) => response.writeHead(404).end());
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy());
  const target = `ws://${HOST}:${(request.url ?? '').startsWith('/flood') ? floodPort : backendPort}`;
  proxy.ws(request, socket, head, { target });
});
server.listen({ host: HOST, port, backlog: 4096 });
