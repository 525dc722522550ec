// Echoes with ws, every message compressed; its first line of output is its port.

import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } });
server.on('listening', () => process.stdout.write(`${server.address().port}\n`));
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
});
