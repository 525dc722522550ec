// A backend that works or is ill, as a test says at the moment: what it does with each connection from then on.

import * as net from 'node:net';
import { atTestEnd } from './cleanup.ts';
import { acceptFor, closeFrame, Opcode } from './wire.ts';

/** `drops`: it upgrades and breaks off. `lies`: a 101 with the Accept of another key. */
export type Health = 'works' | 'slow' | 'drops' | 'lies' | 'hangs' | 502 | 404;

/** Until an answer of one that is slow. */
const SLOW_MS = 300;

export class SickBackend {
  health: Health = 'works';
  /** Requests that came. */
  asked = 0;
  readonly url: string;
  readonly port: number;
  private readonly sockets = new Set<net.Socket>();
  private readonly server: net.Server;

  private constructor(server: net.Server, port: number) {
    this.server = server;
    this.port = port;
    this.url = `ws://127.0.0.1:${port}`;
    server.on('connection', (socket) => this.take(socket));
  }

  /** Closed with all its connections by `close`. `port`: one that another has left. */
  static async listen(port = 0): Promise<SickBackend> {
    const server = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return new SickBackend(server, address.port);
  }

  /** The same, closed when the test ends. */
  static async listenInTest(health: Health = 'works'): Promise<SickBackend> {
    const backend = await SickBackend.listen();
    backend.health = health;
    atTestEnd(() => backend.close());
    return backend;
  }

  /** Sessions and whoever waits for an answer. */
  get open(): number {
    return this.sockets.size;
  }

  close(): void {
    this.server.close();
    this.hangUp();
  }

  /** On all, and goes on. */
  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private take(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    let head = '';
    const onData = (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      socket.on('data', (bytes) => ((bytes[0] ?? 0) & 0x0f) === Opcode.Close && socket.end(closeFrame(1000)));
      this.asked += 1;
      this.answer(socket, /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '');
    };
    socket.on('data', onData);
  }

  private answer(socket: net.Socket, key: string): void {
    const { health } = this;
    if (health === 'hangs') return;
    if (typeof health === 'number') {
      socket.end(`HTTP/1.1 ${health} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    if (health === 'slow') setTimeout(() => this.upgrade(socket, key), SLOW_MS);
    else this.upgrade(socket, key);
  }

  private upgrade(socket: net.Socket, key: string): void {
    const { health } = this;
    const accept = acceptFor(health === 'lies' ? `${key}x` : key);
    const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`;
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
    if (health === 'drops') socket.end();
  }
}
