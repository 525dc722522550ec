// The Action Cable client of Rails, with a small server that speaks its frames over actioncable-v1-json.

import { adapters, ConnectionMonitor, type Consumer, createConsumer, type Subscription } from '@rails/actioncable';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate } from './gate.ts';
import { Inbox } from './inbox.ts';
import { jsonText, wsServer } from './servers.ts';

/** Quotes in it are escaped twice on the way to the server, and it has to stay below 1 MiB. */
const LARGE = 300_000;
const BEAT_MS = 100;
/** The client's own value is 6 s: how long nothing may come before it opens another connection. */
const STALE_S = 0.5;

beforeAll(() => {
  adapters.WebSocket = WebSocket;
  ConnectionMonitor.staleThreshold = STALE_S;
  // It listens for the page's visibility, and there is no page.
  Object.assign(globalThis, { addEventListener: () => {}, removeEventListener: () => {} });
});

interface Command {
  readonly command: 'subscribe' | 'unsubscribe' | 'message';
  readonly identifier: string;
  readonly data?: string;
}

/** One channel, `Echo`; action `echo` answers, `leave` makes the server disconnect and say whether to come back. */
function serveCable(socket: WebSocket, commands: Inbox<string>): void {
  const send = (message: object) => socket.send(JSON.stringify(message));
  send({ type: 'welcome' });
  const beat = setInterval(() => send({ type: 'ping', message: Math.floor(Date.now() / 1000) }), BEAT_MS);
  socket.on('close', () => clearInterval(beat));
  socket.on('message', (data) => {
    const { command, identifier, data: inner } = JSON.parse(String(data)) as Command; // the client sends nothing else
    commands.put(command);
    if (command === 'subscribe') {
      const isKnown = JSON.parse(identifier).channel === 'Echo';
      send({ type: isKnown ? 'confirm_subscription' : 'reject_subscription', identifier });
    }
    if (command !== 'message') return;
    const { action, ...rest } = JSON.parse(inner ?? '');
    if (action === 'echo') send({ identifier, message: rest });
    if (action === 'leave') {
      send({ type: 'disconnect', reason: 'server_restart', reconnect: rest.reconnect });
      socket.close(1000);
    }
  });
}

interface Cable {
  readonly gate: Gate;
  readonly consumer: Consumer;
  readonly channel: Subscription;
  /** `connected AGAIN`, `disconnected COMES_BACK`, `rejected`. */
  readonly events: Inbox<string>;
  readonly received: Inbox<unknown>;
  readonly commands: Inbox<string>;
}

async function open(channel = 'Echo'): Promise<Cable> {
  const [commands, events, received] = [new Inbox<string>(), new Inbox<string>(), new Inbox<unknown>()];
  const options = { maxPayload: 2 * LARGE, handleProtocols: (offered: Set<string>) => [...offered][0] ?? false };
  const port = await wsServer(options, (socket) => serveCable(socket, commands));
  const gate = await Gate.before(port, { route: ['subprotocols: [actioncable-v1-json, actioncable-unsupported]'] });
  const consumer = createConsumer(gate.url('/cable'));
  atTestEnd(() => consumer.disconnect());
  const callbacks = {
    connected: ({ reconnected }: { reconnected: boolean }) => events.put(`connected ${reconnected}`),
    disconnected: (how: { willAttemptReconnect: boolean }) => events.put(`disconnected ${how.willAttemptReconnect}`),
    rejected: () => events.put('rejected'),
    received: received.put,
  };
  const subscription = consumer.subscriptions.create({ channel, room: 'é' }, callbacks);
  return { gate, consumer, channel: subscription, events, received, commands };
}

async function echo({ channel, received }: Cable, data: object): Promise<unknown> {
  channel.perform('echo', data);
  return received.next();
}

describe('ActionCable', () => {
  test('actions and broadcasts go through, large ones too, over its subprotocol', async () => {
    const cable = await open();
    expect(await cable.events.next()).toBe('connected false');
    expect(await echo(cable, { text: 'é', list: [1, null] })).toEqual({ text: 'é', list: [1, null] });
    const text = jsonText(LARGE);
    expect(((await echo(cable, { text })) as { text: string }).text === text).toBe(true);
    cable.consumer.disconnect();
    const end = await cable.gate.sessionEnd();
    expect(end).toMatchObject({ by: 'client', subprotocol: 'actioncable-v1-json', clean: true });
  });

  test('a channel that the server does not know is rejected', async () => {
    const { events } = await open('Unknown');
    expect(await events.next()).toBe('rejected');
  });

  test('unsubscribe reaches the server', async () => {
    const { channel, commands, events } = await open();
    expect(await events.next()).toBe('connected false');
    channel.unsubscribe();
    expect(await commands.take(2)).toEqual(['subscribe', 'unsubscribe']);
  });

  test('the pings of the server keep it from opening another connection', async () => {
    const cable = await open();
    expect(await cable.events.next()).toBe('connected false');
    await new Promise((resolve) => setTimeout(resolve, 4 * STALE_S * 1000));
    expect(await echo(cable, { still: 'here' })).toEqual({ still: 'here' });
    cable.events.put('nothing else');
    expect(await cable.events.next()).toBe('nothing else');
  });

  test('disconnect frames of the server end it, or let it come back, as they say', async () => {
    const cable = await open();
    expect(await cable.events.next()).toBe('connected false');
    cable.channel.perform('leave', { reconnect: true });
    expect(await cable.events.take(2)).toEqual(['disconnected true', 'connected true']);
    cable.channel.perform('leave', { reconnect: false });
    expect(await cable.events.next()).toBe('disconnected false');
  });

  test('1012 at a restart and 1001 lead back in', async () => {
    const cable = await open();
    expect(await cable.events.next()).toBe('connected false');
    await cable.gate.restart();
    expect(await cable.events.take(2)).toEqual(['disconnected true', 'connected true']);
    await cable.gate.closeAll(1001, 'away');
    expect(await cable.events.take(2)).toEqual(['disconnected true', 'connected true']);
    expect(await echo(cable, { again: true })).toEqual({ again: true });
  });

  test('503 is tried again until it is over', async () => {
    const cable = await open();
    expect(await cable.events.next()).toBe('connected false');
    await cable.gate.drain();
    expect(await cable.events.next()).toBe('disconnected true');
    expect(await cable.gate.sessionEnd()).toMatchObject({ reason: 'drain', close_code_client: 1012 });
    await cable.gate.refusal(503);
    await cable.gate.undrain();
    expect(await cable.events.next()).toBe('connected true');
    expect(await echo(cable, { again: true })).toEqual({ again: true });
  });
});
