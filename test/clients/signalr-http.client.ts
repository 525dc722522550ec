// Microsoft's SignalR client as it is started without further settings: it negotiates by POST, and then takes a
// WebSocket, server-sent events or long polling. All through one route.

import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { type DoorOptions, Gate } from './gate.ts';
import { HubServer } from './hub-server.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText, type Served } from './servers.ts';
import { shortLived, tokenFor } from './tokens.ts';

const LARGE = 700_000;
const BEAT_MS = 50;

const transports = [
  ['WebSocket', HttpTransportType.WebSockets],
  ['server-sent events', HttpTransportType.ServerSentEvents],
  ['long polling', HttpTransportType.LongPolling],
] as const;

interface Hub {
  readonly gate: Gate;
  readonly hubs: readonly HubServer[];
  readonly apps: readonly Served[];
}

async function start(options: DoorOptions & { readonly servers?: number } = {}): Promise<Hub> {
  const apps: Served[] = [];
  const hubs: HubServer[] = [];
  for (let i = 0; i < (options.servers ?? 1); i += 1) {
    const app = await httpServer();
    apps.push(app);
    hubs.push(new HubServer(app.server, { name: `server ${i}`, beatMs: BEAT_MS, largest: 2 * LARGE }));
  }
  const gate = await Gate.door(
    apps.map(({ port }) => port),
    options,
  );
  return { gate, hubs, apps };
}

interface Client {
  readonly connection: HubConnection;
  /** `reconnecting`, `reconnected`, `closed: ERROR`. */
  readonly events: Inbox<string>;
}

async function open(gate: Gate, transport?: HttpTransportType, token?: () => string): Promise<Client> {
  const connection = new HubConnectionBuilder()
    .withUrl(gate.url('/hub', 'http'), {
      ...(transport === undefined ? {} : { transport }),
      ...(token === undefined ? {} : { accessTokenFactory: token }),
    })
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 30 })
    .configureLogging(LogLevel.None)
    .build();
  connection.keepAliveIntervalInMilliseconds = BEAT_MS;
  const events = new Inbox<string>();
  connection.onreconnecting(() => events.put('reconnecting'));
  connection.onreconnected(() => events.put('reconnected'));
  connection.onclose((error) => events.put(`closed: ${error?.message}`));
  atTestEnd(() => connection.stop());
  await connection.start();
  return { connection, events };
}

describe('SignalR behind one door', () => {
  test('negotiates, and then takes the WebSocket', async () => {
    const { gate, hubs } = await start();
    const { connection } = await open(gate);
    expect(await connection.invoke('Echo', 'here')).toBe('here');
    expect(await hubs[0]?.requests.next()).toMatch(/^POST \/hub\/negotiate\?negotiateVersion=1 undefined$/);
    expect(await hubs[0]?.requests.next()).toMatch(/^GET \/hub\?id=[0-9a-f-]{36} undefined$/);
    await connection.stop();
    expect(await gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
  });

  test.each(transports)('by %s: results, large ones too, calls of the server, streams, pings', async (_, transport) => {
    const { gate, hubs } = await start();
    const { connection } = await open(gate, transport);
    connection.serverTimeoutInMilliseconds = 5_000;
    const text = jsonText(LARGE);
    expect((await connection.invoke('Echo', text)) === text).toBe(true);
    await expect(connection.invoke('Fail', 'no such room')).rejects.toThrow('no such room');
    const told = new Inbox<string>();
    connection.on('told', told.put);
    for (const word of ['one', 'two', 'three']) await connection.send('Tell', word);
    expect(await told.take(3)).toEqual(['one', 'two', 'three']);
    const items = await new Promise<number[]>((resolve, reject) => {
      const got: number[] = [];
      const complete = () => resolve(got);
      connection.stream<number>('Count', 500).subscribe({ next: (item) => got.push(item), complete, error: reject });
    });
    expect(items).toEqual(Array.from({ length: 500 }, (_, i) => i));
    // Long polling needs none from the client: its polls say that it is there.
    if (transport !== HttpTransportType.LongPolling) await hubs[0]?.pings.take(5);
    expect(await connection.invoke('Echo', 'alive')).toBe('alive');
  });

  test.each(transports)('by %s: both sides can leave, and the other knows', async (_, transport) => {
    const { gate, hubs } = await start();
    const first = await open(gate, transport);
    await first.connection.stop();
    expect(await first.events.next()).toBe('closed: undefined');
    await hubs[0]?.left.next();
    const second = await open(gate, transport);
    await second.connection.send('Leave', false);
    expect(await second.events.next()).toContain('closed: Server returned an error on close: bye');
  });

  test.each(transports)('by %s: a restart leads back in', async (_, transport) => {
    const { gate } = await start();
    const { connection, events } = await open(gate, transport);
    await gate.restart();
    expect(await events.take(2)).toEqual(['reconnecting', 'reconnected']);
    expect(await connection.invoke('Echo', 'again')).toBe('again');
  });

  test.each(transports)(
    'by %s: with two servers each client stays at its own, until that dies',
    async (_, transport) => {
      const { gate, apps } = await start({ servers: 2, balance: '{ sticky: {} }' });
      const clients: Client[] = [];
      for (let i = 0; i < 4; i += 1) clients.push(await open(gate, transport));
      const names: string[] = [];
      for (const { connection } of clients) {
        const name: string = await connection.invoke('Name');
        for (let i = 0; i < 5; i += 1) expect(await connection.invoke('Name')).toBe(name);
        names.push(name);
      }
      expect([...names].sort()).toEqual(['server 0', 'server 0', 'server 1', 'server 1']);
      apps[0]?.end();
      const moved = clients[names.indexOf('server 0')];
      expect(await moved?.events.take(2)).toEqual(['reconnecting', 'reconnected']);
      expect(await moved?.connection.invoke('Name')).toBe('server 1');
    },
  );

  test.each(transports)('by %s: its token lets it in, in the places where it puts it', async (_, transport) => {
    const { config, route } = shortLived('header:Authorization", "query:access_token');
    const { gate, hubs } = await start({ config, route });
    const { connection } = await open(gate, transport, () => tokenFor(60));
    expect(await connection.invoke('Echo', 'in')).toBe('in');
    for (const request of (await hubs[0]?.requests.take(2)) ?? []) {
      expect(request).toMatch(/ undefined$/);
      expect(request).not.toContain('access_token');
    }
    await expect(open(gate, transport, () => 'a.b.c')).rejects.toThrow('401');
  });
});
