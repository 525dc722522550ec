// undici's WebSocket, which is Node's and Deno's browser-like one, with a ws server.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'undici';
import { describe, expect, test } from 'vitest';
import type { WebSocket as ServerSocket } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { jsonText, wsServer } from './servers.ts';

const LARGE = 900_000;

type Served = [ServerSocket, IncomingMessage];

async function start(): Promise<{ readonly gate: Gate; readonly served: Inbox<Served> }> {
  const served = new Inbox<Served>();
  const options = { perMessageDeflate: { threshold: 0 }, handleProtocols: () => 'chat.v2' };
  const gate = await Gate.before(await wsServer(options, (socket, request) => served.put([socket, request])));
  return { gate, served };
}

interface Client {
  readonly socket: WebSocket;
  readonly events: Inbox<string>;
  readonly messages: Inbox<unknown>;
}

/** `events`: `open`, `error`, and `close CODE REASON CLEAN`. */
function connect(gate: Gate): Client {
  const socket = new WebSocket(gate.url('/chat?x=%2F'), ['chat.v1', 'chat.v2']);
  socket.binaryType = 'arraybuffer';
  const [events, messages] = [new Inbox<string>(), new Inbox<unknown>()];
  socket.addEventListener('open', () => events.put('open'));
  socket.addEventListener('error', () => events.put('error'));
  socket.addEventListener('close', (event) => events.put(`close ${event.code} ${event.reason} ${event.wasClean}`));
  socket.addEventListener('message', ({ data }) => messages.put(data));
  atTestEnd(() => socket.close());
  return { socket, events, messages };
}

async function open() {
  const { gate, served } = await start();
  const client = connect(gate);
  expect(await client.events.next()).toBe('open');
  const [server, request] = await served.next();
  return { gate, served, server, request, ...client };
}

describe('undici', () => {
  test('compressed text and binary go both ways, large ones too', async () => {
    const { gate, socket, server, messages } = await open();
    expect(socket.extensions).toContain('permessage-deflate');
    const text = jsonText(LARGE);
    const bytes = Buffer.from(text);
    for (const sent of [text, bytes, 'é', '']) {
      const atServer = once(server, 'message');
      socket.send(sent);
      const [data, isBinary] = (await atServer) as [Buffer, boolean];
      expect([isBinary, data.equals(Buffer.from(sent))]).toEqual([typeof sent !== 'string', true]);
      server.send(sent);
      const got = await messages.next();
      expect(typeof got).toBe(typeof sent);
      expect(Buffer.from(got as ArrayBuffer).equals(Buffer.from(sent))).toBe(true); // a string or an ArrayBuffer
    }
    socket.close(1000);
    const { from_client, from_backend } = await gate.sessionEnd();
    expect(from_client).toMatchObject({ messages: 4 });
    expect(from_backend.bytes).toBeLessThan(LARGE);
  });

  test('the subprotocol is the one that the server takes, the target arrives as it was', async () => {
    const { socket, request } = await open();
    expect([socket.protocol, request.url]).toEqual(['chat.v2', '/chat?x=%2F']);
  });

  test.each([
    [1000, 'done'],
    [4123, 'ä'.repeat(61)],
  ])('close code %i and its reason pass both ways', async (code, reason) => {
    const first = await open();
    const closed = once(first.server, 'close');
    first.socket.close(code, reason);
    const [gotCode, gotReason] = (await closed) as [number, Buffer];
    expect([gotCode, String(gotReason)]).toEqual([code, reason]);
    expect(await first.events.next()).toBe(`close ${code} ${reason} true`);
    const second = await open();
    second.server.close(code, reason);
    expect(await second.events.next()).toBe(`close ${code} ${reason} true`);
  });

  test('a ping of the server is answered', async () => {
    const { server } = await open();
    const answered = once(server, 'pong');
    server.ping(Buffer.from([1, 2, 3]));
    expect((await answered)[0]).toEqual(Buffer.from([1, 2, 3]));
  });

  test('a restart is a clean 1012, 1001 a clean 1001; it does not come back by itself', async () => {
    const { gate, events, served } = await open();
    await gate.restart();
    expect(await events.next()).toBe('close 1012 server restart true');
    const again = connect(gate);
    expect(await again.events.next()).toBe('open');
    await served.next();
    await gate.closeAll(1001, 'away');
    expect(await again.events.next()).toBe('close 1001 away true');
  });

  test('a 503 is an error and then 1006', async () => {
    const { gate, events } = await open();
    await gate.drain();
    expect(await events.next()).toBe('close 1012 server restart true');
    const refused = connect(gate);
    expect(await refused.events.take(2)).toEqual(['error', expect.stringMatching(/^close 1006 .*false$/)]);
    await gate.refusal(503);
    await gate.undrain();
    expect(await connect(gate).events.next()).toBe('open');
  });
});
