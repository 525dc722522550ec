// The process of the echo backend: uWebSockets.js where it is installed and loads, else `ws`. Sends back every message.
// On a port of its own it answers plain requests.

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { WebSocketServer } from 'ws';
import { answerMessages } from '../support/child-process.ts';
import { listenForRequests } from './plain-backend.ts';
import type { TlsFiles } from './tls.ts';

export interface BackendRequest {
  /** Of a second listener, with TLS; null for none. */
  readonly tls: TlsFiles | null;
}

export interface BackendReply {
  readonly port: number;
  /** 0 without one. */
  readonly tlsPort: number;
  /** Of plain requests. */
  readonly plainPort: number;
  /** Which library echoes. */
  readonly library: string;
  /** Why it is not uWebSockets.js; null when it is. */
  readonly why: string | null;
}

const HOST = '127.0.0.1';
/** Of a request: memory is measured with large heads too. */
const HEAD_BYTES_MAX = 65_536;
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** As much of uWebSockets.js as is used here; the package is there only after `npm --prefix bench ci`. */
interface FastSocket {
  send(message: ArrayBuffer, isBinary: boolean): number;
}
interface FastApp {
  ws(pattern: string, behavior: object): FastApp;
  listen(host: string, port: number, callback: (token: unknown) => void): FastApp;
}
interface FastLibrary {
  App(): FastApp;
  SSLApp(options: object): FastApp;
  us_socket_local_port(token: unknown): number;
}

// A name that the compiler does not follow: it must not miss what is not installed.
const FAST_LIBRARY: string = 'uWebSockets.js';

answerMessages<BackendRequest, BackendReply>(async ({ tls }) => {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(HEAD_BYTES_MAX);
  const plainPort = await listenForRequests(HOST);
  try {
    // The shape is the library's documented one; what is missing shows when it is called.
    const library = (await import(FAST_LIBRARY)) as { default?: FastLibrary } & FastLibrary;
    const found = library.default ?? library;
    const port = await listenFast(found, found.App());
    const secure = tls === null ? null : found.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key });
    const tlsPort = secure === null ? 0 : await listenFast(found, secure);
    return { port, tlsPort, plainPort, library: 'uWebSockets.js', why: null };
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).split(/\n| imported from /)[0] ?? '';
    const port = await listenPlain(createServer({ maxHeaderSize: HEAD_BYTES_MAX }));
    const tlsPort = tls === null ? 0 : await listenPlain(secureServer(tls));
    return { port, tlsPort, plainPort, library: 'ws', why };
  }
});

function listenFast(library: FastLibrary, app: FastApp): Promise<number> {
  return new Promise((resolve, reject) => {
    const behavior = {
      maxPayloadLength: MESSAGE_BYTES_MAX,
      maxBackpressure: 2 * MESSAGE_BYTES_MAX,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      compression: 0,
      message: (socket: FastSocket, message: ArrayBuffer, isBinary: boolean) => {
        socket.send(message, isBinary);
      },
    };
    app.ws('/*', behavior).listen(HOST, 0, (token) => {
      if (token) resolve(library.us_socket_local_port(token));
      else reject(new Error('uWebSockets.js cannot listen'));
    });
  });
}

function secureServer({ cert, key }: TlsFiles): Server {
  return createSecureServer({ cert: readFileSync(cert), key: readFileSync(key), maxHeaderSize: HEAD_BYTES_MAX });
}

function listenPlain(http: Server): Promise<number> {
  return new Promise((resolve) => {
    const server = new WebSocketServer({ server: http, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX });
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
    });
    http.listen({ host: HOST, port: 0, backlog: 4096 }, () => {
      const address = http.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
    });
  });
}
