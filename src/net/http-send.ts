// One request without upgrade over a connection that was dialed for it, by Node's client: streamed both ways, the
// answer framed by Node. Nothing is pooled: the connection ends with it. It waits for nothing by itself.

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Transport } from './transport.ts';
import { TransportStream } from './transport-stream.ts';

export interface HttpSendOptions {
  /** Read by nobody. */
  readonly transport: Transport;
  readonly method: string;
  readonly target: string;
  /** Names and values in turn; Host is one of them, and what frames the body. */
  readonly fields: readonly string[];
  /** Of the head of the answer, and of the trailers behind its body. */
  readonly headBytesMax: number;
}

interface HttpSendOwner {
  /** The head of the answer; it may come before the body of the request is sent. */
  onAnswer(answer: IncomingMessage): void;
  /** An answer that is not the last one: 100, 102, 103. */
  onInterim(status: number, rawHeaders: readonly string[]): void;
  /** There will be no more of an answer than there was. `code`: the system's, or that of Node's parser. */
  onBroken(code: string): void;
  /** The backend has taken something that waited. */
  onBackendTook(): void;
  /** The body may go on: what was written of it is taken. */
  onDrain(): void;
}

export class HttpSend {
  readonly request: ClientRequest;
  private readonly stream: BackendStream;

  constructor({ transport, method, target, fields, headBytesMax }: HttpSendOptions, owner: HttpSendOwner) {
    this.stream = new BackendStream(transport, owner);
    this.request = request({
      createConnection: () => this.stream,
      method,
      path: target,
      headers: [...fields, 'Connection', 'close'],
      setHost: false,
      maxHeaderSize: headBytesMax,
      insecureHTTPParser: false,
    });
    // Node would cut the list off at 1000, silently: the size is the only cap.
    this.request.maxHeadersCount = 0;
    this.request.on('response', (answer) => {
      // RFC 9112 2.3: another major version means another framing.
      if (answer.httpVersionMajor === 1) owner.onAnswer(answer);
      else owner.onBroken('not HTTP/1');
    });
    this.request.on('information', ({ statusCode, rawHeaders }) => owner.onInterim(statusCode, rawHeaders));
    // Nobody has asked for one.
    this.request.on('upgrade', () => owner.onBroken('status 101'));
    this.request.on('error', (error: NodeJS.ErrnoException) => owner.onBroken(error.code ?? error.message));
    this.request.on('drain', () => owner.onDrain());
  }

  /** Nothing more is told. The transport stays its owner's to end. */
  leave(): void {
    this.stream.takeBack();
    this.request.destroy();
  }
}

class BackendStream extends TransportStream {
  private readonly owner: HttpSendOwner;

  constructor(transport: Transport, owner: HttpSendOwner) {
    super(transport);
    this.owner = owner;
    // The end of the connection may be that of the answer.
    transport.isEndSure = false;
  }

  override onTaken(): void {
    this.owner.onBackendTook();
    super.onTaken();
  }
}
