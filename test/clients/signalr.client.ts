// Microsoft's SignalR client, without negotiation, by WebSocket.

import {
  HttpTransportType,
  type HubConnection,
  HubConnectionBuilder,
  HubConnectionState,
  LogLevel,
} from '@microsoft/signalr';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate, type GateOptions } from './gate.ts';
import { HubServer } from './hub-server.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText } from './servers.ts';
import { shortLived, tokenFor } from './tokens.ts';

const LARGE = 700_000;
const BEAT_MS = 50;

interface Hub {
  readonly gate: Gate;
  readonly connection: HubConnection;
  /** `reconnecting: ERROR`, `reconnected`, `closed: ERROR`. */
  readonly events: Inbox<string>;
  /** Pings that the server got. */
  readonly pings: Inbox<void>;
  readonly requests: Inbox<string>;
}

async function open(options: GateOptions = {}, token = () => 'a.b.c'): Promise<Hub> {
  const events = new Inbox<string>();
  const { server, port } = await httpServer();
  const { requests, pings } = new HubServer(server, { beatMs: BEAT_MS, largest: 2 * LARGE });
  const gate = await Gate.before(port, options);
  const connection = new HubConnectionBuilder()
    .withUrl(gate.url('/hub?v=1', 'http'), {
      skipNegotiation: true,
      transport: HttpTransportType.WebSockets,
      accessTokenFactory: token,
    })
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 30 })
    .configureLogging(LogLevel.None)
    .build();
  connection.keepAliveIntervalInMilliseconds = BEAT_MS;
  connection.onreconnecting((error) => events.put(`reconnecting: ${error?.message}`));
  connection.onreconnected(() => events.put('reconnected'));
  connection.onclose((error) => events.put(`closed: ${error?.message}`));
  atTestEnd(() => connection.stop());
  await connection.start();
  return { gate, connection, events, pings, requests };
}

describe('SignalR', () => {
  test('invocations are answered with their result or their error, large ones too', async () => {
    const { connection, requests } = await open();
    expect(await requests.next()).toBe('GET /hub?v=1 Bearer a.b.c');
    expect(await connection.invoke('Echo', { a: ['é', 1, null] })).toEqual({ a: ['é', 1, null] });
    const text = jsonText(LARGE);
    expect((await connection.invoke('Echo', text)) === text).toBe(true);
    await expect(connection.invoke('Fail', 'no such room')).rejects.toThrow('no such room');
  });

  test('the server calls the client, and streams items in order', async () => {
    const { connection } = await open();
    const told = new Inbox<string>();
    connection.on('told', told.put);
    for (const word of ['one', 'two', 'three']) await connection.send('Tell', word);
    expect(await told.take(3)).toEqual(['one', 'two', 'three']);
    const items = await new Promise<number[]>((resolve, reject) => {
      const got: number[] = [];
      connection.stream<number>('Count', 500).subscribe({
        next: (item) => got.push(item),
        complete: () => resolve(got),
        error: reject,
      });
    });
    expect(items).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test('its pings go both ways, and the session lives on them', async () => {
    const { connection, pings } = await open();
    connection.serverTimeoutInMilliseconds = 5_000;
    await pings.take(5);
    expect(await connection.invoke('Echo', 'alive')).toBe('alive');
  });

  test('a Close of the hub ends it, or lets it come back, as it says', async () => {
    const { connection, events } = await open();
    await connection.send('Leave', true);
    expect(await events.next()).toContain('reconnecting: Server returned an error on close: bye');
    expect(await events.next()).toBe('reconnected');
    await connection.send('Leave', false);
    expect(await events.next()).toContain('closed: Server returned an error on close: bye');
  });

  test('stop is an orderly end', async () => {
    const { gate, connection, events } = await open();
    await connection.stop();
    expect(await events.next()).toBe('closed: undefined');
    expect(await gate.sessionEnd()).toMatchObject({ by: 'client', reason: 'client_close', clean: true });
  });

  test('1012 at a restart and 1001 lead back in', async () => {
    const { gate, connection, events } = await open();
    await gate.restart();
    expect(await events.next()).toContain('status code: 1012 (server restart)');
    expect(await events.next()).toBe('reconnected');
    await gate.closeAll(1001, 'away');
    expect(await events.next()).toContain('status code: 1001 (away)');
    expect(await events.next()).toBe('reconnected');
    expect(await connection.invoke('Echo', 'again')).toBe('again');
  });

  test('503 is tried again until it is over', async () => {
    const { gate, connection, events } = await open();
    await gate.drain();
    expect(await events.next()).toContain('status code: 1012 (server restart)');
    await gate.refusal(503);
    expect(connection.state).toBe(HubConnectionState.Reconnecting);
    await gate.undrain();
    expect(await events.next()).toBe('reconnected');
    expect(await connection.invoke('Echo', 'again')).toBe('again');
  });

  test('3000, the end of its credential, leads back in with a new one, which the server does not see', async () => {
    const { gate, connection, events, requests } = await open(shortLived('header:Authorization'), () => tokenFor(1));
    for (let time = 0; time < 2; time += 1) {
      expect(await requests.next()).toBe('GET /hub?v=1 undefined');
      expect(await events.next()).toContain('status code: 3000 (credential expired)');
      expect(await events.next()).toBe('reconnected');
    }
    expect(await connection.invoke('Echo', 'again')).toBe('again');
    const ended = { auth: 'users', identity: 'ada', by: 'proxy', close_code_client: 3000 };
    expect(await gate.sessionEnd((line) => line.reason === 'credential_expired')).toMatchObject(ended);
  });

  test('a negotiation is refused, and the log says what it was', async () => {
    const { gate } = await open();
    const negotiating = new HubConnectionBuilder()
      .withUrl(gate.url('/hub', 'http'))
      .configureLogging(LogLevel.None)
      .build();
    await expect(negotiating.start()).rejects.toThrow(/405|negotiation/);
    const line = await gate.waitForLog('handshake.refused');
    expect(line).toMatchObject({
      status: 405,
      error: 'method',
      path: '/hub/negotiate',
      cause: expect.stringContaining('SignalR negotiate'),
    });
  });
});
