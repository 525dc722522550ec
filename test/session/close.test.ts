import { describe, expect, test } from 'vitest';
import { closeFrame, continuation, parseFrames, ping, text } from '../support/wire.ts';
import { MODES, Rig, TIMES } from './rig.ts';

const MASKED = { mask: true } as const;
const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];

describe.each(MODES)('a Close of a peer, $mode', ({ stable }) => {
  test('7.1.1: from the client: relayed, answered, then we FIN first to it and the backend first to us', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, 'bye', MASKED));
    expect(rig.told()).toEqual(['backend: close fin masked 1000 "bye"']);
    rig.fromBackend(closeFrame(1000, 'bye'));
    expect(rig.told()).toEqual(['client: close fin 1000 "bye"', 'client: FIN']);
    rig.finFrom(rig.backend);
    expect(rig.told()).toEqual(['backend: destroyed']);
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual(['client: destroyed']);
    rig.expectEnd({ cause: 'client_close', clean: true });
    const { client, backend } = rig.session;
    expect([client.hasClosed, backend.hasClosed]).toEqual([true, true]);
    expect([client, backend].flatMap(({ closeSent, relay }) => [closeSent, relay.scanner.closeCode])).toEqual(
      Array(4).fill(1000),
    );
  });

  test('7.1.1: from the backend: relayed, answered, and the same order of FINs', () => {
    const rig = new Rig({ stable });
    rig.fromBackend(closeFrame(1001, 'restart'));
    expect(rig.told()).toEqual(['client: close fin 1001 "restart"']);
    rig.fromClient(closeFrame(1001, '', MASKED));
    expect(rig.told()).toEqual(['backend: close fin masked 1001 ""', 'client: FIN']);
    rig.finFrom(rig.client);
    rig.finFrom(rig.backend);
    expect(rig.told()).toEqual(['client: destroyed', 'backend: destroyed']);
    rig.expectEnd({ cause: 'backend_close', clean: true });
  });

  test('F18: 7.4: every legal code and reason passes unchanged, both ways', () => {
    for (const code of [null, ...CODES]) {
      for (const reason of ['', 'ü', 'x'.repeat(123)]) {
        const up = closeFrame(code, reason, { mask: Buffer.from('a1b2c3d4', 'hex') });
        const down = closeFrame(code, reason);
        const asked = new Rig({ stable });
        asked.fromClient(up);
        asked.fromBackend(closeFrame(4001, 'answered'));
        expect(asked.backend.received).toEqual(up);
        expect(asked.client.received).toEqual(closeFrame(4001, 'answered'));
        const told = new Rig({ stable });
        told.fromBackend(down);
        told.fromClient(up);
        expect([told.client.received, told.backend.received]).toEqual([down, up]);
        expect(told.session.client.closeSent).toBe(code ?? 1005);
      }
    }
  });

  test('what was sent before it arrives before it; at every cut', () => {
    const stream = Buffer.concat([text('a', MASKED), ping('p', MASKED), closeFrame(1000, 'bye', MASKED)]);
    for (let at = 1; at < stream.length; at++) {
      const rig = new Rig({ stable });
      rig.fromClient(stream.subarray(0, at), stream.subarray(at));
      expect(rig.backend.received.equals(stream)).toBe(true);
    }
  });

  test('5.5.1: the other side is relayed until it answers', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.fromBackend(text('last words'), text('cut', { fin: false }), closeFrame(1000));
    expect(rig.atClient).toEqual(['text fin "last words"', 'text "cut"', 'close fin 1000 ""']);
    const other = new Rig({ stable });
    other.fromBackend(closeFrame(1000));
    other.fromClient(text('last words', MASKED), closeFrame(1000, '', MASKED));
    expect(other.atBackend).toEqual(['text fin masked "last words"', 'close fin masked 1000 ""']);
  });

  test('crossing Closes are both relayed', () => {
    const rig = new Rig({ stable });
    rig.client.send(closeFrame(4000, 'c', MASKED));
    rig.backend.send(closeFrame(4001, 'b'));
    rig.pump();
    expect(rig.atBackend).toEqual(['close fin masked 4000 "c"']);
    expect(rig.atClient).toEqual(['close fin 4001 "b"']);
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  test('between fragments it ends the message and the session', () => {
    const rig = new Rig({ stable });
    rig.fromClient(text('a', { ...MASKED, fin: false }), closeFrame(1000, '', MASKED));
    rig.fromBackend(closeFrame(1000));
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  const AFTER = [
    ['a second Close', closeFrame(4999, 'again', MASKED)],
    ['a message', text('more', MASKED)],
    ['a frame that breaks a rule', text('unmasked')],
    ['garbage', Buffer.alloc(300, 0xff)],
  ] as const;

  test.each(AFTER)('F21: 5.5.1: %s behind it is discarded, in the same read and later', (_, garbage) => {
    for (const later of [false, true]) {
      const rig = new Rig({ stable });
      const close = closeFrame(1000, '', MASKED);
      if (later) rig.fromClient(close, garbage);
      else rig.fromClient(Buffer.concat([close, garbage]));
      rig.fromBackend(closeFrame(1000));
      rig.fromClient(garbage);
      expect(rig.backend.received).toEqual(close);
      expect(rig.atClient).toEqual(['close fin 1000 ""']);
      rig.finFrom(rig.backend);
      rig.finFrom(rig.client);
      rig.expectEnd({ cause: 'client_close', clean: true });
    }
  });

  test('E10: a client that FINs behind its Close still gets the answer, then the end', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.finFrom(rig.client);
    expect(rig.client.destroyed).toBe(false);
    rig.fromBackend(text('still'), closeFrame(1000));
    expect(rig.atClient).toEqual(['text fin "still"', 'close fin 1000 ""']);
    expect(rig.client.finSent).toBe(true);
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  test('a backend that FINs behind its Close still gets the answer', () => {
    const rig = new Rig({ stable });
    rig.fromBackend(closeFrame(1000));
    rig.finFrom(rig.backend);
    expect(rig.backend.destroyed).toBe(false);
    rig.fromClient(closeFrame(1000, '', MASKED));
    expect(rig.atBackend).toEqual(['close fin masked 1000 ""']);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'backend_close', clean: true });
  });

  test('of a slow reader waits behind what it has not taken, and the FIN behind both', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(3);
    rig.fromBackend(text('hello'));
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.fromBackend(closeFrame(1000));
    expect([rig.client.receivedBytes, rig.client.finSent]).toEqual([3, false]);
    rig.takeFrom(rig.client);
    expect(rig.atClient).toEqual(['text fin "hello"', 'close fin 1000 ""']);
    expect(rig.client.finSent).toBe(true);
  });
});

describe.each(MODES)('a Close that is not answered, $mode', ({ stable }) => {
  test('F30: by the backend: both are destroyed timeouts.close after it was flushed', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.advance(TIMES.close - 1);
    expect([rig.ends, rig.client.destroyed, rig.backend.destroyed]).toEqual([0, false, false]);
    rig.advance(1);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('F30: by the client: the same', () => {
    const rig = new Rig({ stable });
    rig.fromBackend(closeFrame(1000));
    rig.advance(TIMES.close - 1);
    expect(rig.ends).toBe(0);
    rig.advance(1);
    rig.expectEnd({ cause: 'backend_close', clean: false });
  });

  test('F30: whatever is sent instead, the time is the same', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    for (let ms = 0; ms < TIMES.close - 500; ms += 500) {
      rig.fromBackend(text('more'), text('part', { fin: false }), continuation('end'));
      rig.fromClient(Buffer.from('garbage'));
      rig.advance(500);
    }
    rig.advance(499);
    expect(rig.ends).toBe(0);
    rig.advance(1);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('the time counts from when it was flushed; write_stall bounds the time before', () => {
    const rig = new Rig({ stable });
    rig.backend.setRoom(0);
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.advance(TIMES.writeStall - 1);
    expect(rig.ends).toBe(0);
    rig.takeFrom(rig.backend);
    rig.advance(TIMES.close - 1);
    expect(rig.ends).toBe(0);
    rig.advance(1);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('that is never flushed: write_stall destroys, and the client is told', () => {
    const rig = new Rig({ stable });
    rig.backend.setRoom(0);
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.advance(TIMES.writeStall - 1);
    expect(rig.told()).toEqual(['backend: close fin masked 1000 ""']);
    rig.advance(1);
    expect(rig.told()).toEqual(['backend: destroyed', 'client: close fin 1012 "backend lost"', 'client: FIN']);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('but by a FIN: the other side is told, at once', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.told();
    rig.finFrom(rig.backend);
    const [close, ...then] = rig.told();
    expect([close, then.at(-1)]).toEqual(['client: close fin 1012 "backend lost"', 'backend: destroyed']);
    expect(rig.client.finSent).toBe(true);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_close', clean: false });
    const other = new Rig({ stable });
    other.fromBackend(closeFrame(1000));
    other.told();
    other.finFrom(other.client);
    expect(other.told()).toEqual(['backend: close fin masked 1001 "client lost"', 'client: FIN', 'client: destroyed']);
    other.finFrom(other.backend);
    other.expectEnd({ cause: 'backend_close', clean: false });
  });

  test('but by a reset: the same, with nothing more for the one that is gone', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.told();
    rig.rstFrom(rig.backend);
    expect(rig.told()).toEqual(['backend: destroyed', 'client: close fin 1012 "backend lost"', 'client: FIN']);
    rig.rstFrom(rig.client);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('but by a FIN inside a frame: nothing true can be said any more', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.fromBackend(text('hello').subarray(0, 4));
    rig.finFrom(rig.backend);
    expect(rig.client.receivedBytes).toBe(4);
    expect(rig.client.finSent).toBe(false);
    // The backend has had its Close and has said its FIN.
    rig.expectEnd({ cause: 'client_close', clean: false, midFrame: true });
  });
});

describe.each(MODES)('after both Closes, $mode', ({ stable }) => {
  function closed(): Rig {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.fromBackend(closeFrame(1000));
    rig.told();
    return rig;
  }

  test('7.1.1: without their FINs both are destroyed after timeouts.close', () => {
    const rig = closed();
    rig.advance(TIMES.close - 1);
    expect(rig.told()).toEqual([]);
    rig.advance(1);
    expect(rig.told()).toEqual(['client: destroyed', 'backend: destroyed']);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  test('the time to the FIN begins anew with the answer', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.advance(TIMES.close - 1);
    rig.fromBackend(closeFrame(1000));
    rig.finFrom(rig.client);
    rig.advance(TIMES.close - 1);
    expect([rig.ends, rig.backend.destroyed]).toEqual([0, false]);
    rig.advance(1);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  test('what still comes is read and discarded', () => {
    const rig = closed();
    rig.fromClient(text('x', MASKED), Buffer.alloc(100_000, 0xff));
    rig.fromBackend(text('x'), Buffer.alloc(100_000, 0xff));
    expect([rig.client.unreadBytes, rig.backend.unreadBytes]).toEqual([0, 0]);
    expect(rig.told()).toEqual([]);
    rig.finFrom(rig.client);
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  test('E9: a reset of either ends that side, the session once', () => {
    const rig = closed();
    rig.rstFrom(rig.client);
    expect(rig.told()).toEqual(['client: destroyed']);
    expect(rig.ends).toBe(0);
    rig.rstFrom(rig.backend);
    rig.expectEnd({ cause: 'client_close', clean: true });
  });

  test('nothing foreign was written to either side', () => {
    const rig = closed();
    expect(parseFrames(rig.client.received).length).toBe(1);
    expect(parseFrames(rig.backend.received).length).toBe(1);
  });
});
