import { describe, expect, test } from 'vitest';
import type { RateLimits } from '../../src/limits/rates.ts';
import { RouteMetrics } from '../../src/observe/metrics.ts';
import type { SidePolicy } from '../../src/session/policy.ts';
import { everySplit } from '../support/every-split.ts';
import { binary, closeFrame, continuation, ping, pong, text } from '../support/wire.ts';
import { BUFFERED_MAX, MESSAGE_MAX, MODES, POLICY, Rig, SIDE, TIMES } from './rig.ts';

const MASKED = { mask: true } as const;
const NO_TAIL = { tail: Buffer.alloc(0) };

function charged(rates: Partial<RateLimits>): SidePolicy {
  return { ...SIDE, rates: { ...SIDE.rates, ...rates } };
}

const count = (rig: Rig, word: string) => rig.atBackend.filter((line) => line.startsWith(word)).length;
const hits = (rig: Rig) => rig.limitHits.map(({ limit }) => limit);

describe.each(MODES)('F29: rates, $mode', ({ stable }) => {
  const ofClient = (rates: Partial<RateLimits>) => new Rig({ stable, policy: { client: charged(rates) } });

  describe('a client that sends 30 messages a second where 10 are allowed, 20 at once', () => {
    const TEN = { messagesPerSecond: 10, messageBurst: 20 } as const;

    /** Three messages each 100 ms, `steps` times; the last of them at 100 * (steps - 1). */
    function flood(rig: Rig, steps: number): void {
      for (let step = 0; step < steps; step++) {
        if (step > 0) rig.advance(100);
        rig.fromClient(...[0, 1, 2].map((i) => text(`${step}.${i}`, MASKED)));
      }
    }

    test('close: 29 arrive, the 30th ends the session with 1008', () => {
      const rig = ofClient({ ...TEN, onExceeded: 'close' });
      flood(rig, 10);
      expect(rig.atBackend).toHaveLength(30);
      expect(rig.atBackend.slice(-2)).toEqual(['text fin masked "9.1"', 'close fin masked 1001 "messages_per_second"']);
      rig.fromBackend(text('an answer'), closeFrame(1001));
      expect(rig.atClient).toEqual(['text fin "an answer"', 'close fin 1008 "messages_per_second"']);
      expect(rig.limitHits).toEqual([{ isClient: true, limit: 'messages_per_second', value: 10 }]);
      rig.finFrom(rig.client);
      rig.finFrom(rig.backend);
      rig.expectEnd({ cause: 'client_rate', limit: 'messages_per_second', clean: false });
    });

    test('drop: 29 arrive, then each tenth of a second the first of three', () => {
      const rig = ofClient({ ...TEN, onExceeded: 'drop' });
      flood(rig, 20);
      expect(rig.atBackend).toHaveLength(39);
      expect(rig.atBackend.slice(28, 31)).toEqual(['9.1', '10.0', '11.0'].map((name) => `text fin masked "${name}"`));
      expect(hits(rig)).toEqual(Array(21).fill('messages_per_second'));
      rig.expectAlive();
    });

    test('pause: all arrive, the rest of them at the rate', () => {
      const rig = ofClient({ ...TEN, onExceeded: 'pause' });
      flood(rig, 20); // 1900 ms
      // The 30th, at 900 ms, left a debt of one message: paid at 1001 ms, and from then on one each 100 ms.
      expect(rig.atBackend).toHaveLength(30 + 9);
      rig.advance(2_001);
      expect(rig.atBackend).toHaveLength(60);
      expect(rig.atBackend.at(-1)).toBe('text fin masked "19.2"');
      rig.expectAlive();
    });

    test('pause: exactly one a tenth of a second, both sides of the edge', () => {
      const rig = ofClient({ ...TEN, onExceeded: 'pause' });
      rig.fromClient(...Array.from({ length: 30 }, () => text('x', MASKED)));
      expect(rig.atBackend).toHaveLength(21);
      rig.advance(100);
      expect(rig.atBackend).toHaveLength(21);
      rig.advance(1);
      expect(rig.atBackend).toHaveLength(22);
      rig.advance(99);
      expect(rig.atBackend).toHaveLength(22);
      rig.advance(1);
      expect(rig.atBackend).toHaveLength(23);
    });

    test.each(['close', 'drop', 'pause'] as const)('%s: at the rate itself nothing happens', (onExceeded) => {
      const rig = ofClient({ ...TEN, onExceeded });
      for (let i = 0; i < 100; i++) {
        rig.fromClient(text('x', MASKED));
        rig.advance(100);
      }
      expect(rig.atBackend).toHaveLength(100);
      expect(rig.limitHits).toEqual([]);
      rig.expectAlive();
    });

    test('the other direction, control frames and later fragments are not counted', () => {
      const rig = ofClient({ ...TEN, onExceeded: 'close' });
      for (let i = 0; i < 30; i++) rig.fromBackend(text('x'), ping(''));
      rig.fromClient(
        text('', { ...MASKED, fin: false }),
        ...Array(6).fill(continuation('', { ...MASKED, fin: false })),
      );
      rig.fromClient(continuation('', MASKED), ...Array(19).fill(text('x', MASKED)));
      rig.expectAlive();
      rig.fromClient(text('x', MASKED));
      expect(rig.session.cause).toBe('client_rate');
    });
  });

  test('a backend: 1011 to the client, 1008 to it', () => {
    const rig = new Rig({ stable, policy: { backend: charged({ messagesPerSecond: 1, messageBurst: 1 }) } });
    rig.fromBackend(text('a'), text('b'));
    rig.fromClient(closeFrame(1011, '', MASKED));
    expect(rig.atClient).toEqual(['text fin "a"', 'close fin 1011 "messages_per_second"']);
    expect(rig.atBackend).toEqual(['close fin masked 1008 "messages_per_second"']);
  });

  test('a fraction: one message in five seconds, both sides of the edge', () => {
    for (const [ms, cause] of [
      [4_999, 'client_rate'],
      [5_000, null],
    ] as const) {
      const rig = ofClient({ messagesPerSecond: 0.2, messageBurst: 1 });
      rig.fromClient(text('a', MASKED));
      rig.advance(ms);
      rig.fromClient(text('b', MASKED));
      expect(rig.session.cause).toBe(cause);
    }
  });

  describe('bytes', () => {
    const THOUSAND = { bytesPerSecond: 1_000, byteBurst: 2_000 } as const;
    const bytes = (length: number) => binary(Buffer.alloc(length), MASKED);

    test('a frame passes whole while there is anything left; its debt holds the next back, to the millisecond', () => {
      for (const [ms, cause] of [
        [1_800, 'client_rate'],
        [1_801, null],
      ] as const) {
        const rig = ofClient(THOUSAND);
        rig.fromClient(bytes(1_900), bytes(1_900), bytes(0));
        rig.advance(ms);
        rig.expectAlive();
        rig.fromClient(bytes(1));
        expect(rig.session.cause).toBe(cause);
        expect(rig.session.limit).toBe(cause === null ? null : 'bytes_per_second');
      }
    });

    test('a frame is charged on its header, before its payload comes', () => {
      const rig = ofClient({ ...THOUSAND, onExceeded: 'drop' });
      rig.fromClient(bytes(2_000).subarray(0, 8));
      rig.advance(1_000);
      rig.fromClient(bytes(2_000).subarray(8), bytes(500), bytes(500), bytes(1));
      expect(rig.atBackend).toHaveLength(3);
      expect(hits(rig)).toEqual(['bytes_per_second']);
    });

    test('drop: later fragments of a message that passed only add debt', () => {
      const rig = ofClient({ bytesPerSecond: 1_000, byteBurst: 1_000, onExceeded: 'drop' });
      const parts = [1_000, 300, 200].map((length, at) =>
        at === 0
          ? binary(Buffer.alloc(length), { ...MASKED, fin: false })
          : continuation(Buffer.alloc(length), { ...MASKED, fin: at === 2 }),
      );
      rig.fromClient(...parts);
      expect(rig.atBackend).toHaveLength(3);
      rig.advance(500);
      rig.fromClient(bytes(1));
      expect(rig.atBackend).toHaveLength(3);
      rig.advance(1);
      rig.fromClient(bytes(1));
      expect(rig.atBackend).toHaveLength(4);
    });

    test('close: a fragment over the rate ends it, between the fragments', () => {
      const rig = ofClient({ bytesPerSecond: 10, byteBurst: 10 });
      rig.fromClient(binary(Buffer.alloc(10), { ...MASKED, fin: false }), continuation('over', MASKED));
      expect(rig.atBackend.at(-1)).toBe('close fin masked 1001 "bytes_per_second"');
      expect([rig.atBackend.length, rig.session.midFrame]).toEqual([2, false]);
    });
  });

  describe('drop', () => {
    const ONE = { messagesPerSecond: 1, messageBurst: 1, onExceeded: 'drop' } as const;

    test('decided on the first frame for all of a message; control frames in it go on; at every cut', () => {
      const kept = [text('kept', MASKED), ping('one', MASKED), pong('two', MASKED), ping('three', MASKED)];
      const [message, one, two, three] = kept as [Buffer, Buffer, Buffer, Buffer];
      const stream = Buffer.concat([
        message,
        text('dropped', { ...MASKED, fin: false }),
        one,
        continuation('dropped', { ...MASKED, fin: false }),
        two,
        continuation('', MASKED),
        binary('dropped', MASKED),
        three,
      ]);
      everySplit(
        stream,
        (pieces) => {
          const rig = ofClient(ONE);
          rig.fromClient(...pieces);
          expect(rig.backend.received.equals(Buffer.concat(kept))).toBe(true);
          expect(hits(rig)).toEqual(['messages_per_second', 'messages_per_second']);
          rig.expectAlive();
        },
        NO_TAIL,
      );
    });

    test('the rest of a dropped message is dropped though its rate is back; the next message passes', () => {
      const rig = ofClient(ONE);
      rig.fromClient(text('kept', MASKED), text('drop', { ...MASKED, fin: false }));
      rig.advance(2_000);
      rig.fromClient(continuation('drop', MASKED), text('next', MASKED));
      expect(rig.atBackend).toEqual(['text fin masked "kept"', 'text fin masked "next"']);
    });

    test('a frame that is being dropped keeps no Close, and no ping of ours, from the other side', () => {
      const policy = { client: charged(ONE), backend: { ...SIDE, pingIntervalMs: TIMES.ping } };
      const rig = new Rig({ stable, policy });
      rig.fromClient(text('kept', MASKED), text('dropped', MASKED).subarray(0, 9));
      rig.advance(TIMES.ping);
      expect(rig.atBackend.at(-1)).toMatch(/^ping/);
      rig.fromBackend(text('\x00').subarray(0, 1), text('\x00').subarray(1), closeFrame(1000));
      rig.fromClient(text('dropped', MASKED).subarray(9), closeFrame(1000, '', MASKED));
      expect(rig.atBackend.at(-1)).toBe('close fin masked 1000 ""');
      expect(rig.session.isClean).toBe(true);
    });
  });

  describe('pause', () => {
    /** One message costs 20 s. */
    const SLOW = { messagesPerSecond: 0.05, messageBurst: 1, onExceeded: 'pause' } as const;
    const PAID = 20_001;

    function paused(policy: Partial<typeof POLICY> = {}): Rig {
      const rig = new Rig({ stable, policy: { client: charged(SLOW), ...policy } });
      rig.fromClient(text('a', MASKED), text('b', { ...MASKED, fin: false }), continuation('c', MASKED));
      expect(rig.atBackend).toHaveLength(2);
      expect(rig.client.paused).toBe(true);
      return rig;
    }

    test('the frame that went over passes; nothing more is read until the debt is paid', () => {
      const rig = paused();
      rig.advance(PAID - 1);
      expect(rig.atBackend).toHaveLength(2);
      rig.advance(1);
      expect(rig.atBackend).toHaveLength(3);
      expect(rig.client.paused).toBe(false);
      rig.expectAlive();
    });

    test('the other direction goes on', () => {
      const rig = paused();
      rig.fromBackend(text('x'));
      expect(rig.atClient).toEqual(['text fin "x"']);
    });

    test('idle stands still', () => {
      const rig = new Rig({ stable, policy: { client: charged(SLOW), idleMs: 5_000 } });
      rig.fromClient(text('a', MASKED), text('b', MASKED));
      rig.advance(PAID + 4_999);
      rig.expectAlive();
      rig.advance(1);
      expect(rig.session.cause).toBe('idle');
    });

    test('idle does not stand still when write_stall is off: nothing else bounds a debt', () => {
      const rig = new Rig({ stable, policy: { client: charged(SLOW), idleMs: 5_000, writeStallMs: Infinity } });
      rig.fromClient(text('a', MASKED), text('b', MASKED));
      rig.advance(4_999);
      rig.expectAlive();
      rig.advance(1);
      expect([rig.session.cause, rig.session.limit]).toEqual(['idle', 'idle']);
    });

    test('message_stall stands still', () => {
      const rig = new Rig({ stable, policy: { client: charged(SLOW), messageStallMs: 5_000 } });
      rig.fromClient(text('a', MASKED), text('b', { ...MASKED, fin: false }));
      rig.advance(PAID + 4_999);
      rig.expectAlive();
      rig.advance(1);
      expect(rig.session.cause).toBe('client_message_stall');
    });

    test('the clock of our pings stands still', () => {
      const client = { ...charged(SLOW), pingIntervalMs: 5_000 };
      const rig = new Rig({ stable, policy: { client, pongMs: 3_000 } });
      rig.fromClient(text('a', MASKED), text('b', MASKED));
      rig.advance(PAID + 4_999);
      expect(rig.atClient).toEqual([]);
      rig.advance(1);
      expect(rig.atClient).toHaveLength(1);
      rig.advance(2_999);
      rig.expectAlive();
      rig.advance(1);
      expect(rig.session.cause).toBe('client_pong_timeout');
    });

    test('a debt that takes longer than write_stall ends the session, both sides of the edge', () => {
      for (const [debt, cause] of [
        [TIMES.writeStall / 10 - 1, null],
        [TIMES.writeStall / 10, 'client_rate'],
      ] as const) {
        const rig = ofClient({ bytesPerSecond: 100, byteBurst: 200, onExceeded: 'pause' });
        rig.fromClient(binary(Buffer.alloc(200), MASKED), binary(Buffer.alloc(debt), MASKED));
        expect([rig.session.cause, rig.session.limit]).toEqual([cause, cause && 'bytes_per_second']);
        // The frame that went over passed, and the Close goes behind it.
        expect(count(rig, 'binary')).toBe(2);
      }
    });

    test('paid while the backend is too slow as well: read when both are over', () => {
      const rig = ofClient(SLOW);
      rig.backend.setRoom(0);
      rig.fromClient(
        text('a', MASKED),
        Buffer.concat([binary(Buffer.alloc(BUFFERED_MAX), MASKED), text('', { ...MASKED, fin: false })]),
        continuation('c', MASKED),
      );
      rig.advance(40_002);
      expect([rig.client.paused, rig.client.unreadBytes > 0]).toEqual([true, true]);
      // The timer waits for the next thing that is due, not for the debt that was paid.
      expect(rig.session.dueAt).toBeGreaterThan(rig.clock.now() + 1_000);
      rig.takeFrom(rig.backend);
      expect([rig.client.paused, rig.client.unreadBytes]).toEqual([false, 0]);
    });

    test('taken before it is paid: not read until it is', () => {
      const rig = ofClient(SLOW);
      rig.backend.setRoom(0);
      rig.fromClient(text('a', MASKED), binary(Buffer.alloc(BUFFERED_MAX), MASKED));
      rig.takeFrom(rig.backend);
      expect(rig.client.paused).toBe(true);
      rig.advance(PAID);
      expect(rig.client.paused).toBe(false);
    });

    test('what came with the handshake is charged, and the client not read until it is paid', () => {
      const rig = new Rig({ stable, start: false, policy: { client: charged(SLOW) } });
      rig.session.start(Buffer.concat([text('a', MASKED), text('b', MASKED)]), null);
      rig.fromClient(text('c', MASKED));
      expect(rig.atBackend).toHaveLength(2);
      rig.advance(PAID);
      expect(rig.atBackend).toHaveLength(3);
    });

    test('an end meanwhile: what the client sent before its Close is relayed, however fast, and it is clean', () => {
      const rig = paused();
      rig.session.end('drain');
      rig.pump();
      expect(rig.atBackend).toHaveLength(3);
      rig.fromClient(text('d', MASKED), text('e', MASKED), closeFrame(1012, '', MASKED), text('f', MASKED));
      expect(rig.atBackend.slice(2)).toEqual([
        'continuation fin masked "c"',
        'text fin masked "d"',
        'text fin masked "e"',
        'close fin masked 1001 "server restart"',
      ]);
      rig.fromBackend(closeFrame(1001));
      rig.finFrom(rig.backend);
      rig.finFrom(rig.client);
      rig.expectEnd({ cause: 'drain', clean: true });
    });

    test('once it ends nobody is held, nor blamed for a debt that is never paid', () => {
      const client = charged({ bytesPerSecond: 1, byteBurst: 1, onExceeded: 'pause' });
      const rig = new Rig({ stable, policy: { client } });
      rig.session.end('drain');
      rig.fromClient(binary(Buffer.alloc(1), MASKED), binary(Buffer.alloc(TIMES.writeStall / 1000 + 1), MASKED));
      rig.fromClient(text('last', MASKED), closeFrame(1012, '', MASKED));
      expect(rig.atBackend).toHaveLength(4);
      expect(rig.session.isClean).toBe(false);
      rig.fromBackend(closeFrame(1001));
      expect([rig.session.cause, rig.session.limit, rig.session.isClean]).toEqual(['drain', null, true]);
    });

    test('an end meanwhile: the Close of the other side is answered by what stands behind the pause', () => {
      const rig = new Rig({ stable, policy: { backend: charged(SLOW) } });
      rig.fromBackend(text('a'), text('b'), text('c'));
      expect(rig.backend.paused).toBe(true);
      rig.fromClient(closeFrame(1000, 'bye', MASKED));
      rig.fromBackend(closeFrame(1000, 'bye'));
      expect(rig.atClient.slice(2)).toEqual(['text fin "c"', 'close fin 1000 "bye"']);
      rig.finFrom(rig.backend);
      rig.finFrom(rig.client);
      rig.expectEnd({ cause: 'client_close', clean: true });
    });

    test('an end meanwhile, inside a frame: its rest is read, and the Close goes behind it', () => {
      const rig = new Rig({ stable, policy: { backend: charged(SLOW) } });
      const [whole, half] = [text('a'), text('half')];
      rig.fromBackend(Buffer.concat([whole, half.subarray(0, 4)]), half.subarray(4));
      expect(rig.backend.paused).toBe(true);
      rig.session.end('drain');
      rig.pump();
      expect(rig.atClient).toEqual(['text fin "a"', 'text fin "half"', 'close fin 1012 "server restart"']);
      expect(rig.session.midFrame).toBe(false);
    });

    test('an end meanwhile: what the backend has not taken still holds the client back', () => {
      const rig = ofClient(SLOW);
      rig.backend.setRoom(0);
      const last = [text('b', MASKED), closeFrame(1012, '', MASKED)];
      rig.fromClient(text('a', MASKED), binary(Buffer.alloc(BUFFERED_MAX), MASKED), ...last);
      rig.session.end('drain');
      rig.pump();
      expect([rig.client.paused, rig.client.unreadBytes]).toEqual([true, Buffer.concat(last).length]);
      rig.takeFrom(rig.backend);
      expect(rig.atBackend.slice(2)).toEqual(['text fin masked "b"', 'close fin masked 1001 "server restart"']);
    });

    test('an end meanwhile: the backend in a pause is read at once, so that its Close is seen', () => {
      const rig = new Rig({ stable, policy: { backend: charged(SLOW) } });
      rig.fromBackend(text('a'), text('b'));
      rig.session.end('drain');
      rig.fromClient(closeFrame(1012, '', MASKED));
      rig.fromBackend(text('c'), closeFrame(1001));
      rig.finFrom(rig.backend);
      rig.finFrom(rig.client);
      rig.expectEnd({ cause: 'drain', clean: true });
    });
  });

  test('while a session drains, nothing follows a fragment that was left out', () => {
    const rig = ofClient({ bytesPerSecond: 10, byteBurst: 10 });
    rig.fromClient(binary(Buffer.alloc(10), { ...MASKED, fin: false }));
    rig.session.end('drain');
    rig.fromClient(continuation('left out', { ...MASKED, fin: false }));
    rig.advance(2_000);
    rig.fromClient(continuation('must not follow', MASKED));
    expect(rig.atBackend.slice(1)).toEqual(['close fin masked 1001 "server restart"']);
    expect(rig.session.cause).toBe('drain');
  });
});

describe.each(MODES)('F15: F16: the budget of control frames, $mode', ({ stable }) => {
  const BUDGET = { controlFramesPerSecond: 1, controlFrameBurst: 3, onExceeded: 'drop' } as const;
  const make = () => new Rig({ stable, policy: { client: charged(BUDGET) } });

  test.each([
    ['pings', (i: number) => ping(`${i}`, MASKED)],
    ['pongs nobody asked for', (i: number) => pong(`${i}`, MASKED)],
  ])('%s: three at once, then one a second; one more is 1008, whatever on_rate_exceeded says', (_, one) => {
    for (const [ms, cause] of [
      [999, 'client_rate'],
      [1_000, null],
    ] as const) {
      const rig = make();
      rig.fromClient(one(1), one(2), one(3));
      rig.advance(ms);
      rig.fromClient(one(4));
      expect([rig.session.cause, rig.session.limit]).toEqual([cause, cause && 'control_frames_per_second']);
      expect(count(rig, 'p')).toBe(cause === null ? 4 : 3);
      if (cause === null) continue;
      expect(rig.atBackend.at(-1)).toBe('close fin masked 1001 "control_frames_per_second"');
      rig.fromBackend(closeFrame(1001));
      expect(rig.atClient).toEqual(['close fin 1008 "control_frames_per_second"']);
    }
  });

  test('all of them in one read, with messages around: what came before goes on', () => {
    const rig = make();
    rig.fromClient(
      Buffer.concat([text('a', MASKED), ...Array<Buffer>(5).fill(ping('', MASKED)), text('after', MASKED)]),
    );
    expect(rig.atBackend.map((line) => line.split(' ')[0])).toEqual(['text', 'ping', 'ping', 'ping', 'close']);
  });

  test('each ping relayed to a peer grants it one pong, and no more', () => {
    const rig = make();
    for (let i = 0; i < 50; i++) rig.fromBackend(ping('x'));
    for (let i = 0; i < 53; i++) rig.fromClient(pong('x', MASKED));
    rig.expectAlive();
    expect(count(rig, 'pong')).toBe(53);
    rig.fromClient(pong('x', MASKED));
    expect(rig.session.cause).toBe('client_rate');
  });

  test('a pong to a ping of ours is free', () => {
    const client = { ...charged({ ...BUDGET, controlFramesPerSecond: 0.001 }), pingIntervalMs: TIMES.ping };
    const rig = new Rig({ stable, policy: { client } });
    for (let i = 1; i <= 10; i++) {
      rig.advance(TIMES.ping);
      const asked = rig.framesAt(rig.client).filter((one) => one.opcode === 9);
      expect(asked).toHaveLength(i);
      rig.fromClient(pong(asked.at(-1)?.payload ?? '', MASKED));
    }
    rig.fromClient(ping('1', MASKED), ping('2', MASKED), ping('3', MASKED));
    rig.expectAlive();
    expect(rig.metrics.pingRtt.count).toBe(10);
  });

  test('a Close is never charged', () => {
    const rig = make();
    rig.fromClient(ping('', MASKED), ping('', MASKED), ping('', MASKED), closeFrame(1000, 'bye', MASKED));
    expect(rig.session.cause).toBe('client_close');
    expect(rig.atBackend.at(-1)).toBe('close fin masked 1000 "bye"');
  });

  test('the budget of one side is not that of the other', () => {
    const rig = make();
    for (let i = 0; i < 100; i++) rig.fromBackend(ping(''), pong(''));
    rig.expectAlive();
  });
});

describe.each(MODES)('slow_reader, $mode', ({ stable }) => {
  const slowed = () => new Rig({ stable, policy: { slowReaderMs: TIMES.slowReader } });
  const message = text('0123456789');

  function slowClient(): Rig {
    const rig = slowed();
    rig.advance(1_234);
    rig.client.setRoom(0);
    rig.fromBackend(message, message, message);
    return rig;
  }

  test('it takes some, but something has waited all the time: 1013 behind it, 1001 to the backend', () => {
    const rig = slowClient();
    for (let i = 0; i < 2; i++) {
      rig.advance(TIMES.slowReader / 2 - 1);
      rig.takeFrom(rig.client, message.length);
    }
    rig.advance(1);
    rig.expectAlive();
    rig.advance(1);
    expect([rig.session.cause, rig.session.limit]).toEqual(['client_slow', 'slow_reader']);
    rig.takeFrom(rig.client);
    expect(rig.atClient.at(-1)).toBe('close fin 1013 "slow_reader"');
    expect(rig.atBackend).toEqual(['close fin masked 1001 "slow_reader"']);
  });

  test('once it has taken all, the time begins anew', () => {
    const rig = slowClient();
    rig.advance(TIMES.slowReader - 1);
    rig.takeFrom(rig.client);
    rig.client.setRoom(0);
    rig.fromBackend(message);
    rig.advance(TIMES.slowReader - 1);
    rig.expectAlive();
    rig.advance(1);
    expect(rig.session.cause).toBe('client_slow');
  });

  test('inside a frame it is cut off', () => {
    const rig = slowClient();
    rig.fromBackend(message.subarray(0, 5));
    rig.advance(TIMES.slowReader);
    expect(rig.told().at(-2)).toBe('client: destroyed');
    expect([rig.session.midFrame, rig.atBackend]).toEqual([true, ['close fin masked 1001 "slow_reader"']]);
  });

  test('a slow backend: 1001 at a boundary, cut off inside a frame; the client gets 1012', () => {
    for (const end of [undefined, 8]) {
      const rig = slowed();
      rig.backend.setRoom(0);
      rig.fromClient(text('whole', MASKED), text('whole', MASKED).subarray(0, end));
      rig.advance(TIMES.slowReader);
      expect(rig.session.cause).toBe('backend_slow');
      rig.takeFrom(rig.backend);
      expect(rig.atClient).toEqual(['close fin 1012 "slow_reader"']);
      expect(rig.backend.destroyed).toBe(end !== undefined);
      expect(rig.session.backend.closeSent).toBe(end === undefined ? 1001 : null);
    }
  });

  test.each(['max_buffered_total', 'max_memory'])(
    'overload, %s: 1013 at a boundary, cut off inside a frame, the backend is told at once',
    (limit) => {
      for (const end of [message.length, 5]) {
        const rig = new Rig({ stable });
        rig.fromBackend(message.subarray(0, end));
        rig.session.shed(limit);
        expect([rig.session.cause, rig.session.limit]).toEqual(['overload', limit]);
        expect(rig.atBackend).toEqual([`close fin masked 1001 "${limit}"`]);
        expect(rig.client.destroyed).toBe(end === 5);
        if (end !== 5) expect(rig.atClient.at(-1)).toBe(`close fin 1013 "${limit}"`);
      }
    },
  );
});

describe('lifetime', () => {
  const LIFE = { lifetimeMs: TIMES.lifetime } as const;

  test('each ends between 90 and 100 % of it, not all at once', () => {
    const ages: number[] = [];
    for (let i = 0; i < 60; i++) {
      const rig = new Rig({ policy: LIFE });
      const began = rig.clock.now();
      rig.advance(0.9 * TIMES.lifetime - 1);
      rig.expectAlive();
      while (rig.session.cause === null && rig.clock.now() - began <= TIMES.lifetime) rig.advance(100);
      expect([rig.session.cause, rig.session.limit]).toEqual(['lifetime', 'lifetime']);
      expect(rig.atClient).toEqual(['close fin 1012 "session lifetime"']);
      ages.push(rig.clock.now() - began);
    }
    expect(Math.max(...ages)).toBeLessThanOrEqual(TIMES.lifetime + 100);
    expect(new Set(ages).size).toBeGreaterThan(10);
  });

  test('traffic does not prolong it', () => {
    const rig = new Rig({ policy: LIFE });
    for (let ms = 0; ms < TIMES.lifetime; ms += 10_000) {
      rig.advance(10_000);
      rig.fromClient(text('x', MASKED));
    }
    expect(rig.session.cause).toBe('lifetime');
  });

  test('a reload that sets or changes it: 90 to 100 % from then on; one that does not leaves it alone', () => {
    for (const before of [Infinity, 100 * TIMES.lifetime]) {
      const ages = new Set<number>();
      for (let i = 0; i < 30; i++) {
        const rig = new Rig({ policy: { lifetimeMs: before } });
        rig.advance(50_000);
        rig.session.retune({ ...POLICY, ...LIFE });
        rig.advance(0.8 * TIMES.lifetime);
        rig.session.retune({ ...POLICY, ...LIFE, idleMs: TIMES.idle + 1 });
        rig.advance(0.1 * TIMES.lifetime - 1);
        rig.expectAlive();
        let ms = 0;
        for (; rig.session.cause === null && ms <= 0.1 * TIMES.lifetime; ms += 100) rig.advance(100);
        expect(rig.session.cause).toBe('lifetime');
        ages.add(ms);
      }
      expect(ages.size).toBeGreaterThan(5);
    }
    const rig = new Rig({ policy: LIFE });
    rig.session.retune(POLICY);
    rig.advance(2 * TIMES.lifetime);
    rig.expectAlive();
  });
});

describe('an end that an operator asks for', () => {
  test('code and text are what was asked, before close_codes; the backend gets 1001', () => {
    const rig = new Rig({ policy: { closeCodes: { admin: 4000 } } });
    rig.session.end('admin', { notice: { code: 4321, text: 'go away' } });
    rig.fromClient(closeFrame(4321, '', MASKED));
    expect(rig.atClient).toEqual(['close fin 4321 "go away"']);
    expect(rig.session.backend.closeSent).toBe(1001);
    const unasked = new Rig({ policy: { closeCodes: { admin: 4000 } } });
    unasked.session.end('admin');
    expect(unasked.session.client.closeSent).toBe(4000);
  });
});

describe.each(MODES)('a reload, $mode', ({ stable }) => {
  const sized = (messageBytesMax: number) => ({
    ...POLICY.fromClient,
    messageBytesMax,
    frameBytesMax: messageBytesMax,
  });

  test('sizes count from the next message: the one under way may use what it began with', () => {
    const rig = new Rig({ stable });
    const part = binary(Buffer.alloc(60), { ...MASKED, fin: false });
    rig.fromClient(part, continuation('', { ...MASKED, fin: false }).subarray(0, 3));
    rig.session.retune({ ...POLICY, fromClient: sized(50) });
    rig.fromClient(continuation('', { ...MASKED, fin: false }).subarray(3), continuation(Buffer.alloc(60), MASKED));
    rig.fromClient(binary(Buffer.alloc(50), MASKED));
    rig.expectAlive();
    rig.fromClient(binary(Buffer.alloc(51), MASKED));
    expect([rig.session.cause, rig.session.limit]).toMatchObject(['client_message_too_big', expect.any(String)]);
  });

  test('inside the only frame of a message too; a larger size counts as well', () => {
    const rig = new Rig({ stable });
    const message = binary(Buffer.alloc(200), MASKED);
    rig.fromClient(message.subarray(0, 50));
    rig.session.retune({ ...POLICY, fromClient: sized(100) });
    rig.fromClient(message.subarray(50), binary(Buffer.alloc(100), MASKED));
    rig.expectAlive();
    rig.session.retune({ ...POLICY, fromClient: sized(2 * MESSAGE_MAX) });
    rig.fromClient(binary(Buffer.alloc(MESSAGE_MAX + 1), MASKED));
    rig.expectAlive();
  });

  test('rates count from now; what was used stays used', () => {
    const rig = new Rig({ stable });
    for (let i = 0; i < 100; i++) rig.fromClient(text('x', MASKED));
    const limited = { ...POLICY, client: charged({ messagesPerSecond: 1, messageBurst: 2 }) };
    rig.session.retune(limited);
    rig.fromClient(text('x', MASKED), text('x', MASKED));
    rig.session.retune({ ...limited });
    rig.expectAlive();
    rig.fromClient(text('x', MASKED));
    expect(rig.session.cause).toBe('client_rate');
    const freed = new Rig({ stable, policy: limited });
    freed.session.retune(POLICY);
    for (let i = 0; i < 100; i++) freed.fromClient(text('x', MASKED));
    freed.expectAlive();
  });

  test('a rate that appears while a message is dropped drops the rest of it; so does one that goes', () => {
    const drop = charged({ messagesPerSecond: 1, messageBurst: 1, onExceeded: 'drop' });
    const rig = new Rig({ stable, policy: { client: drop } });
    rig.fromClient(text('a', MASKED), text('no', { ...MASKED, fin: false }));
    rig.session.retune(POLICY);
    rig.fromClient(continuation('no', MASKED), text('b', MASKED));
    expect(rig.atBackend).toEqual(['text fin masked "a"', 'text fin masked "b"']);
  });

  test.each(['by a reload', 'from the start'])(
    'a compressed session whose route, without compression now, drops and judges text, %s: paused, and not judged',
    (when) => {
      const client = charged({ messagesPerSecond: 1, messageBurst: 1, onExceeded: 'drop' });
      const judging = { client: { ...client, validateUtf8: true }, backend: { ...SIDE, validateUtf8: true } };
      const rig = new Rig({ stable, deflate: true, policy: when === 'from the start' ? judging : {} });
      if (when === 'by a reload') rig.session.retune({ ...POLICY, ...judging });
      const deflated = text(Buffer.from('ff', 'hex'), { ...MASKED, rsv: 4 });
      rig.fromBackend(text(Buffer.from('ff', 'hex'), { rsv: 4 }));
      rig.fromClient(deflated, deflated, deflated);
      expect([rig.atBackend.length, rig.atClient.length, rig.client.paused]).toEqual([2, 1, true]);
      rig.advance(1_001);
      expect(rig.atBackend).toHaveLength(3);
      rig.expectAlive();
    },
  );

  test('one that is not compressed drops and judges', () => {
    const client = charged({ messagesPerSecond: 1, messageBurst: 1, onExceeded: 'drop' });
    const rig = new Rig({ stable });
    rig.session.retune({ ...POLICY, client: { ...client, validateUtf8: true } });
    rig.fromClient(text('a', MASKED), text('b', MASKED));
    expect(rig.atBackend).toHaveLength(1);
    rig.fromClient(text(Buffer.from('ff', 'hex'), MASKED));
    expect(rig.session.cause).toBe('client_invalid_utf8');
  });

  const TIMERS = [
    ['idle', { idleMs: 9_000 }, 'idle'],
    ['message_stall', { messageStallMs: 9_000 }, 'client_message_stall'],
    ['client_ping_interval', { client: { ...SIDE, pingIntervalMs: 8_000 }, pongMs: 1_000 }, 'client_pong_timeout'],
  ] as const;

  test.each(TIMERS)('%s: shorter at once; the time that has passed counts', (_, change, cause) => {
    const rig = new Rig({ stable });
    rig.fromClient(text('x', { ...MASKED, fin: false }));
    rig.advance(5_000);
    rig.session.retune({ ...POLICY, ...change });
    rig.advance(3_999);
    rig.expectAlive();
    rig.advance(1);
    expect(rig.session.cause).toBe(cause);
  });

  test('slow_reader, write_stall and close_codes as well', () => {
    for (const [change, cause] of [
      [{ slowReaderMs: 9_000 }, 'client_slow'],
      [{ writeStallMs: 9_000 }, 'client_stalled'],
    ] as const) {
      const rig = new Rig({ stable });
      rig.client.setRoom(0);
      rig.fromBackend(text('x'));
      rig.advance(5_000);
      rig.session.retune({ ...POLICY, ...change });
      rig.advance(3_999);
      rig.expectAlive();
      rig.advance(1);
      expect(rig.session.cause).toBe(cause);
    }
    const rig = new Rig({ stable });
    rig.session.retune({ ...POLICY, closeCodes: { drain: 4001 } });
    rig.session.end('drain');
    expect(rig.session.client.closeSent).toBe(4001);
  });

  test('of a session that has ended: nothing', () => {
    const rig = new Rig({ stable });
    rig.session.cut();
    rig.session.retune({ ...POLICY, idleMs: 1 });
    rig.expectEnd({ cause: 'forced', clean: false });
  });
});

describe.each(MODES)('what is counted, $mode', ({ stable }) => {
  test('messages by kind, bytes, sizes; a message counts once, with its last frame', () => {
    const rig = new Rig({ stable });
    const { fromClient, fromBackend } = rig.metrics;
    rig.fromClient(text('12345', MASKED), binary('123', { ...MASKED, fin: false }), ping('no', MASKED));
    expect([fromClient.textMessages, fromClient.binaryMessages, fromClient.bytes]).toEqual([1, 0, 8]);
    rig.fromClient(continuation('4567', MASKED));
    expect([fromClient.textMessages, fromClient.binaryMessages, fromClient.bytes]).toEqual([1, 1, 12]);
    expect([fromClient.messageSize.count, fromClient.messageSize.sum]).toEqual([2, 12]);
    expect([fromBackend.textMessages, fromBackend.binaryMessages, fromBackend.bytes]).toEqual([0, 0, 0]);
    rig.fromBackend(Buffer.concat([binary(Buffer.alloc(200)), closeFrame(1000)]));
    rig.session.cut();
    expect([fromBackend.binaryMessages, fromBackend.bytes]).toEqual([1, 200]);
    expect(rig.session.backend.relay.scanner.dataBytes).toBe(200);
  });

  test('what waits and who is paused, of all sessions of a route together; zero when they have ended', () => {
    const metrics = new RouteMetrics('shared');
    const rigs = [1, 2].map(() => new Rig({ stable, metrics }));
    const { fromBackend } = metrics;
    const message = binary(Buffer.alloc(2 * BUFFERED_MAX));
    for (const rig of rigs) {
      rig.client.setRoom(100);
      rig.fromBackend(message);
    }
    expect([fromBackend.buffered, fromBackend.paused]).toEqual([2 * (message.length - 100), 2]);
    const [first, second] = rigs as [Rig, Rig];
    const before = first.clock.now();
    first.clock.advance(3_000);
    expect(fromBackend.backpressureSeconds(before + 3_000)).toBe(6);
    first.takeFrom(first.client);
    expect([fromBackend.buffered, fromBackend.paused]).toEqual([message.length - 100, 1]);
    second.session.cut();
    expect([fromBackend.buffered, fromBackend.paused]).toEqual([0, 0]);
    first.session.cut();
    expect([fromBackend.buffered, fromBackend.paused]).toEqual([0, 0]);
    expect(metrics.fromClient).toMatchObject({ buffered: 0, paused: 0 });
  });

  test('one side is gone while the other still has something to take', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(0);
    rig.fromBackend(text('last words'));
    rig.rstFrom(rig.backend);
    rig.takeFrom(rig.client);
    rig.fromClient(closeFrame(1012, '', MASKED));
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'backend_lost', clean: false });
  });

  test('silences: of each side, of both, and inside a message', () => {
    const rig = new Rig({ stable });
    const { profile } = rig.metrics;
    rig.advance(3_000);
    rig.fromClient(text('a', MASKED), text('b', { ...MASKED, fin: false }));
    rig.advance(500);
    rig.fromBackend(text('c'));
    rig.advance(1_500);
    rig.fromClient(continuation('d', MASKED));
    const { fromClient, fromBackend, quiet } = profile;
    expect([fromClient.silence.max, fromBackend.silence.max, quiet.max]).toEqual([3_000, 3_500, 3_000]);
    expect([fromClient.silence.count, fromBackend.silence.count, quiet.count]).toEqual([3, 1, 4]);
    expect([fromClient.stall.count, fromClient.stall.max, fromBackend.stall.count]).toEqual([1, 2_000, 0]);
  });

  test('how long data waits: from one write that finished to the next, and without a break', () => {
    const rig = new Rig({ stable });
    const { fromClient, fromBackend } = rig.metrics.profile;
    rig.client.setRoom(10);
    rig.fromBackend(binary(Buffer.alloc(100)), text('x'));
    rig.advance(2_000);
    rig.takeFrom(rig.client, rig.client.pending - 1);
    rig.advance(1_000);
    rig.takeFrom(rig.client);
    expect([fromBackend.writeStall.count, fromBackend.writeStall.max]).toEqual([2, 2_000]);
    expect([fromBackend.backlog.count, fromBackend.backlog.max]).toEqual([1, 3_000]);
    expect([fromClient.writeStall.count, fromClient.backlog.count]).toEqual([0, 0]);
  });

  test('a pause for a rate is a pause', () => {
    const slow = charged({ messagesPerSecond: 1, messageBurst: 1, onExceeded: 'pause' });
    const rig = new Rig({ stable, policy: { client: slow } });
    rig.fromClient(text('a', MASKED), text('b', MASKED));
    expect([rig.metrics.fromClient.paused, rig.session.client.relay.gate.pauses]).toEqual([1, 1]);
    rig.advance(1_001);
    expect(rig.metrics.fromClient.paused).toBe(0);
    expect(rig.metrics.fromClient.backpressureSeconds(rig.clock.now())).toBeCloseTo(1.001);
  });
});
