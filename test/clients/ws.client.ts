// ws at both ends: what the protocol itself has to offer.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate, type GateOptions } from './gate.ts';
import { Inbox } from './inbox.ts';
import { jsonText, wsServer } from './servers.ts';

const LARGE = 900_000;

interface Opened {
  readonly gate: Gate;
  readonly client: WebSocket;
  /** The same session, as the server sees it. */
  readonly server: WebSocket;
  readonly request: IncomingMessage;
}

async function open(
  options: ClientOptions & { readonly gate?: GateOptions; readonly protocols?: readonly string[] } = {},
): Promise<Opened> {
  const { gate: gateOptions, protocols, ...clientOptions } = options;
  const served = new Inbox<[WebSocket, IncomingMessage]>();
  const serve = (socket: WebSocket, request: IncomingMessage) => served.put([socket, request]);
  const port = await wsServer({ perMessageDeflate: { threshold: 0 } }, serve);
  const gate = await Gate.before(port, gateOptions);
  const client = connect(gate, '/room?a=1&b=%20', [...(protocols ?? [])], clientOptions);
  const [[server, request]] = await Promise.all([served.next(), once(client, 'open')]);
  return { gate, client, server, request };
}

function connect(gate: Gate, target: string, protocols: string[], options: ClientOptions): WebSocket {
  const client = new WebSocket(gate.url(target), protocols, options);
  client.on('error', () => {});
  atTestEnd(() => client.terminate());
  return client;
}

async function message(socket: WebSocket): Promise<Buffer | string> {
  const [data, isBinary] = await once(socket, 'message');
  return isBinary ? data : String(data);
}

describe('ws', () => {
  test('text and binary go both ways, whole, with every length at an edge of the frame header', async () => {
    const { client, server } = await open({ perMessageDeflate: false });
    for (const length of [0, 1, 125, 126, 65_535, 65_536, LARGE]) {
      const [text, bytes] = ['é'.repeat(length >> 1), Buffer.alloc(length, length & 0xff)];
      const atServer = message(server);
      client.send(text);
      expect((await atServer) === text, `${length} bytes of text`).toBe(true);
      const atClient = message(client);
      server.send(bytes);
      const got = await atClient;
      expect(Buffer.isBuffer(got) && got.equals(bytes), `${length} bytes`).toBe(true);
    }
  });

  test('the target, its query, cookies and credentials reach the server', async () => {
    const { request } = await open({ headers: { Cookie: 'a=1; b=2', Authorization: 'Bearer x.y' } });
    expect(request.url).toBe('/room?a=1&b=%20');
    expect(request.headers).toMatchObject({ cookie: 'a=1; b=2', authorization: 'Bearer x.y' });
  });

  test('compression is agreed on by default, and every compressed message inflates to what was sent', async () => {
    const { gate, client, server } = await open();
    expect(client.extensions).toContain('permessage-deflate');
    const text = jsonText(LARGE);
    for (let i = 0; i < 3; i += 1) {
      const atServer = message(server);
      client.send(text);
      expect(await atServer).toBe(text);
      const atClient = message(client);
      server.send(text);
      expect(await atClient).toBe(text);
    }
    client.close();
    const { from_client, from_backend } = await gate.sessionEnd();
    for (const side of [from_client, from_backend]) {
      expect(side.messages).toBe(3);
      expect(side.bytes).toBeLessThan(3 * LARGE * 0.5);
    }
  });

  test('with compression: off nothing is compressed, and both sides know', async () => {
    const { gate, client, server } = await open({ gate: { route: ['compression: off'] } });
    expect([client.extensions, server.extensions]).toEqual(['', '']);
    const atServer = message(server);
    client.send('x'.repeat(10_000));
    expect(await atServer).toBe('x'.repeat(10_000));
    client.close();
    expect((await gate.sessionEnd()).from_client.bytes).toBe(10_000);
  });

  test('fragments of one message arrive as one, with a ping between them', async () => {
    const { client, server } = await open({ perMessageDeflate: false });
    const atServer = message(server);
    const pinged = once(server, 'ping');
    client.send('one ', { fin: false });
    client.ping('between');
    client.send('two', { fin: true });
    expect(String((await pinged)[0])).toBe('between');
    expect(await atServer).toBe('one two');
  });

  test('pings of either side are answered by the other, payload and all', async () => {
    const { client, server } = await open();
    for (const [from, payload] of [
      [client, Buffer.from([0, 255, 128])],
      [server, Buffer.from('beat')],
    ] as const) {
      const answered = once(from, 'pong');
      from.ping(payload);
      expect((await answered)[0]).toEqual(payload);
    }
  });

  test('the subprotocol is the one that the server takes', async () => {
    const port = await wsServer({ handleProtocols: (offered) => [...offered][1] ?? false }, () => {});
    const gate = await Gate.before(port);
    const client = connect(gate, '/', ['one.v1', 'two.v2', 'three'], {});
    await once(client, 'open');
    expect(client.protocol).toBe('two.v2');
  });

  test.each([
    [1000, 'done'],
    [1008, 'policy'],
    [3001, 'of a library'],
    [4999, 'ä'.repeat(61)],
  ])('close code %i and its reason pass both ways', async (code, reason) => {
    for (const closer of ['client', 'server'] as const) {
      const { gate, client, server } = await open();
      const [from, to] = closer === 'client' ? [client, server] : [server, client];
      const closed = [once(from, 'close'), once(to, 'close')];
      from.close(code, reason);
      for (const [gotCode, gotReason] of await Promise.all(closed)) {
        expect([gotCode, String(gotReason)]).toEqual([code, reason]);
      }
      const by = closer === 'client' ? 'client' : 'backend';
      expect(await gate.sessionEnd()).toMatchObject({ by, reason: `${by}_close`, clean: true });
    }
  });

  test('a Close without a code is 1005 at both ends, never on the wire', async () => {
    const { client, server } = await open();
    const closed = [once(client, 'close'), once(server, 'close')];
    client.close();
    for (const [code] of await Promise.all(closed)) expect(code).toBe(1005);
  });

  test('a message over the limit is 1009 to the client and 1001 to the server', async () => {
    const { client, server } = await open({ perMessageDeflate: false });
    const closed = [once(client, 'close'), once(server, 'close')];
    client.send(Buffer.alloc(1024 * 1024 + 1));
    const [[clientCode, reason], [serverCode]] = (await Promise.all(closed)) as [unknown[], unknown[]];
    expect([clientCode, String(reason), serverCode]).toEqual([1009, 'max_message_size', 1001]);
  });

  test('a lost server is 1012 to the client, a lost client 1001 to the server', async () => {
    const first = await open();
    const told = once(first.client, 'close');
    first.server.terminate();
    expect((await told)[0]).toBe(1012);
    const second = await open();
    const heard = once(second.server, 'close');
    second.client.terminate();
    expect((await heard)[0]).toBe(1001);
  });

  test('1012 at a drain, 503 with Retry-After while it lasts, and in again after it', async () => {
    const { gate, client } = await open();
    const closed = once(client, 'close');
    await gate.drain();
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([1012, 'server restart']);
    const refused = connect(gate, '/', [], {});
    const [, answer] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect([answer.statusCode, Number(answer.headers['retry-after'])]).toEqual([
      503,
      expect.toBeOneOf([1, 2, 3, 4, 5]),
    ]);
    await gate.undrain();
    await once(connect(gate, '/', [], {}), 'open');
  });

  test("a server's refusal arrives with its status, its fields and its body", async () => {
    const port = await wsServer(
      { verifyClient: (_, done) => done(false, 401, 'sorry', { 'X-Why': 'token' }) },
      () => {},
    );
    const gate = await Gate.before(port);
    const client = connect(gate, '/', [], {});
    const [, answer] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
    const body = Buffer.concat(await answer.toArray());
    expect([answer.statusCode, answer.headers['x-why'], String(body)]).toEqual([401, 'token', 'sorry']);
  });
});
