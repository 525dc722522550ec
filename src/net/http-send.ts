// One request without upgrade over a connection that was dialed for it, by Node's client: streamed both ways, the
// answer framed by Node. Nothing is pooled: the connection ends with it. It waits for nothing by itself.

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Transport } from './transport.ts';
import { TransportStream } from './transport-stream.ts';

interface HttpSendOptions {
  /** Read by nobody. */
  readonly transport: Transport;
  readonly method: string;
  readonly target: string;
  /** Names and values in turn; Host is one of them, and what frames the body. */
  readonly fields: readonly string[];
  readonly headBytesMax: number;
  /** The head of the answer; it may come before the body of the request is sent. */
  onAnswer(answer: IncomingMessage): void;
  /** An answer that is not the last one: 102, 103. */
  onInterim(status: number, rawHeaders: readonly string[]): void;
  /** There will be no more of an answer than there was. `code`: the system's, or that of Node's parser. */
  onBroken(code: string): void;
}

export class HttpSend {
  readonly request: ClientRequest;
  private readonly stream: TransportStream;

  constructor(options: HttpSendOptions) {
    const { transport, method, target, fields, headBytesMax, onAnswer, onInterim, onBroken } = options;
    this.stream = new TransportStream(transport);
    this.request = request({
      createConnection: () => this.stream,
      method,
      path: target,
      headers: [...fields, 'Connection', 'close'],
      setHost: false,
      maxHeaderSize: headBytesMax,
      insecureHTTPParser: false,
    });
    this.request.on('response', (answer) => {
      // RFC 9112 2.3: another major version means another framing.
      if (answer.httpVersionMajor === 1) onAnswer(answer);
      else onBroken('not HTTP/1');
    });
    this.request.on('information', ({ statusCode, rawHeaders }) => onInterim(statusCode, rawHeaders));
    // Nobody has asked for one.
    this.request.on('upgrade', () => onBroken('status 101'));
    this.request.on('error', (error: NodeJS.ErrnoException) => onBroken(error.code ?? error.message));
  }

  /** Nothing more is told. The transport stays its owner's to end. */
  leave(): void {
    this.stream.takeBack();
    this.request.destroy();
  }
}
