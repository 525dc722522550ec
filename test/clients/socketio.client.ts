// Socket.IO at both ends, over websocket alone: events, acknowledgements, binary, compression, its heartbeat, and how
// it comes back.

import { Server, type ServerOptions } from 'socket.io';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText } from './servers.ts';

const LARGE = 700_000;
const BEAT_MS = 50;

async function start(options: Partial<ServerOptions> = {}): Promise<Gate> {
  const { server, port } = await httpServer();
  const sockets = new Server(server, { maxHttpBufferSize: 2 * LARGE, ...options });
  sockets.on('connection', (socket) => {
    socket.on('echo', (...args) => args.pop()(...args));
    socket.on('publish', (room: string, what: unknown) => sockets.to(room).emit('news', what));
    socket.on('join', (room: string, done: () => void) => {
      void socket.join(room);
      done();
    });
    socket.on('leave', () => socket.disconnect(true));
  });
  sockets.of('/private').use((socket, next) => {
    next(socket.handshake.auth.token === 'secret' ? undefined : new Error('not for you'));
  });
  const gate = await Gate.before(port);
  atTestEnd(() => sockets.disconnectSockets(true));
  return gate;
}

interface Client {
  readonly socket: Socket;
  /** `connect`, `disconnect REASON CODE TEXT`, `error MESSAGE`. */
  readonly events: Inbox<string>;
}

function connect(gate: Gate, namespace = '', options: Partial<ManagerOptions & SocketOptions> = {}): Client {
  const quick = { reconnectionDelay: 20, reconnectionDelayMax: 60, forceNew: true };
  const socket = io(`${gate.url('', 'http')}${namespace}`, { transports: ['websocket'], ...quick, ...options });
  const events = new Inbox<string>();
  socket.on('connect', () => events.put('connect'));
  socket.on('disconnect', (reason, details) => {
    const { code, reason: text } = (details as { context?: CloseEvent } | undefined)?.context ?? {};
    events.put(`disconnect: ${reason}, ${code} ${text}`);
  });
  socket.on('connect_error', (error) => {
    const { description } = error as { description?: { message?: string } };
    events.put(`error: ${error.message}, ${description?.message}`);
  });
  atTestEnd(() => {
    socket.disconnect();
  });
  return { socket, events };
}

/** What the transport was closed with; socket.io-client hands it on. */
interface CloseEvent {
  readonly code: number;
  readonly reason: string;
}

async function open(options: Partial<ServerOptions> = {}) {
  const gate = await start(options);
  const client = connect(gate);
  expect(await client.events.next()).toBe('connect');
  return { gate, ...client };
}

describe('socket.io', () => {
  test('events with acknowledgements, text and binary, come back as they were', async () => {
    const { socket } = await open();
    const args = [1, 'é', null, { deep: [true, { x: 'y' }] }, Buffer.from([0, 1, 255])];
    expect(await socket.emitWithAck('echo', ...args)).toEqual(args[0]);
    const [text, bytes] = [jsonText(LARGE), Buffer.alloc(LARGE, 7)];
    expect((await socket.emitWithAck('echo', text)) === text).toBe(true);
    const nested = await socket.emitWithAck('echo', { a: bytes, b: [bytes.subarray(0, 5)] });
    expect([bytes.equals(nested.a), nested.b]).toEqual([true, [Buffer.alloc(5, 7)]]);
  });

  test('what one client publishes, all in the room get, in order', async () => {
    const { gate, socket } = await open();
    const clients = [connect(gate), connect(gate)];
    const news = clients.map(({ socket: one }) => {
      const inbox = new Inbox<number>();
      one.on('news', inbox.put);
      return inbox;
    });
    for (const one of clients) await one.socket.emitWithAck('join', 'room');
    for (let i = 0; i < 100; i += 1) socket.emit('publish', 'room', i);
    const expected = Array.from({ length: 100 }, (_, i) => i);
    for (const inbox of news) expect(await inbox.take(100)).toEqual(expected);
  });

  test('with perMessageDeflate at the server large messages travel compressed', async () => {
    const { gate, socket } = await open({ perMessageDeflate: { threshold: 1024 } });
    const text = jsonText(LARGE);
    expect((await socket.emitWithAck('echo', text)) === text).toBe(true);
    socket.disconnect();
    const { from_client, from_backend } = await gate.sessionEnd();
    for (const side of [from_client, from_backend]) expect(side.bytes).toBeLessThan(LARGE / 2);
  });

  test('a namespace that refuses says why, and lets in who has the token', async () => {
    const gate = await start();
    const refused = connect(gate, '/private', { auth: { token: 'wrong' } });
    expect(await refused.events.next()).toBe('error: not for you, undefined');
    const welcome = connect(gate, '/private', { auth: { token: 'secret' } });
    expect(await welcome.events.next()).toBe('connect');
  });

  test('its heartbeat goes through, and the session lives on it', async () => {
    const { socket } = await open({ pingInterval: BEAT_MS, pingTimeout: 20_000 });
    const beats = new Inbox<void>();
    socket.io.on('ping', () => beats.put());
    await beats.take(5);
    expect(await socket.emitWithAck('echo', 'alive')).toBe('alive');
  });

  test('both sides can leave, and the other knows', async () => {
    const first = await open();
    first.socket.disconnect();
    expect(await first.gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
    const second = await open();
    second.socket.emit('leave');
    expect(await second.events.next()).toMatch(/^disconnect: io server disconnect/);
    expect(await second.gate.sessionEnd()).toMatchObject({ by: 'backend', reason: 'backend_close' });
  });

  test('1012 at a restart and 1001 lead back in; what was emitted meanwhile arrives', async () => {
    const { gate, socket, events } = await open();
    await gate.restart();
    expect(await events.next()).toBe('disconnect: transport close, 1012 server restart');
    const answer = socket.emitWithAck('echo', 'kept');
    await events.until((event) => event === 'connect');
    expect(await answer).toBe('kept');
    await gate.closeAll(1001, 'away');
    expect(await events.next()).toBe('disconnect: transport close, 1001 away');
    expect(await events.next()).toBe('connect');
    expect(await socket.emitWithAck('echo', 'again')).toBe('again');
  });

  test('503 is tried again until it is over', async () => {
    const { gate, socket, events } = await open();
    await gate.drain();
    expect(await events.next()).toBe('disconnect: transport close, 1012 server restart');
    expect(await events.next()).toBe('error: websocket error, Unexpected server response: 503');
    expect(await events.next()).toMatch(/^error: websocket error/);
    await gate.undrain();
    await events.until((event) => event === 'connect');
    expect(await socket.emitWithAck('echo', 'again')).toBe('again');
  });

  test('polling alone is refused, and the log says what it was', async () => {
    const gate = await start();
    const { events } = connect(gate, '', { transports: ['polling'], reconnection: false });
    expect(await events.next()).toMatch(/^error: xhr poll error/);
    expect(await gate.waitForLog('handshake.refused')).toMatchObject({
      status: 426,
      error: 'upgrade_required',
      cause: expect.stringContaining('Socket.IO polling'),
    });
  });
});
