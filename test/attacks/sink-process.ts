// A backend in a process of its own: `/echo` sends small messages back, each of which has to come in one read; on all
// other paths what comes is dropped without a look.

import { once } from 'node:events';
import * as net from 'node:net';
import { answerMessages } from '../../bench/support/child-process.ts';
import { acceptFor, frame, parseHead, splitFrames } from '../support/wire.ts';

export interface SinkReply {
  readonly port: number;
}

answerMessages<'listen', SinkReply>(async () => {
  const server = net.createServer(serve);
  server.listen({ port: 0, host: '127.0.0.1', backlog: 512 });
  await once(server, 'listening');
  const address = server.address();
  return { port: address === null || typeof address === 'string' ? 0 : address.port };
});

function serve(socket: net.Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.once('data', (chunk: Buffer) => {
    // The proxies send the request in one write.
    const head = parseHead(chunk.toString('latin1', 0, chunk.indexOf('\r\n\r\n') + 4));
    const isEcho = head.line.startsWith('GET /echo');
    socket.on('data', (bytes: Buffer) => {
      if (!isEcho) return;
      for (const { opcode, payload } of splitFrames(bytes).frames) socket.write(frame({ opcode, payload }));
    });
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${acceptFor(head.field('sec-websocket-key') ?? '')}\r\n\r\n`,
    );
  });
}
