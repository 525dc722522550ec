// Node's HTTP server without its sockets: it frames the requests and answers of streams that it is given. It listens
// nowhere and has no timers; whoever gives a stream waits for it and ends it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Whose stream it is. */
export interface FrontOwner {
  /** `awaitsContinue`: it sends its body when it is told to, by `response.writeContinue()`. */
  onRequest(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void;
  /** What came is not HTTP/1.1. `code`: that of Node's parser, which reads nothing behind it. */
  onBroken(code: string): void;
}

/** A stream that says whose it is. */
export interface FrontStream extends Duplex {
  readonly owner: FrontOwner;
}

export class HttpFront {
  private readonly server: Server;

  constructor() {
    const server = createServer({
      insecureHTTPParser: false,
      // Who judges the head asks for a Host: Node would answer by itself.
      requireHostHeader: false,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
    });
    server.timeout = 0;
    server.on('request', (request, response) => ownerOf(request).onRequest(request, response, false));
    server.on('checkContinue', (request, response) => ownerOf(request).onRequest(request, response, true));
    server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) =>
      (stream as FrontStream).owner.onBroken(error.code ?? ''),
    );
    this.server = server;
  }

  serve(stream: FrontStream): void {
    this.server.emit('connection', stream);
  }
}

/** Whatever was given to `serve` is the socket of its requests. */
function ownerOf({ socket }: IncomingMessage): FrontOwner {
  const owner: FrontOwner = Reflect.get(socket, 'owner');
  return owner;
}
