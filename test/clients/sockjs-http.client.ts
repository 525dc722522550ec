// The SockJS client in front of its server, through one route: it asks for /info first, and then takes a WebSocket or
// one of its transports over plain HTTP, here in Node by its drivers for that.

import { createServer } from 'sockjs';
import SockJS from 'sockjs-client';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { type DoorOptions, Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText } from './servers.ts';

const LARGE = 700_000;

const transports = ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling'];

interface Started {
  readonly gate: Gate;
  /** What its sessions were closed for, at the server. */
  readonly left: Inbox<void>;
}

/** Echoes; `name` is answered with the server's, `leave` makes it close with 3456. */
async function start(options: DoorOptions & { readonly servers?: number; readonly websocket?: boolean } = {}) {
  const left = new Inbox<void>();
  const ports: number[] = [];
  for (let i = 0; i < (options.servers ?? 1); i += 1) {
    const { server, port } = await httpServer();
    const quick = { heartbeat_delay: 50, disconnect_delay: 2_000 };
    const sockets = createServer({ log: () => {}, ...quick, websocket: options.websocket !== false });
    sockets.on('connection', (connection) => {
      connection.on('close', () => left.put());
      connection.on('data', (message) => {
        if (message === 'leave') connection.close(3456, 'as asked');
        else connection.write(message === 'name' ? `server ${i}` : message);
      });
    });
    sockets.installHandlers(server, { prefix: '/echo' });
    ports.push(port);
  }
  const started: Started = { gate: await Gate.door(ports, options), left };
  return started;
}

interface Client {
  readonly socket: SockJS;
  readonly messages: Inbox<string>;
  /** `CODE REASON`. */
  readonly closed: Promise<string>;
}

async function connect(gate: Gate, ...names: string[]): Promise<Client> {
  const socket = new SockJS(gate.url('/echo', 'http'), null, names.length > 0 ? { transports: names } : {});
  const messages = new Inbox<string>();
  socket.onmessage = ({ data }) => messages.put(data);
  const closed = new Promise<string>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
  });
  atTestEnd(() => socket.close());
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    void closed.then((how) => reject(new Error(how)));
  });
  return { socket, messages, closed };
}

describe('SockJS behind one door', () => {
  test('asks for the info, and then takes the WebSocket', async () => {
    const { gate } = await start();
    const { socket, messages } = await connect(gate);
    expect(socket.transport).toBe('websocket');
    expect(await gate.request(({ status }) => status === 200)).toMatchObject({ method: 'GET', path: '/echo/info' });
    socket.send('here');
    expect(await messages.next()).toBe('here');
  });

  test('takes what streams where the server has no WebSocket', async () => {
    const { gate } = await start({ websocket: false });
    const { socket, messages } = await connect(gate);
    expect(socket.transport).toBe('xhr-streaming');
    socket.send('here');
    expect(await messages.next()).toBe('here');
  });

  test.each(transports)('by %s: messages in order, large ones, and both sides can leave', async (transport) => {
    const { gate, left } = await start();
    const { socket, messages, closed } = await connect(gate, transport);
    expect(socket.transport).toBe(transport);
    const sent = Array.from({ length: 50 }, (_, i) => `é ${i}`);
    for (const text of sent) socket.send(text);
    expect(await messages.take(50)).toEqual(sent);
    const text = jsonText(LARGE);
    socket.send(text);
    expect((await messages.next()) === text).toBe(true);
    socket.send('leave');
    expect(await closed).toBe('3456 as asked');
    await left.next();
    const second = await connect(gate, transport);
    second.socket.close(1000, 'enough');
    expect(await second.closed).toBe('1000 enough');
    await left.next();
  });

  test.each(transports)(
    'by %s: with two servers a session stays at its own, by its place in the path',
    async (transport) => {
      const { gate } = await start({ servers: 2, balance: '{ hash: "segment:3" }' });
      const names = new Set<string>();
      // 64 of them would all meet the same one once in 2^63 times.
      for (let tries = 0; names.size < 2 && tries < 64; tries += 1) {
        const { socket, messages } = await connect(gate, transport);
        for (let i = 0; i < 5; i += 1) socket.send('name');
        const answers = new Set(await messages.take(5));
        expect(answers.size).toBe(1);
        for (const name of answers) names.add(name);
        socket.close();
      }
      expect(names.size).toBe(2);
    },
  );

  // What its drivers for Node do not notice is an answer over plain HTTP that is cut off: browsers do.
  test('a restart of framegate ends a WebSocket, and coming back is left to the application', async () => {
    const { gate } = await start();
    const first = await connect(gate, 'websocket');
    await gate.restart();
    // 1012: the WebSocket that it uses in Node takes codes that RFC 6455 does not name for a fault.
    expect(await first.closed).toBe('1002 server restart');
    const { socket, messages } = await connect(gate, 'websocket');
    socket.send('again');
    expect(await messages.next()).toBe('again');
  });
});
