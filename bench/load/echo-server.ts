// Echo servers of backends: uWebSockets.js where it is installed and loads, else `ws`. They send back every message.

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { WebSocketServer } from 'ws';
import type { TlsFiles } from './tls.ts';

export interface EchoServers {
  readonly port: number;
  /** 0 without one. */
  readonly tlsPort: number;
  /** Which library echoes. */
  readonly library: string;
  /** Why it is not uWebSockets.js; null when it is. */
  readonly why: string | null;
}

/** Told of each message before it is sent back; `message` is valid during the call only. */
export type OnMessage = (message: Uint8Array) => void;

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

export async function listenForEchoes(tls: TlsFiles | null, onMessage: OnMessage | null): Promise<EchoServers> {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(HEAD_BYTES_MAX);
  try {
    // The shape is the library's documented one; what is missing shows when it is called.
    const library = (await import(FAST_LIBRARY)) as { default?: FastLibrary } & FastLibrary;
    const found = library.default ?? library;
    const port = await listenFast(found, found.App(), onMessage);
    const secure = tls === null ? null : found.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key });
    const tlsPort = secure === null ? 0 : await listenFast(found, secure, onMessage);
    return { port, tlsPort, library: 'uWebSockets.js', why: null };
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).split(/\n| imported from /)[0] ?? '';
    const port = await listenPlain(createServer({ maxHeaderSize: HEAD_BYTES_MAX }), onMessage);
    const tlsPort = tls === null ? 0 : await listenPlain(secureServer(tls), onMessage);
    return { port, tlsPort, library: 'ws', why };
  }
}

function listenFast(library: FastLibrary, app: FastApp, onMessage: OnMessage | null): Promise<number> {
  return new Promise((resolve, reject) => {
    const behavior = {
      maxPayloadLength: MESSAGE_BYTES_MAX,
      maxBackpressure: 2 * MESSAGE_BYTES_MAX,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      compression: 0,
      message: (socket: FastSocket, message: ArrayBuffer, isBinary: boolean) => {
        if (onMessage !== null) onMessage(new Uint8Array(message));
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

function listenPlain(http: Server, onMessage: OnMessage | null): Promise<number> {
  return new Promise((resolve) => {
    const server = new WebSocketServer({ server: http, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX });
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (message, isBinary) => {
        onMessage?.(message as Buffer); // the default binaryType gives a Buffer
        socket.send(message, { binary: isBinary });
      });
    });
    http.listen({ host: HOST, port: 0, backlog: 4096 }, () => {
      const address = http.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
    });
  });
}
