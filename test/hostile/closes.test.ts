// Closes that peers send, and the frames of our own: how a session ends on the wire.

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { closeFrame as ownCloseFrame } from '../../src/protocol/frame-writer.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { closeFrame, closeOf, Opcode, parseFrames, ping, pong, text } from '../support/wire.ts';
import {
  as,
  bothSides,
  endLine,
  endsOf,
  noTraffic,
  openPair,
  openSession,
  otherOf,
  type Side,
  traffic,
} from './pair.ts';

const hello = 'hello';

interface Closing {
  readonly side: Side;
  readonly code: number | null;
  readonly reason: string;
}

/** `side` closes, the other side answers the same; both Closes must pass byte for byte. */
async function expectRelayedClose({ side, code, reason }: Closing): Promise<void> {
  const pair = await openPair();
  const { culprit: closer, other } = endsOf(pair, side);
  const closing = closeFrame(code, reason, as(side));
  const answer = closeFrame(code, 'bye', as(otherOf(side)));
  closer.send(closing);
  expect((await other.nextFrame()).bytes).toEqual(closing);
  expect(pair.client.finSeen).toBe(false);
  other.send(answer);
  expect((await closer.nextFrame()).bytes).toEqual(answer);
  await pair.client.ended;
  expect(pair.server.finSeen).toBe(false);
  pair.client.end();
  pair.server.end();
  await Promise.all([pair.client.closed, pair.server.closed]);
  expect(await endLine(pair.running)).toEqual({
    by: side,
    reason: `${side}_close`,
    close_code_client: code ?? 1005,
    close_code_backend: code ?? 1005,
    clean: true,
    mid_frame: false,
    from_client: noTraffic,
    from_backend: noTraffic,
  });
}

describe.each(bothSides)('a Close that the %s begins', (side) => {
  const own = as(side);

  test('F18: 7.4: every legal code passes unchanged with its reason, both ways', async () => {
    const reasons = ['r\u00e9ason \u{1f600}', '', 'bye', '\u00fc'.repeat(61), 'x'.repeat(123)];
    const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    for (const [at, code] of [...codes, 3000, 3999, 4000, 4429, 4999].entries()) {
      await expectRelayedClose({ side, code, reason: reasons[at % reasons.length] ?? '' });
    }
  });

  test('F18: 5.5.1: no code at all passes as none, and the longest reason whole', async () => {
    await expectRelayedClose({ side, code: null, reason: '' });
    await expectRelayedClose({ side, code: 1000, reason: '' });
    await expectRelayedClose({ side, code: 4000, reason: 'x'.repeat(123) });
  });

  test('F21: 5.5.1: what follows a Close is dropped: frames, a second Close, garbage', async () => {
    const pair = await openPair();
    const { culprit: closer, other } = endsOf(pair, side);
    const after = [
      text('ghost', own),
      closeFrame(1002, '', own),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      randomBytes(99),
    ];
    closer.send(Buffer.concat([text('a', own), closeFrame(1000, 'done', own), ...after]));
    const frames = await other.framesUntilClose();
    expect(frames.map((one) => one.payload.toString('latin1'))).toEqual(['a', '\x03\xe8done']);
    closer.send(text('ghost', own));
    // The other side may still speak until it answers: its messages are delivered (RFC 6455 5.5.1).
    other.send(text('still', as(otherOf(side))), closeFrame(1000, 'done', as(otherOf(side))));
    expect((await closer.nextFrame()).payload.toString()).toBe('still');
    expect(await closer.nextClose()).toEqual({ code: 1000, reason: 'done' });
    other.send(text('ghost', as(otherOf(side))));
    await pair.client.ended;
    pair.client.end();
    pair.server.end();
    await Promise.all([pair.client.closed, pair.server.closed]);
    expect([closer.unread.length, other.unread.length]).toEqual([0, 0]);
    expect(await endLine(pair.running)).toEqual({
      by: side,
      reason: `${side}_close`,
      close_code_client: 1000,
      close_code_backend: 1000,
      clean: true,
      mid_frame: false,
      from_client: side === 'client' ? traffic(1, 1) : traffic(1, 5),
      from_backend: side === 'client' ? traffic(1, 5) : traffic(1, 1),
    });
  });

  test('F30: 7.1.1: a Close that is never answered: both are cut off after timeouts.close', async () => {
    const pair = await openPair({ route: { timeouts: { close: '200ms' } } });
    const { culprit: closer, other } = endsOf(pair, side);
    const begun = performance.now();
    closer.send(closeFrame(1000, 'bye', own));
    expect(await other.nextClose()).toEqual({ code: 1000, reason: 'bye' });
    await Promise.all([closer.closed, other.closed]);
    expect(performance.now() - begun).toBeGreaterThan(190);
    expect(closer.unread).toHaveLength(0);
    expect(await endLine(pair.running)).toEqual({
      by: side,
      reason: `${side}_close`,
      close_code_client: side === 'client' ? null : 1000,
      close_code_backend: side === 'client' ? 1000 : null,
      clean: false,
      mid_frame: false,
      from_client: noTraffic,
      from_backend: noTraffic,
    });
  });
});

describe('closes that nobody answers, or that nobody ends', () => {
  test('F30: 7.1.1: a Close of ours that is never answered: cut off after timeouts.close, each side', async () => {
    const pair = await openPair({ route: { timeouts: { close: '200ms', idle: '100ms' } } });
    expect(await pair.client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    await pair.client.closed;
    expect(await pair.server.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    await pair.server.closed;
    expect(await endLine(pair.running)).toMatchObject({ reason: 'idle', clean: false });
  });

  test('F30: 7.1.1: Closes went both ways and nobody sends FIN: ended after timeouts.close more', async () => {
    const pair = await openPair({ route: { timeouts: { close: '200ms' } } });
    pair.client.send(closeFrame(1000, '', { mask: true }));
    await pair.server.nextClose();
    pair.server.send(closeFrame(1000));
    await pair.client.nextClose();
    await pair.client.ended;
    const line = await endLine(pair.running);
    expect(line).toMatchObject({ reason: 'client_close', clean: true });
    await Promise.all([pair.client.closed, pair.server.closed]);
  });
});

describe('frames of our own', () => {
  test('F20: 5.5: a reason of ours is cut at a code point to 123 bytes, and nothing else is in the frame', () => {
    const reasons = [
      'x'.repeat(124),
      '\u00e9'.repeat(62),
      '\u20ac'.repeat(42),
      '\u{1f600}'.repeat(31),
      'x'.repeat(9999),
    ];
    for (const reason of reasons) {
      for (const masked of [false, true]) {
        const [close] = parseFrames(ownCloseFrame({ code: 1001, reason, masked }));
        const words = close === undefined ? null : closeOf(close);
        expect(close?.payload.length).toBeLessThanOrEqual(125);
        expect(close?.payload.length).toBeGreaterThan(121);
        expect(words?.code).toBe(1001);
        expect(reason.startsWith(words?.reason ?? '?')).toBe(true);
      }
    }
    const [short] = parseFrames(ownCloseFrame({ code: 1001, reason: 'x'.repeat(123), masked: false }));
    expect(short?.payload).toEqual(Buffer.from(`\x03\xe9${'x'.repeat(123)}`, 'latin1'));
  });

  test('F26: 5.3: our Closes to backends are masked, each with its own key; those to clients are not', async () => {
    const pair = await openPair({ route: { timeouts: { idle: '100ms' } } });
    const sessions = [pair, ...(await Promise.all([1, 2, 3, 4].map(() => openSession(pair.running, pair.backend))))];
    const keys = new Set<string>();
    for (const { client, server } of sessions) {
      const [toClient] = await client.framesUntilClose();
      expect(toClient?.masked).toBe(false);
      client.send(closeFrame(1001, '', { mask: true }));
      const [toBackend] = await server.framesUntilClose();
      expect(toBackend?.masked).toBe(true);
      keys.add(toBackend?.maskKey?.toString('hex') ?? '');
    }
    expect(keys.size).toBe(5);
  });

  test('F26: 5.3: so are our pings: masked anew for each one to a backend, not to a client', async () => {
    const clock = new FakeClock();
    const timeouts = { client_ping_interval: '10s', backend_ping_interval: '10s' };
    const { client, server } = await openPair({ clock, route: { timeouts } });
    const keys = new Set<string>();
    for (let i = 0; i < 5; i++) {
      clock.advance(10_000);
      const [toClient, toBackend] = await Promise.all([client.nextFrame(), server.nextFrame()]);
      expect([toClient.opcode, toClient.masked]).toEqual([Opcode.Ping, false]);
      expect([toBackend.opcode, toBackend.masked]).toEqual([Opcode.Ping, true]);
      keys.add(toBackend.maskKey?.toString('hex') ?? '');
      client.send(pong(toClient.payload, { mask: true }));
      server.send(pong(toBackend.payload));
      // What is relayed behind the pong shows that it was read.
      client.send(text('x', { mask: true }));
      server.send(text('y'));
      expect((await server.nextFrame()).payload.toString()).toBe('x');
      expect((await client.nextFrame()).payload.toString()).toBe('y');
    }
    expect(keys.size).toBe(5);
  });

  test("F26: 5.3: what a client sends goes on with the client's own masking key", async () => {
    const pair = await openPair();
    const keys = ['00000000', 'ffffffff', '01020304'].map((hex) => Buffer.from(hex, 'hex'));
    const bytes = Buffer.concat(
      keys.flatMap((mask) => [text(hello, { mask }), ping('p', { mask }), pong('', { mask })]),
    );
    pair.client.send(bytes);
    expect(await pair.server.readBytes(bytes.length)).toEqual(bytes);
  });
});
