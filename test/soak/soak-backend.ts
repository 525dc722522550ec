// The backend of the soak: good, slow, dying or lying, as the path of the request says. It tells the watch what each of
// its connections got and sent.

import type * as net from 'node:net';
import type { RunWatch } from '../support/invariants.ts';
import { Random } from '../support/random.ts';
import { resetSocket } from '../support/shim.ts';
import { createServer, isBackendTls } from '../support/tls-sides.ts';
import { acceptFor, binary, type Frame, frame, type Head, Opcode } from '../support/wire.ts';
import { Endpoint, readHead, switchTo } from './endpoint.ts';

export const bulkMessages = 64;
export const bulkBytes = 32_768;
const TICK_MS = 20;
const NAP_MS = 100;
/** The kernel may hold it all, so that a peer which hangs up at once has sent something. */
const DYING_FRAME_BYTES = 65_536;

/** Answers that are no upgrade; null: none at all. */
const lies: Readonly<Record<string, (request: Head) => Buffer | null>> = {
  accept: (request) => switchTo(request, acceptFor('another key')),
  status: () => Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'latin1'),
  refusal: () => Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', 'latin1'),
  junk: () => Buffer.from('\x16\x03\x01 what is this\r\n\r\n', 'latin1'),
  extension: (request) =>
    Buffer.from(
      switchTo(request).toString('latin1').replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: x-lie\r\n\r\n'),
      'latin1',
    ),
  silence: () => null,
};
/** What the lie about the handshake is called in a path: `/lying/accept/...`. */
export const lieNames = Object.keys(lies);

/** Frames that no backend may send. */
const badFrames: readonly Buffer[] = [
  frame({ opcode: Opcode.Text, payload: 'masked', mask: true }),
  frame({ opcode: Opcode.Text, payload: 'rsv', rsv: 4 }),
  frame({ opcode: Opcode.Continuation, payload: 'of nothing' }),
  frame({ opcode: 11, payload: '' }),
  frame({ opcode: Opcode.Ping, fin: false }),
  frame({ opcode: Opcode.Close, payload: 'x' }),
];

export class SoakBackend {
  readonly port: number;
  readonly host: string;
  private server: net.Server;
  private readonly watch: RunWatch;
  private readonly sockets = new Set<net.Socket>();

  private constructor(server: net.Server, host: string, watch: RunWatch) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
    this.port = address.port;
    this.host = host;
    this.watch = watch;
    this.server = this.attach(server);
  }

  /** On any port of `host`, an address of the loopback interface. */
  static async listen(host: string, watch: RunWatch): Promise<SoakBackend> {
    return new SoakBackend(await listen(host, 0), host, watch);
  }

  get url(): string {
    return `${isBackendTls ? 'wss' : 'ws'}://${this.host}:${this.port}`;
  }

  /** As a process that is killed: every connection is reset, further dials are refused. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) resetSocket(socket);
    await closed;
  }

  /** After `kill`. */
  async restart(): Promise<void> {
    this.server = this.attach(await listen(this.host, this.port));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  private attach(server: net.Server): net.Server {
    return server.on(isBackendTls ? 'secureConnection' : 'connection', (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      void this.serve(socket);
    });
  }

  private async serve(socket: net.Socket): Promise<void> {
    const request = await readHead(socket);
    if (request === null) return;
    const path = /^GET (\/\S*) HTTP\/1\.1$/.exec(request.head.line)?.[1];
    if (path === undefined) {
      this.watch.fault(`not a request: ${JSON.stringify(request.head.line)}`);
      socket.destroy();
      return;
    }
    const [, kind = '', lie = ''] = path.split('/');
    const answer = kind === 'lying' ? lies[lie] : undefined;
    if (answer !== undefined) {
      this.refuse(socket, answer(request.head), request.rest);
      return;
    }
    if (request.rest.length > 0) this.watch.fault(`${path}: ${request.rest.length} bytes before the 101`);
    const endpoint = new Endpoint(socket, false);
    endpoint.onIllegal = (received) =>
      this.watch.fault(`${path}: an illegal frame came: ${received.bytes.toString('hex', 0, 20)}`);
    this.watch.backendBegins(path, endpoint.payloads);
    void endpoint.over.then(() => this.watch.backendEnds(path));
    this.behave(kind, endpoint, new Random(hashOf(path)));
    void endpoint.sendRaw(switchTo(request.head));
    endpoint.begin(request.rest);
  }

  /** Not a 101: whatever else comes on this connection is something that must not. */
  private refuse(socket: net.Socket, answer: Buffer | null, rest: Buffer): void {
    let strayBytes = rest.length;
    socket.on('data', (chunk: Buffer) => {
      strayBytes += chunk.length;
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => this.watch.backendConnection({ heads: 1, switched: false, strayBytes }));
    if (answer !== null) socket.write(answer);
  }

  private behave(kind: string, endpoint: Endpoint, random: Random): void {
    const { socket } = endpoint;
    endpoint.onData = (received) => void echo(endpoint, received);
    if (kind === 'ticks') {
      let count = 0;
      const tick = setInterval(() => void endpoint.send(Opcode.Text, String(count++)), TICK_MS);
      socket.once('close', () => clearInterval(tick));
    } else if (kind === 'bulk') {
      setImmediate(() => void sendBulk(endpoint));
    } else if (kind === 'slow') {
      const nap = setInterval(() => (socket.isPaused() ? socket.resume() : socket.pause()), NAP_MS);
      socket.once('close', () => clearInterval(nap));
    } else if (kind === 'dying') {
      endpoint.onData = () => {
        const whole = binary(random.bytes(DYING_FRAME_BYTES));
        endpoint.payloads.sent += DYING_FRAME_BYTES;
        void endpoint.sendRaw(whole.subarray(0, random.between(1, whole.length - 1)));
        setImmediate(() => resetSocket(socket));
      };
    } else if (kind === 'lying') {
      endpoint.onData = () => void endpoint.sendRaw(random.pick(badFrames));
    }
  }
}

/** What came, as it came: its opcode and whether it is the last of its message. */
function echo(endpoint: Endpoint, received: Frame): Promise<void> {
  return endpoint.send(received.opcode, received.payload, received.fin);
}

async function sendBulk(endpoint: Endpoint): Promise<void> {
  for (let index = 0; index < bulkMessages && endpoint.isOpen; index++) {
    await endpoint.send(Opcode.Binary, bulkMessage(index));
  }
}

export function bulkMessage(index: number): Buffer {
  return Buffer.alloc(bulkBytes, index + 1);
}

/** So that what it does depends on nothing but the request. */
function hashOf(path: string): number {
  return [...path].reduce((hash, character) => (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0, 0);
}

async function listen(host: string, port: number): Promise<net.Server> {
  const server = await createServer(isBackendTls);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}
