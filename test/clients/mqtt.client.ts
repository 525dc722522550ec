// MQTT.js with the broker aedes over ws streams: all three qualities of service, retained messages, wills, its
// keep-alive, and a session that outlives connections.

import { once } from 'node:events';
import { Aedes } from 'aedes';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { createWebSocketStream } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { wsServer } from './servers.ts';

const LARGE = 700_000;

interface Broker {
  readonly gate: Gate;
  /** Ids of clients that sent a PINGREQ. */
  readonly pings: Inbox<string>;
}

async function start(): Promise<Broker> {
  const broker = await Aedes.createBroker();
  const pings = new Inbox<string>();
  broker.on('ping', (_, client) => pings.put(client.id));
  const port = await wsServer({ handleProtocols: () => 'mqtt' }, (socket, request) => {
    const stream = createWebSocketStream(socket);
    stream.on('error', () => {});
    broker.handle(stream, request);
  });
  const gate = await Gate.before(port);
  atTestEnd(() => new Promise((resolve) => broker.close(() => resolve())));
  return { gate, pings };
}

interface Received {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

interface Client {
  readonly client: MqttClient;
  readonly messages: Inbox<Received>;
  /** `connect`, `close`, `reconnect`, `error: MESSAGE`, from the first connection on. */
  readonly events: Inbox<string>;
}

async function connect(gate: Gate, options: IClientOptions = {}): Promise<Client> {
  const client = await connectAsync(gate.url('/mqtt'), { reconnectPeriod: 30, ...options });
  const messages = new Inbox<Received>();
  const events = new Inbox<string>();
  client.on('message', (topic, payload, { retain }) => messages.put({ topic, payload, retain }));
  for (const event of ['connect', 'close', 'reconnect'] as const) client.on(event, () => events.put(event));
  client.on('error', (error) => events.put(`error: ${error.message}`));
  atTestEnd(() => client.endAsync(true));
  return { client, messages, events };
}

describe('mqtt', () => {
  test.each([0, 1, 2] as const)('quality of service %i delivers each message once, in order', async (qos) => {
    const { gate } = await start();
    const [subscriber, publisher] = [await connect(gate), await connect(gate)];
    await subscriber.client.subscribeAsync('a/+/c', { qos });
    for (let i = 0; i < 50; i += 1) await publisher.client.publishAsync('a/b/c', String(i), { qos });
    const got = await subscriber.messages.take(50);
    expect(got.map(({ payload }) => String(payload))).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  test('a large message arrives byte for byte, over the subprotocol mqtt', async () => {
    const { gate } = await start();
    const { client, messages } = await connect(gate);
    await client.subscribeAsync('large', { qos: 1 });
    const payload = Buffer.alloc(LARGE, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
    await client.publishAsync('large', payload, { qos: 1 });
    expect((await messages.next()).payload.equals(payload)).toBe(true);
    await client.endAsync();
    const { from_client, from_backend } = await gate.sessionEnd();
    for (const { bytes } of [from_client, from_backend]) expect(bytes).toBeGreaterThan(LARGE);
  });

  test('what is retained waits for who subscribes later', async () => {
    const { gate } = await start();
    const publisher = await connect(gate);
    await publisher.client.publishAsync('last', 'word', { qos: 1, retain: true });
    const { client, messages } = await connect(gate);
    await client.subscribeAsync('last');
    expect(await messages.next()).toEqual({ topic: 'last', payload: Buffer.from('word'), retain: true });
  });

  test('the will of a client that vanishes is carried out, not of one that says goodbye', async () => {
    const { gate } = await start();
    const { client, messages } = await connect(gate);
    await client.subscribeAsync('will/#', { qos: 1 });
    const will = (name: string) =>
      ({ topic: `will/${name}`, payload: Buffer.from('gone'), qos: 1, retain: false }) as const;
    const polite = await connect(gate, { will: will('polite') });
    await polite.client.endAsync();
    const lost = await connect(gate, { will: will('lost'), reconnectPeriod: 0 });
    lost.client.stream.destroy();
    expect((await messages.next()).topic).toBe('will/lost');
  });

  test('its keep-alive goes through, and the session lives on it', async () => {
    const { gate, pings } = await start();
    const { client, messages, events } = await connect(gate, { keepalive: 1, clientId: 'beating' });
    expect(await pings.take(2)).toEqual(['beating', 'beating']);
    await client.subscribeAsync('alive');
    await client.publishAsync('alive', 'yes');
    expect(String((await messages.next()).payload)).toBe('yes');
    events.put('nothing else');
    expect(await events.next()).toBe('nothing else');
  });

  test('goodbye is an orderly end', async () => {
    const { gate } = await start();
    const { client } = await connect(gate);
    await client.endAsync();
    expect(await gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', subprotocol: 'unlisted' });
  });

  test('1012 at a restart, 1001 and 503 lead back in; subscriptions and what was published live on', async () => {
    const { gate } = await start();
    const { client, messages, events } = await connect(gate, { clean: false, clientId: 'durable' });
    await client.subscribeAsync('news', { qos: 1 });
    await gate.restart();
    expect(await events.next()).toBe('close');
    const published = client.publishAsync('news', 'during the restart', { qos: 1 });
    await events.until((event) => event === 'connect');
    await published;
    expect(String((await messages.next()).payload)).toBe('during the restart');
    await gate.closeAll(1001, 'away');
    await events.until((event) => event === 'close');
    await events.until((event) => event === 'connect');
    await gate.drain();
    await events.until((event) => event === 'close');
    await gate.refusal(503);
    await gate.undrain();
    await events.until((event) => event === 'connect');
    await client.publishAsync('news', 'after all', { qos: 1 });
    expect(String((await messages.next()).payload)).toBe('after all');
  });

  test('the client is told 1012', async () => {
    const { gate } = await start();
    const { client } = await connect(gate, { reconnectPeriod: 0 });
    const closed = once(client, 'close');
    await gate.drain();
    await closed;
    expect(await gate.sessionEnd()).toMatchObject({
      reason: 'drain',
      close_code_client: 1012,
      close_code_backend: 1001,
    });
  });
});
