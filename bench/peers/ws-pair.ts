// A peer of the load bench: two `ws` sockets back to back, each message received whole and sent again. The usual way to
// build a proxy in Node that sees messages.
// node ws-pair.js PORT BACKEND_PORT FLOOD_BACKEND_PORT

import { type RawData, WebSocket, WebSocketServer } from 'ws';

const HOST = '127.0.0.1';
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const [port = 0, backendPort = 0, floodPort = 0] = process.argv.slice(2).map(Number);
const options = { perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX };

const server = new WebSocketServer({ host: HOST, port, backlog: 4096, ...options });
server.on('connection', (client, request) => {
  const path = request.url ?? '/';
  const backend = new WebSocket(`ws://${HOST}:${path.startsWith('/flood') ? floodPort : backendPort}${path}`, options);
  // What comes before the backend is there; its bound is the client's first burst, which is all a bench sends.
  let early: [RawData, boolean][] | null = [];
  client.on('message', (message, isBinary) => {
    if (early === null) backend.send(message, { binary: isBinary });
    else early.push([message, isBinary]);
  });
  backend.on('open', () => {
    for (const [message, isBinary] of early ?? []) backend.send(message, { binary: isBinary });
    early = null;
  });
  backend.on('message', (message, isBinary) => client.send(message, { binary: isBinary }));
  client.on('error', () => backend.terminate());
  backend.on('error', () => client.terminate());
  client.on('close', () => backend.close());
  backend.on('close', () => client.close());
});
