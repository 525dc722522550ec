// A backend of plain requests that keeps every byte of each connection, and answers once the strict reading of
// `test/reference` finds a whole request. What comes behind one, or is none, is kept as it is.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type PlainMessage, type PlainReading, readPlain } from '../reference/plain-request.ts';
import { atTestEnd } from './cleanup.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';

export class PlainBackend {
  readonly port: number;
  readonly url: string;
  /** What came on each connection, in their order. */
  readonly received: Buffer[] = [];
  private readonly sockets = new Set<Socket>();

  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  static async listen(): Promise<PlainBackend> {
    const server = createServer((socket) => backend.admit(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const backend = new PlainBackend(server);
    atTestEnd(() => backend.close());
    return backend;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get connections(): number {
    return this.received.length;
  }

  /** What came on connections from the `first` on, each of which has brought exactly one whole request. */
  messagesFrom(first: number): PlainMessage[] {
    return this.received.slice(first).map((bytes) => {
      const reading: PlainReading = readPlain(bytes);
      if (reading.kind !== 'message') throw new Error(`no whole request: ${JSON.stringify(bytes.toString('latin1'))}`);
      const { end } = reading.message;
      if (end !== bytes.length) throw new Error(`behind a request: ${JSON.stringify(bytes.toString('latin1', end))}`);
      return reading.message;
    });
  }

  private admit(socket: Socket): void {
    const at = this.received.push(Buffer.alloc(0)) - 1;
    let answered = 0;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk) => {
      const bytes = Buffer.concat([this.received[at] ?? Buffer.alloc(0), chunk]);
      this.received[at] = bytes;
      for (let reading = readPlain(bytes, answered); reading.kind === 'message'; reading = readPlain(bytes, answered)) {
        answered = reading.message.end;
        socket.write(reading.message.method === 'HEAD' ? ANSWER : `${ANSWER}ok`);
      }
    });
  }
}
