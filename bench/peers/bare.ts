// A peer of the memory bench: sockets of Node and nothing else. Answers an upgrade and a short message as the generator
// wants it, keeps nothing of its own for a connection, and has no backend.
// node bare.js PORT [--cert FILE --key FILE]

import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { parseArgs } from 'node:util';

const HOST = '127.0.0.1';
/** The generator's key is always the same. */
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const GET = 0x47;
const MASK = 0x80;
/** Two bytes, and the key. */
const HEADER_BYTES = 6;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cert: { type: 'string' }, key: { type: 'string' } },
});
const { cert, key } = values;
const server =
  cert === undefined || key === undefined
    ? createServer({ noDelay: true }, welcome)
    : createTlsServer({ noDelay: true, cert: readFileSync(cert), key: readFileSync(key) }, welcome);
server.listen({ host: HOST, port: Number(positionals[0]), backlog: 4096 });

function welcome(socket: Socket): void {
  socket.on('error', ignore);
  socket.on('data', answer);
}

function ignore(): void {}

function answer(this: Socket, bytes: Buffer): void {
  if (bytes[0] === GET) this.write(SWITCHED);
  else this.write(unmasked(bytes));
}

/** One frame of up to 125 bytes, whole in its chunk. */
function unmasked(frame: Buffer): Buffer {
  const size = (frame[1] ?? 0) & ~MASK;
  const plain = Buffer.alloc(2 + size);
  plain[0] = frame[0] ?? 0;
  plain[1] = size;
  for (let i = 0; i < size; i++) plain[2 + i] = (frame[HEADER_BYTES + i] ?? 0) ^ (frame[2 + (i & 3)] ?? 0);
  return plain;
}
