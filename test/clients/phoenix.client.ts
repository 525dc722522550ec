// The client of Phoenix channels, by WebSocket and by its long polling, through one route.

import { type Channel, LongPoll, Socket } from 'phoenix';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { PhoenixServer } from './phoenix-server.ts';
import { httpServer, jsonText } from './servers.ts';

const LARGE = 700_000;

const transports = [
  ['WebSocket', WebSocket],
  ['long polling', LongPoll],
] as const;

async function start(websocket = true): Promise<Gate> {
  const { server, port } = await httpServer();
  new PhoenixServer(server, { windowMs: 100, websocket });
  return Gate.door([port]);
}

/** What the client keeps for a browser's tab. */
class Storage {
  private readonly items = new Map<string, string>();

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

async function open(gate: Gate, options: object) {
  const quick = { sessionStorage: new Storage(), reconnectAfterMs: () => 30, rejoinAfterMs: () => 30 };
  const socket = new Socket(gate.url('/socket'), { ...quick, ...options });
  /** `open`, `close`. */
  const events = new Inbox<string>();
  socket.onOpen(() => events.put('open'));
  socket.onClose(() => events.put('close'));
  atTestEnd(() => socket.disconnect());
  socket.connect();
  const channel = socket.channel('room:lobby');
  await new Promise((resolve) => {
    channel.join().receive('ok', resolve);
  });
  return { socket, channel, events };
}

function echo(channel: Channel, payload: object): Promise<object> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error('no reply'));
    channel.push('echo', payload).receive('ok', resolve).receive('timeout', fail);
  });
}

describe('Phoenix channels', () => {
  test.each(transports)(
    'by %s: replies, large ones too, and what one shouts all get, in order',
    async (_, transport) => {
      const gate = await start();
      const [one, other] = [await open(gate, { transport }), await open(gate, { transport })];
      const heard = new Inbox<number>();
      other.channel.on('shout', ({ i }: { i: number }) => heard.put(i));
      // More than fit in one post of long polling.
      for (let i = 0; i < 250; i += 1) one.channel.push('shout', { i });
      expect(await heard.take(250)).toEqual(Array.from({ length: 250 }, (_, i) => i));
      const text = jsonText(LARGE);
      expect(await echo(one.channel, { text })).toEqual({ text });
      // A poll that nothing came for is answered, and asked again.
      if (transport === LongPoll) await gate.request(({ method, ms }) => method === 'GET' && Number(ms) >= 100);
      expect(await echo(one.channel, { a: 'é' })).toEqual({ a: 'é' });
    },
  );

  test('a WebSocket that is refused leads to long polling', async () => {
    const gate = await start(false);
    const { channel } = await open(gate, { transport: WebSocket, longPollFallbackMs: 2_000 });
    expect(await echo(channel, { a: 1 })).toEqual({ a: 1 });
    expect(await gate.request(({ method }) => method === 'POST')).toMatchObject({
      path: '/socket/longpoll',
      status: 200,
    });
  });

  test.each(transports)(
    'by %s: a restart of framegate leads back in, and the channel is joined again',
    async (_, transport) => {
      const gate = await start();
      const { channel, events } = await open(gate, { transport });
      expect(await events.next()).toBe('open');
      await gate.restart();
      await events.until((event) => event === 'open');
      expect(await echo(channel, { a: 1 })).toEqual({ a: 1 });
    },
  );
});
