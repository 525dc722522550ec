// Socket.IO as its users start it: polling first, then a WebSocket, all through one route; several servers with a
// sticky cookie, since what one of them knows of a session no other does.

import { Server } from 'socket.io';
import { Fetch, io, type ManagerOptions, NodeXHR, type Socket, type SocketOptions } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { type DoorOptions, Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText, type Served } from './servers.ts';

const LARGE = 700_000;
const STICKY = '{ sticky: {} }';

interface App extends Served {
  /** The Cookie fields of all requests that it got, without those that had none. */
  readonly cookies: string[];
}

/** Echoes, and says which server it is. */
async function serve(name: string): Promise<App> {
  const served = await httpServer();
  const sockets = new Server(served.server, { maxHttpBufferSize: 2 * LARGE, pingInterval: 200, pingTimeout: 5_000 });
  const cookies: string[] = [];
  for (const event of ['request', 'upgrade'])
    served.server.on(event, ({ headers }) => headers.cookie !== undefined && cookies.push(headers.cookie));
  sockets.on('connection', (socket) => {
    socket.on('echo', (what, done) => done(what));
    socket.on('name', (done) => done(name));
    socket.on('count', (to: number) => {
      for (let i = 0; i < to; i += 1) socket.emit('counted', i);
    });
  });
  atTestEnd(() => sockets.disconnectSockets(true));
  return { ...served, cookies };
}

async function start(options: DoorOptions & { readonly servers?: number } = {}) {
  const apps: App[] = [];
  for (let i = 0; i < (options.servers ?? 1); i += 1) apps.push(await serve(`server ${i}`));
  const gate = await Gate.door(
    apps.map(({ port }) => port),
    options,
  );
  return { gate, apps };
}

interface Client {
  readonly socket: Socket;
  /** `connect`, `disconnect REASON`, `error MESSAGE`. */
  readonly events: Inbox<string>;
}

/** As a browser does, with its cookies; otherwise with the defaults. */
function connect(gate: Gate, options: Partial<ManagerOptions & SocketOptions> = {}): Client {
  const quick = { reconnectionDelay: 20, reconnectionDelayMax: 60, forceNew: true, withCredentials: true };
  const socket = io(gate.url('', 'http'), { ...quick, ...options });
  const events = new Inbox<string>();
  socket.on('connect', () => events.put('connect'));
  socket.on('disconnect', (reason) => events.put(`disconnect: ${reason}`));
  socket.on('connect_error', (error) => events.put(`error: ${error.message}`));
  atTestEnd(() => {
    socket.disconnect();
  });
  return { socket, events };
}

async function open(gate: Gate, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<Client> {
  const client = connect(gate, options);
  expect(await client.events.next()).toBe('connect');
  return client;
}

const transportOf = ({ socket }: Client): string => socket.io.engine.transport.name;

/** Resolves once the WebSocket has taken over. */
function upgraded(client: Client): Promise<void> {
  if (transportOf(client) === 'websocket') return Promise.resolve();
  return new Promise((resolve) => {
    client.socket.io.engine.once('upgrade', () => resolve());
  });
}

describe('socket.io behind one door', () => {
  test('begins with polling and goes on by WebSocket; what was emitted meanwhile comes in order', async () => {
    const { gate } = await start();
    const client = await open(gate);
    const counted = new Inbox<number>();
    client.socket.on('counted', counted.put);
    client.socket.emit('count', 1_000);
    await upgraded(client);
    client.socket.emit('count', 1_000);
    const expected = Array.from({ length: 1_000 }, (_, i) => i);
    expect(await counted.take(2_000)).toEqual([...expected, ...expected]);
    client.socket.disconnect();
    const ended = { path: '/socket.io/', by: 'client', reason: 'client_close', upstream: 'servers' };
    expect(await gate.sessionEnd()).toMatchObject(ended);
  });

  test.each([
    ['XHR', NodeXHR],
    ['fetch, on connections that are kept', Fetch],
  ])('polling alone by %s: events, binary, large ones both ways, heartbeats', async (_, transport) => {
    const { gate } = await start();
    const client = await open(gate, { transports: [transport] });
    const { socket } = client;
    expect(await socket.emitWithAck('echo', { a: ['é', Buffer.from([0, 255])] })).toEqual({
      a: ['é', Buffer.from([0, 255])],
    });
    const [text, bytes] = [jsonText(LARGE), Buffer.alloc(LARGE, 7)];
    expect((await socket.emitWithAck('echo', text)) === text).toBe(true);
    expect(bytes.equals(await socket.emitWithAck('echo', bytes))).toBe(true);
    const beats = new Inbox<void>();
    socket.io.engine.on('heartbeat', () => beats.put());
    await beats.take(3);
    expect([transportOf(client), await socket.emitWithAck('echo', 'alive')]).toEqual(['polling', 'alive']);
  });

  test('with two servers each client stays at its own, by a cookie that no server sees', async () => {
    const { gate, apps } = await start({ servers: 2, balance: STICKY });
    const clients: Client[] = [];
    for (let i = 0; i < 6; i += 1) clients.push(await open(gate, i < 3 ? { transports: ['polling'] } : {}));
    await Promise.all(clients.slice(3).map(upgraded));
    const names = new Set<string>();
    for (const { socket } of clients) {
      const name = await socket.emitWithAck('name');
      for (let i = 0; i < 10; i += 1) expect(await socket.emitWithAck('name')).toBe(name);
      names.add(name);
    }
    expect([...names].sort()).toEqual(['server 0', 'server 1']);
    // Nothing else than that cookie was sent.
    expect(apps.flatMap(({ cookies }) => cookies)).toEqual([]);
  });

  test('the cookie is on the first answer, and not again once it is right', async () => {
    const { gate } = await start({ servers: 2, balance: STICKY });
    const first = await fetch(gate.url('/socket.io/?EIO=4&transport=polling', 'http'));
    await first.text();
    const [cookie = ''] = first.headers.getSetCookie();
    expect(cookie).toMatch(/^fg-servers=[^;]{16}; Path=\/; HttpOnly; SameSite=Lax$/);
    const headers = { cookie: cookie.slice(0, cookie.indexOf(';')) };
    const second = await fetch(gate.url('/socket.io/?EIO=4&transport=polling', 'http'), { headers });
    await second.text();
    expect(second.headers.getSetCookie()).toEqual([]);
  });

  test.each([
    ['by WebSocket', ['polling', 'websocket']],
    ['by polling', ['polling']],
  ])('when its server dies a client goes on at the other, %s', async (_, transports) => {
    const { gate, apps } = await start({ servers: 2, balance: STICKY });
    const client = await open(gate, { transports });
    if (transports.length > 1) await upgraded(client);
    const before: string = await client.socket.emitWithAck('name');
    apps[Number(before.at(-1))]?.end();
    expect(await client.events.next()).toMatch(/^disconnect: transport (close|error)/);
    await client.events.until((event) => event === 'connect');
    expect(await client.socket.emitWithAck('name')).toBe(before === 'server 0' ? 'server 1' : 'server 0');
  });

  test('a drained route cuts WebSockets and refuses polling with 503, until it is over', async () => {
    const { gate } = await start();
    const client = await open(gate);
    await upgraded(client);
    await gate.drain();
    expect(await client.events.next()).toBe('disconnect: transport close');
    expect(await gate.request(({ status }) => status === 503)).toMatchObject({ error: 'draining', method: 'GET' });
    await gate.undrain();
    await client.events.until((event) => event === 'connect');
    expect(await client.socket.emitWithAck('echo', 'again')).toBe('again');
  });

  test('a restart cuts what polls, too, and leads back in', async () => {
    const { gate } = await start();
    const client = await open(gate, { transports: ['polling'] });
    await gate.restart();
    expect(await client.events.next()).toMatch(/^disconnect: transport (close|error)/);
    await client.events.until((event) => event === 'connect');
    expect(await client.socket.emitWithAck('echo', 'again')).toBe('again');
  });
});
