// The peers that the suite looks at: echo servers and echo clients. `strict` is `ws`; `lenient` is written here and
// checks nothing; `fail-fast` is the same with a UTF-8 check octet by octet. Raw sockets, no more RFC than needed.

import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type * as net from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { FrameReader } from '../reference/frame-reader.ts';
import { Utf8Stream } from '../reference/utf8-stream.ts';
import { makeCertificates } from '../support/certs.ts';
import { connectTo, createServer } from '../support/tls-sides.ts';
import { acceptFor, closeFrame, type Frame, frame, Opcode, parseHead, upgradeRequest } from '../support/wire.ts';
import { parseTerms } from './deflate.ts';

export type PeerKind = 'strict' | 'lenient' | 'fail-fast';

export interface EchoServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Over TLS when `secure`. */
export async function startEchoServer(kind: PeerKind, secure = false): Promise<EchoServer> {
  return kind === 'strict' ? startStrictServer(secure) : startRawServer(kind, secure);
}

/** Connects and echoes until the connection ends. */
export function runEchoClient(kind: PeerKind, url: string): Promise<void> {
  return kind === 'strict' ? runStrictClient(url) : runRawClient(kind, url);
}

async function startStrictServer(secure: boolean): Promise<EchoServer> {
  const { good } = await makeCertificates();
  const http = secure ? createHttpsServer(good) : createHttpServer();
  const server = new WebSocketServer({ server: http, perMessageDeflate: { threshold: 0 } });
  server.on('connection', (socket) => echoWith(socket));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: urlOf(http.address(), secure),
    close: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close();
        http.close(() => resolve());
      }),
  };
}

function runStrictClient(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: { threshold: 0 }, rejectUnauthorized: false });
    echoWith(socket);
    socket.on('close', () => resolve());
  });
}

function echoWith(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  // A case that breaks a rule is the subject, not a fault of the run.
  socket.on('error', () => {});
}

async function startRawServer(kind: PeerKind, secure: boolean): Promise<EchoServer> {
  const sockets = new Set<net.Socket>();
  const server = await createServer(secure, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    readHead(socket, (head, rest) => {
      const request = parseHead(head);
      const lines = [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${acceptFor(request.field('sec-websocket-key') ?? '')}`,
      ];
      const extension = answerTo(request.all('sec-websocket-extensions').join(', '));
      if (extension !== null) lines.push(`Sec-WebSocket-Extensions: ${extension}`);
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      echoRaw(socket, 'server', kind, rest);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: urlOf(server.address(), secure),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function runRawClient(kind: PeerKind, url: string): Promise<void> {
  const { hostname, port, pathname, protocol } = new URL(url);
  return new Promise((resolve) => {
    const socket = connectTo(Number(port), hostname, protocol === 'wss:');
    socket.on('close', () => resolve());
    const offer = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits';
    socket.write(upgradeRequest({ path: pathname, headers: { 'Sec-WebSocket-Extensions': offer } }));
    readHead(socket, (head, rest) => {
      if (parseHead(head).status === 101) echoRaw(socket, 'client', kind, rest);
      else socket.end();
    });
  });
}

/**
 * Neither side may refer back to an earlier message, and the client's window is no larger than the server's: so what
 * comes in compressed may go out as it came.
 */
function answerTo(offers: string): string | null {
  const terms = parseTerms(offers.split(',')[0] ?? '');
  if (terms === null) return null;
  const answer = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
  const bits = terms.serverBits;
  if (!offers.includes('server_max_window_bits')) return answer;
  const client = offers.includes('client_max_window_bits') ? `; client_max_window_bits=${bits}` : '';
  return `${answer}; server_max_window_bits=${bits}${client}`;
}

function readHead(socket: net.Socket, done: (head: string, rest: Buffer) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    socket.off('data', onData);
    done(bytes.toString('latin1', 0, end + 4), bytes.subarray(end + 4));
  };
  socket.on('data', onData);
}

/** Echoes data frames as they came, masked anew; answers pings, and a Close with whatever it says. Checks nothing. */
function echoRaw(socket: net.Socket, role: 'client' | 'server', kind: PeerKind, rest: Buffer): void {
  const reader = new FrameReader();
  const utf8 = kind === 'fail-fast' ? new Utf8Stream() : null;
  let closed = false;
  const close = (bytes: Buffer) => {
    closed = true;
    socket.write(bytes);
    if (role === 'server') socket.end();
  };
  const answer = (received: Frame, opcode: number) =>
    frame({ opcode, fin: received.fin, rsv: received.rsv, payload: received.payload, mask: role === 'client' });
  const onData = (chunk: Buffer) => {
    if (closed) return;
    // The check looks at the stream itself, so that it need not wait for a frame's end.
    if (utf8 !== null && !utf8.push(chunk)) {
      close(closeFrame(1007, 'not UTF-8', { mask: role === 'client' }));
      return;
    }
    for (const received of reader.push(chunk)) {
      if (closed) return;
      if (received.opcode === Opcode.Close) close(answer(received, Opcode.Close));
      else if (received.opcode === Opcode.Ping) socket.write(answer(received, Opcode.Pong));
      else if (received.opcode < Opcode.Close) socket.write(answer(received, received.opcode));
    }
  };
  socket.on('data', onData);
  socket.on('end', () => socket.end());
  if (rest.length > 0) onData(rest);
}

function urlOf(address: net.AddressInfo | string | null, secure: boolean): string {
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return `${secure ? 'wss' : 'ws'}://127.0.0.1:${address.port}`;
}
