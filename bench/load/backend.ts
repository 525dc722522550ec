// The process of the echo backend: uWebSockets.js where it is installed and loads, else `ws`. Sends back every message.

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { answerMessages } from '../support/child-process.ts';

export interface BackendReply {
  readonly port: number;
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
  us_socket_local_port(token: unknown): number;
}

// A name that the compiler does not follow: it must not miss what is not installed.
const FAST_LIBRARY: string = 'uWebSockets.js';

answerMessages<'start', BackendReply>(async () => {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(HEAD_BYTES_MAX);
  try {
    // The shape is the library's documented one; what is missing shows when it is called.
    const library = (await import(FAST_LIBRARY)) as { default?: FastLibrary } & FastLibrary;
    return { port: await listenFast(library.default ?? library), library: 'uWebSockets.js', why: null };
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).split(/\n| imported from /)[0] ?? '';
    return { port: await listenPlain(), library: 'ws', why };
  }
});

function listenFast(library: FastLibrary): Promise<number> {
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
    library
      .App()
      .ws('/*', behavior)
      .listen(HOST, 0, (token) => {
        if (token) resolve(library.us_socket_local_port(token));
        else reject(new Error('uWebSockets.js cannot listen'));
      });
  });
}

function listenPlain(): Promise<number> {
  return new Promise((resolve) => {
    const http = createServer({ maxHeaderSize: HEAD_BYTES_MAX });
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
