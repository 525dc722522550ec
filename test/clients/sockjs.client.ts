// The SockJS server, as clients reach it over WebSocket: raw at /websocket, and framed at the url of a session.

import { once } from 'node:events';
import { createServer } from 'sockjs';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText } from './servers.ts';

const LARGE = 700_000;
const BEAT_MS = 50;

/** Echoes; `leave` makes it close with 3456. */
async function start(): Promise<Gate> {
  const { server, port } = await httpServer();
  const sockets = createServer({ log: () => {}, heartbeat_delay: BEAT_MS });
  sockets.on('connection', (connection) => {
    connection.on('data', (message) => {
      if (message === 'leave') connection.close(3456, 'as asked');
      else connection.write(message);
    });
  });
  sockets.installHandlers(server, { prefix: '/echo' });
  return Gate.before(port);
}

interface Client {
  readonly socket: WebSocket;
  readonly messages: Inbox<string>;
}

async function connect(gate: Gate, target: string): Promise<Client> {
  const socket = new WebSocket(gate.url(target));
  const messages = new Inbox<string>();
  socket.on('message', (data) => messages.put(String(data)));
  socket.on('error', () => {});
  atTestEnd(() => socket.terminate());
  await once(socket, 'open');
  return { socket, messages };
}

describe('SockJS', () => {
  test('raw: messages come back as they were, large ones too', async () => {
    const { socket, messages } = await connect(await start(), '/echo/websocket');
    for (const text of ['one', 'é', jsonText(LARGE)]) {
      socket.send(text);
      expect((await messages.next()) === text).toBe(true);
    }
  });

  test('framed: open, arrays of messages, pings, and the close frame before the Close', async () => {
    const { socket, messages } = await connect(await start(), '/echo/000/abcdefgh/websocket');
    expect(await messages.next()).toBe('o');
    const text = jsonText(LARGE);
    for (const sent of ['one', text]) {
      socket.send(JSON.stringify([sent]));
      expect((await messages.next()) === `a${JSON.stringify([sent])}`).toBe(true);
    }
    for (let i = 0; i < 3; i += 1) await once(socket, 'ping');
    const closed = once(socket, 'close');
    socket.send('["leave"]');
    expect(await messages.next()).toBe('c[3456,"as asked"]');
    expect((await closed)[0]).toBe(1000);
  });

  test('raw: the close code of the server arrives, and that of the client is an orderly end', async () => {
    const gate = await start();
    const first = await connect(gate, '/echo/websocket');
    const closed = once(first.socket, 'close');
    first.socket.send('leave');
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, String(reason)]).toEqual([3456, 'as asked']);
    const second = await connect(gate, '/echo/websocket');
    second.socket.close(1000);
    expect(await gate.sessionEnd((line) => line.by === 'client')).toMatchObject({
      reason: 'client_close',
      clean: true,
    });
  });

  test('1012 at a restart, 1001, 503 while the route drains, and in again', async () => {
    const gate = await start();
    const first = await connect(gate, '/echo/websocket');
    const closed = once(first.socket, 'close');
    await gate.restart();
    expect((await closed)[0]).toBe(1012);
    const second = await connect(gate, '/echo/websocket');
    const away = once(second.socket, 'close');
    await gate.closeAll(1001, 'away');
    expect((await away)[0]).toBe(1001);
    await gate.drain();
    await expect(connect(gate, '/echo/websocket')).rejects.toThrow('Unexpected server response: 503');
    await gate.undrain();
    const last = await connect(gate, '/echo/websocket');
    last.socket.send('again');
    expect(await last.messages.next()).toBe('again');
  });

  test('the info request that sockjs-client begins with is refused, and the log says what it was', async () => {
    const gate = await start();
    const answer = await fetch(gate.url('/echo/info?t=1', 'http'));
    expect([answer.status, await answer.json()]).toMatchObject([426, { error: 'upgrade_required' }]);
    expect(await gate.waitForLog('handshake.refused')).toMatchObject({
      status: 426,
      path: '/echo/info',
      cause: expect.stringContaining('SockJS info'),
    });
  });
});
