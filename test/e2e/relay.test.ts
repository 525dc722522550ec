import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { bytesOf, type Conversation, closeBytes, conversation } from './conversation.ts';
import { connectWs, type Inbox, openWsPair, type Received, WsBackend, type WsPair } from './ws-pair.ts';

const MIB = 1_048_576;
const text = (data: string) => ({ kind: 'text', data: Buffer.from(data) });
const binary = (data: Buffer) => ({ kind: 'binary', data });
const isText = (data: string) => (received: Received) =>
  received.kind === 'text' && received.data.equals(Buffer.from(data));
const bothEnds = ({ client, server }: WsPair): [name: string, from: Inbox, to: Inbox][] => [
  ['client to backend', client, server.inbox],
  ['backend to client', server.inbox, client],
];

describe('messages', () => {
  test('text and binary, empty and not, arrive in order both ways', async () => {
    const pair = await openWsPair();
    const bytes = randomBytes(70_000);
    for (const [name, from, to] of bothEnds(pair)) {
      for (const data of ['', 'a', 'grüße', bytes, Buffer.alloc(0)]) from.socket.send(data);
      expect(await to.take(5), name).toEqual([
        text(''),
        text('a'),
        text('grüße'),
        binary(bytes),
        binary(Buffer.alloc(0)),
      ]);
    }
  });

  test('5.4: a fragmented message is one message, a ping between its fragments comes first', async () => {
    const pair = await openWsPair({ client: { autoPong: false }, server: { autoPong: false } });
    for (const [name, from, to] of bothEnds(pair)) {
      from.socket.send('one ', { fin: false });
      from.socket.ping('between');
      from.socket.send('two ', { fin: false });
      from.socket.send('three');
      expect(await to.take(2), name).toEqual([{ kind: 'ping', data: Buffer.from('between') }, text('one two three')]);
    }
  });

  test('5.2: 16 MiB in one message arrive unchanged both ways when the caps allow it', async () => {
    const raised = { max_message_size: '16MiB' };
    const pair = await openWsPair({
      route: { limits: { from_client: raised, from_backend: raised } },
      client: { perMessageDeflate: false },
    });
    const data = randomBytes(16 * MIB);
    for (const [name, from, to] of bothEnds(pair)) {
      from.socket.send(data);
      const received = await to.next();
      expect(received.kind, name).toBe('binary');
      expect(received.kind === 'binary' && received.data.equals(data), name).toBe(true);
    }
  });
});

describe('permessage-deflate', () => {
  test('7692 5.1: passthrough lets both sides agree, and caps count the bytes on the wire', async () => {
    const small = { max_message_size: '64KiB' };
    const pair = await openWsPair({
      route: { limits: { from_client: small, from_backend: small } },
      client: { perMessageDeflate: { threshold: 0 } },
      server: { perMessageDeflate: { threshold: 0 } },
    });
    expect(pair.client.socket.extensions).toBe('permessage-deflate');
    expect(pair.server.request.headers['sec-websocket-extensions']).toBe('permessage-deflate; client_max_window_bits');
    const data = 'compressible '.repeat(80_000);
    for (const [name, from, to] of bothEnds(pair)) {
      for (let i = 0; i < 3; i += 1) from.socket.send(data);
      // By the bytes: the matcher would take seconds for a megabyte.
      expect((await to.take(3)).map(isText(data)), name).toEqual([true, true, true]);
    }
    pair.client.socket.close(1000);
    const end = await pair.running.waitForLog('session.end');
    expect(end).toMatchObject({ from_client: { messages: 3 }, clean: true });
  });

  test('9.1: compression off offers nothing to the backend and agrees on nothing', async () => {
    const pair = await openWsPair({
      route: { compression: 'off' },
      client: { perMessageDeflate: { threshold: 0 } },
      server: { perMessageDeflate: { threshold: 0 } },
    });
    expect(pair.client.socket.extensions).toBe('');
    expect(pair.server.request.headers['sec-websocket-extensions']).toBeUndefined();
    for (const [name, from, to] of bothEnds(pair)) {
      from.socket.send('x'.repeat(5_000));
      expect(await to.next(), name).toEqual(text('x'.repeat(5_000)));
    }
  });

  test('9.1: extensions other than permessage-deflate are not offered to the backend', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy(oneRoute(backend.url));
    const client = await RawClient.connect(running.port);
    const offer = 'x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=12, permessage-bzip2';
    client.upgrade({ headers: { 'Sec-WebSocket-Extensions': offer } }).catch(() => {});
    const request = await (await backend.nextConnection()).request();
    expect(request.field('sec-websocket-extensions')).toBe('permessage-deflate; client_max_window_bits=12');
  });
});

describe('subprotocols', () => {
  const handleProtocols = (offered: Set<string>) => [...offered].at(-1) ?? false;

  test('any: the offer goes through, the backend chooses', async () => {
    const pair = await openWsPair({ client: { protocols: ['chat.v1', 'chat.v2'] }, server: { handleProtocols } });
    expect(pair.server.request.headers['sec-websocket-protocol']).toBe('chat.v1, chat.v2');
    expect(pair.client.socket.protocol).toBe('chat.v2');
  });

  test('a list: others are removed from the offer', async () => {
    const pair = await openWsPair({
      route: { subprotocols: ['chat.v1', 'other'] },
      config: { log: { session_open: 'info' } },
      client: { protocols: ['chat.v1', 'chat.v2'] },
      server: { handleProtocols },
    });
    expect(pair.server.request.headers['sec-websocket-protocol']).toBe('chat.v1');
    expect(pair.client.socket.protocol).toBe('chat.v1');
    expect(await pair.running.waitForLog('session.open')).toMatchObject({ subprotocol: 'chat.v1' });
  });

  test('a list: no offer is fine, an offer without a listed one is 400', async () => {
    const backend = await WsBackend.listen({ handleProtocols });
    const running = await startProxy(oneRoute(backend.url, { subprotocols: ['chat.v1'] }));
    const client = await connectWs(running.port);
    expect(client.socket.protocol).toBe('');
    await expect(connectWs(running.port, { protocols: ['chat.v2'] })).rejects.toThrow(/400/);
    expect(await running.waitForLog('handshake.refused')).toMatchObject({ error: 'subprotocol', status: 400 });
    expect(backend.sessions).toHaveLength(1);
  });

  test('what the config does not name is logged as unlisted', async () => {
    const { running } = await openWsPair({
      config: { log: { session_open: 'info' } },
      client: { protocols: ['a.secret.token'] },
      server: { handleProtocols },
    });
    expect(await running.waitForLog('session.open')).toMatchObject({ subprotocol: 'unlisted' });
    expect(JSON.stringify(running.logs)).not.toContain('secret');
  });
});

describe('control frames', () => {
  test('5.5.2: pings and their pongs pass both ways with their payload', async () => {
    const pair = await openWsPair();
    for (const [name, from, to] of bothEnds(pair)) {
      for (const payload of ['', 'p', 'x'.repeat(125)]) {
        from.socket.ping(payload);
        expect(await to.next(), name).toEqual({ kind: 'ping', data: Buffer.from(payload) });
        expect(await from.next(), name).toEqual({ kind: 'pong', data: Buffer.from(payload) });
      }
    }
  });

  test('5.5.3: an unsolicited pong passes both ways', async () => {
    const pair = await openWsPair();
    for (const [name, from, to] of bothEnds(pair)) {
      from.socket.pong('unasked');
      expect(await to.next(), name).toEqual({ kind: 'pong', data: Buffer.from('unasked') });
    }
  });
});

describe('backpressure', () => {
  const count = 96;
  const bulk = Buffer.alloc(256 * 1024, 0x61);

  test.each(['client', 'backend'] as const)(
    'a %s that does not read stops the other end, and misses nothing',
    async (slow) => {
      const pair = await openWsPair({
        client: { perMessageDeflate: false },
        config: { limits: { max_buffered: '64KiB' } },
      });
      const [reader, writer] = slow === 'client' ? [pair.client, pair.server.inbox] : [pair.server.inbox, pair.client];
      reader.socket.pause();
      for (let i = 0; i < count; i += 1) writer.socket.send(bulk);
      await quiet(() => writer.socket.bufferedAmount);
      expect(writer.socket.bufferedAmount).toBeGreaterThan(0);
      reader.socket.resume();
      const received = await reader.take(count);
      expect(received.every((one) => one.kind === 'binary' && one.data.equals(bulk))).toBe(true);
      writer.socket.close(1000);
      const end = await pair.running.waitForLog('session.end');
      const from = slow === 'client' ? 'from_backend' : 'from_client';
      const sum = count * bulk.length;
      const pauses = expect.toSatisfy((times: number) => times > 0);
      expect(end).toMatchObject({ clean: true, [from]: { messages: count, bytes: sum, pauses } });
    },
  );
});

/** Resolves when a number has stopped to change. */
async function quiet(value: () => number): Promise<void> {
  let last = Number.NaN;
  let times = 0;
  await vi.waitUntil(
    () => {
      times = value() === last ? times + 1 : 0;
      last = value();
      return times > 5;
    },
    { timeout: 5_000, interval: 10 },
  );
}

describe('any legal conversation', () => {
  test('arrives on the other side byte for byte, whatever the cuts', async () => {
    const backend = await RawBackend.listen();
    // More control frames at once than the default budget has.
    const limits = { from_client: { control_frames_per_second: 'off' } } as const;
    const running = await startProxy(oneRoute(backend.url, { limits }, { log: { level: 'warn' } }));
    const hold = async (talk: Conversation) => {
      const client = await RawClient.connect(running.port);
      const opened = client.upgrade();
      const server = await backend.nextSession();
      const clientHead = (await opened).raw.length;
      const serverHead = (await server.head()).length;
      const fromClient = bytesOf(talk.client.frames, true);
      const fromServer = bytesOf(talk.backend.frames, false);
      await Promise.all([
        client.sendInPieces(fromClient, talk.client.pieceBytes),
        server.sendInPieces(fromServer, talk.backend.pieceBytes),
        client.receivedBytes(clientHead + fromServer.length),
        server.receivedBytes(serverHead + fromClient.length),
      ]);
      const [closer, other] = talk.closer === 'client' ? [client, server] : [server, client];
      closer.send(closeBytes(talk, closer === client));
      await other.framesUntilClose();
      other.send(closeBytes(talk, other === client));
      await closer.framesUntilClose();
      server.end();
      await Promise.all([client.closed, server.closed]);
      // Masks included: payload is relayed as the client masked it.
      const wanted = [
        Buffer.concat([fromClient, closeBytes(talk, true)]),
        Buffer.concat([fromServer, closeBytes(talk, false)]),
      ];
      const got = [server.received.subarray(serverHead), client.received.subarray(clientHead)];
      expect(got.map((bytes, at) => bytes.equals(wanted[at] ?? bytes))).toEqual([true, true]);
    };
    await fc.assert(fc.asyncProperty(conversation, hold), { numRuns: 60 });
  });
});
