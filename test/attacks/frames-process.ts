// A backend in a process of its own that sends frames without end to whoever opens a session: of the payload size that
// the path names, as fast as they are taken.

import { once } from 'node:events';
import * as net from 'node:net';
import { answerMessages } from '../../bench/support/child-process.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { acceptFor, binary } from '../support/wire.ts';

export type FramesRequest = { readonly kind: 'listen' } | { readonly kind: 'tally' };
export type FramesReply = { readonly port: number } | { readonly sessions: number; readonly bytes: number };

const PIECE_BYTES = 65_536;

let sessions = 0;
let bytes = 0;

answerMessages<FramesRequest, FramesReply>(async (request) => {
  if (request.kind === 'tally') return { sessions, bytes };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => serve(new PeerSocket(socket)));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  const address = server.address();
  return { port: address === null || typeof address === 'string' ? 0 : address.port };
});

function serve(peer: PeerSocket): void {
  const { socket } = peer;
  peer.onHead = (head) => {
    const size = Number(/^GET \/(\d+)/.exec(head.line)?.[1]);
    sessions += 1;
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${acceptFor(head.field('sec-websocket-key') ?? '')}\r\n\r\n`,
    );
    if (Number.isNaN(size)) return;
    const frame = binary(Buffer.alloc(size, 1));
    const piece = Buffer.concat(Array<Buffer>(Math.ceil(PIECE_BYTES / frame.length)).fill(frame));
    const send = () => {
      if (socket.destroyed || !socket.writable) return;
      bytes += piece.length;
      socket.write(piece, send);
    };
    send();
  };
}
