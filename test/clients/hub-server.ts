// A small server of a SignalR hub: the frames of the JSON hub protocol, and the transports as ASP.NET Core serves them.
// There is none of SignalR itself for Node.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { expect } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Inbox } from './inbox.ts';
import { textOf } from './servers.ts';

/** What ends each message of the hub protocol. */
const RECORD_END = '\x1e';
const Kind = { Invocation: 1, StreamItem: 2, Completion: 3, StreamInvocation: 4, Ping: 6, Close: 7 } as const;

interface HubMessage {
  readonly type: number;
  readonly invocationId?: string;
  readonly target?: string;
  readonly arguments?: readonly unknown[];
}

interface HubOptions {
  /** What `Name` answers. */
  readonly name?: string;
  readonly beatMs: number;
  readonly largest: number;
}

/** Hub methods: `Echo`, `Name`, `Count` (a stream), `Tell` (calls the client's `told`), `Leave`, `Fail`. */
export class HubServer {
  /** Pings that it got. */
  readonly pings = new Inbox<void>();
  /** `METHOD URL AUTHORIZATION` of each request. */
  readonly requests = new Inbox<string>();
  /** For each connection that is over. */
  readonly left = new Inbox<void>();
  readonly options: HubOptions;
  private readonly sockets: WebSocketServer;
  /** By their tokens, those that were negotiated; removed with their end. */
  private readonly wires = new Map<string, HttpWire | null>();

  constructor(server: Server, options: HubOptions) {
    this.options = options;
    this.sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: options.largest });
    server.on('upgrade', (request, socket, head) => {
      this.note(request);
      const id = idOf(request);
      // Without an id it was not negotiated, which is allowed.
      if (id !== null && !this.wires.has(id)) socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      else this.sockets.handleUpgrade(request, socket, head, (one) => this.serveSocket(one));
    });
    server.on('request', (request, response) => {
      this.note(request);
      void this.serve(request, response);
    });
  }

  private note({ method, url, headers }: IncomingMessage): void {
    this.requests.put(`${method} ${url} ${headers.authorization}`);
  }

  private serveSocket(socket: WebSocket): void {
    const session = new HubSession(this, {
      send: (text) => socket.send(text),
      end: () => socket.close(1000),
    });
    socket.on('error', () => {});
    socket.on('message', (data) => session.take(String(data)));
    socket.on('close', () => session.stop());
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = idOf(request);
    if (request.url?.includes('/negotiate?') === true) {
      const connectionToken = randomUUID();
      this.wires.set(connectionToken, null);
      const availableTransports = [
        { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
        { transport: 'ServerSentEvents', transferFormats: ['Text'] },
        { transport: 'LongPolling', transferFormats: ['Text', 'Binary'] },
      ];
      const answer = { negotiateVersion: 1, connectionId: randomUUID(), connectionToken, availableTransports };
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
      return;
    }
    const wire = id === null ? undefined : this.wires.get(id);
    if (id === null || wire === undefined) response.writeHead(404).end('No Connection with that ID');
    else if (request.method === 'POST') {
      wire?.session.take(await textOf(request));
      response.writeHead(200, { 'Content-Type': 'text/plain' }).end();
    } else if (request.method === 'DELETE') {
      wire?.end();
      response.writeHead(202, { 'Content-Type': 'text/plain' }).end();
    } else if (request.headers.accept === 'text/event-stream') this.open(id, new EventWire(this, response));
    else if (wire instanceof PollWire) wire.poll(response);
    else {
      this.open(id, new PollWire(this));
      // The first poll says that the connection is there.
      response.writeHead(200, { 'Content-Type': 'text/plain' }).end();
    }
  }

  private open(id: string, wire: HttpWire): void {
    this.wires.set(id, wire);
    wire.onEnd = () => this.wires.delete(id);
  }
}

/** A token that a negotiation gave out. */
function idOf({ url = '' }: IncomingMessage): string | null {
  return new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('id');
}

interface Wire {
  send(text: string): void;
  end(): void;
}

interface HttpWire extends Wire {
  readonly session: HubSession;
  onEnd: () => void;
}

/** Server-sent events down, posts up. */
class EventWire implements HttpWire {
  readonly session: HubSession;
  onEnd = () => {};
  private readonly response: ServerResponse;

  constructor(hub: HubServer, response: ServerResponse) {
    this.session = new HubSession(hub, this);
    this.response = response;
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache, no-store' });
    response.flushHeaders();
    response.on('close', () => this.end());
  }

  send(text: string): void {
    this.response.write(`data: ${text}\r\n\r\n`);
  }

  end(): void {
    this.session.stop();
    this.response.end();
    this.onEnd();
  }
}

/** A poll that is answered as soon as there is something, posts up. */
class PollWire implements HttpWire {
  readonly session: HubSession;
  onEnd = () => {};
  private waiting = '';
  private asked: ServerResponse | null = null;
  private isOver = false;

  constructor(hub: HubServer) {
    this.session = new HubSession(hub, this);
  }

  poll(response: ServerResponse): void {
    this.asked = response;
    response.on('close', () => {
      if (this.asked === response) this.asked = null;
    });
    this.answer();
  }

  send(text: string): void {
    this.waiting += text;
    this.answer();
  }

  end(): void {
    this.isOver = true;
    this.session.stop();
    this.answer();
  }

  private answer(): void {
    const { asked, waiting } = this;
    if (asked === null || (waiting === '' && !this.isOver)) return;
    this.asked = null;
    this.waiting = '';
    if (waiting !== '') asked.writeHead(200, { 'Content-Type': 'text/plain' }).end(waiting);
    else {
      asked.writeHead(204).end();
      this.onEnd();
    }
  }
}

/** The hub protocol of one connection, whatever carries it. */
class HubSession {
  private readonly hub: HubServer;
  private readonly wire: Wire;
  private isOpen = false;
  private isOver = false;
  private beat: NodeJS.Timeout | undefined;

  constructor(hub: HubServer, wire: Wire) {
    this.hub = hub;
    this.wire = wire;
  }

  take(data: string): void {
    for (const record of data.split(RECORD_END).slice(0, -1)) {
      if (this.isOpen) this.answer(JSON.parse(record));
      else {
        expect(JSON.parse(record)).toEqual({ protocol: 'json', version: 1 });
        this.send({});
        this.isOpen = true;
        this.beat = setInterval(() => this.send({ type: Kind.Ping }), this.hub.options.beatMs);
      }
    }
  }

  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearInterval(this.beat);
    this.hub.left.put();
  }

  private send(message: object): void {
    this.wire.send(`${JSON.stringify(message)}${RECORD_END}`);
  }

  private answer({ type, invocationId, target, arguments: args = [] }: HubMessage): void {
    if (type === Kind.Ping) this.hub.pings.put();
    if (type === Kind.StreamInvocation) {
      for (let item = 0; item < Number(args[0]); item += 1) this.send({ type: Kind.StreamItem, invocationId, item });
      this.send({ type: Kind.Completion, invocationId });
    }
    if (type !== Kind.Invocation) return;
    if (target === 'Leave') this.send({ type: Kind.Close, error: 'bye', allowReconnect: args[0] });
    if (target === 'Leave') this.wire.end();
    if (target === 'Tell') this.send({ type: Kind.Invocation, target: 'told', arguments: args });
    const result = target === 'Name' ? this.hub.options.name : args[0];
    if (target === 'Fail') this.send({ type: Kind.Completion, invocationId, error: String(args[0]) });
    else if (invocationId !== undefined) this.send({ type: Kind.Completion, invocationId, result });
  }
}
