// Backends in a process of their own. The first segment of the path says what a session gets: `/numbers` counts
// messages and sees whether one is missing, `/echo` sends back, `/ticks` sends ten messages a second.

import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { answerMessages } from '../../bench/support/child-process.ts';
import { acceptFor, closeFrame, closeOf, type Frame, frame, Opcode, text } from '../support/wire.ts';
import { PeerSocket } from './peer-socket.ts';

export type BackendRequest =
  | { readonly kind: 'listen'; readonly tls?: { readonly cert: string; readonly key: string } }
  /** Of the sessions whose path begins with `path`. */
  | { readonly kind: 'tally'; readonly path: string };

export interface BackendSession {
  readonly path: string;
  /** Messages that came; of numbered ones, those that came in order without a gap. */
  readonly messages: number;
  /** The first message that was not the one expected. */
  readonly fault: string | null;
  /** The Close that came; null when none did. 1005: it had no code. */
  readonly closeCode: number | null;
  readonly ended: string | null;
  /** When it ended, in milliseconds since 1970. */
  readonly endedAt: number | null;
}

export type BackendReply = { readonly port: number } | { readonly sessions: readonly BackendSession[] };

const TICK_MS = 100;
const MODES = ['numbers', 'echo', 'ticks'];

type Session = { -readonly [Key in keyof BackendSession]: BackendSession[Key] };

// At most one entry per connection of a run.
const sessions: Session[] = [];

answerMessages<BackendRequest, BackendReply>(async (request) => {
  if (request.kind === 'tally') return { sessions: sessions.filter(({ path }) => path.startsWith(request.path)) };
  const accept = (socket: net.Socket) => serve(new PeerSocket(socket));
  const server =
    request.tls === undefined
      ? net.createServer({ allowHalfOpen: true }, accept)
      : tls.createServer({ ...request.tls, allowHalfOpen: true }, accept);
  // A client that does not trust our certificate leaves; nothing of that concerns us.
  server.on('tlsClientError', () => {});
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  const address = server.address();
  return { port: address === null || typeof address === 'string' ? 0 : address.port };
});

function serve(peer: PeerSocket): void {
  peer.onHead = (head) => {
    const path = head.line.split(' ')[1] ?? '';
    const session: Session = { path, messages: 0, fault: null, closeCode: null, ended: null, endedAt: null };
    sessions.push(session);
    peer.socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${acceptFor(head.field('sec-websocket-key') ?? '')}\r\n\r\n`,
    );
    const mode = path.split('/')[1] ?? '';
    if (!MODES.includes(mode)) peer.socket.destroy();
    const ticks = mode === 'ticks' ? setInterval(() => peer.write(text('tick')), TICK_MS) : undefined;
    peer.onFrame = (received) => take(peer, session, received, mode);
    peer.onEnded = () => {
      clearInterval(ticks);
      session.ended = peer.ended;
      session.endedAt = Date.now();
    };
  };
}

function take(peer: PeerSocket, session: Session, received: Frame, mode: string): void {
  switch (received.opcode) {
    case Opcode.Close:
      session.closeCode = closeOf(received).code ?? 1005;
      peer.write(closeFrame(session.closeCode === 1005 ? null : session.closeCode));
      peer.socket.end();
      return;
    case Opcode.Ping:
      peer.write(frame({ opcode: Opcode.Pong, payload: received.payload }));
      return;
    case Opcode.Pong:
      return;
    default:
      if (mode === 'echo') {
        const { fin, opcode, payload } = received;
        peer.write(frame({ fin, opcode, payload }));
      } else if (mode === 'numbers' && received.payload.toString() !== String(session.messages)) {
        session.fault ??= `${received.payload.toString().slice(0, 40)} where ${session.messages} was due`;
        return;
      }
      session.messages += 1;
  }
}
