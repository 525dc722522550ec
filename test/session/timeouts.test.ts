import { describe, expect, test } from 'vitest';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { binary, closeFrame, continuation, ping, pong, text } from '../support/wire.ts';
import { BUFFERED_MAX, MODES, Rig, TIMES } from './rig.ts';

const MASKED = { mask: true } as const;

/** Lives one millisecond before, has ended (for that cause) at `ms` from now. */
function expectCauseIn(rig: Rig, ms: number, cause: string): void {
  rig.advance(ms - 1);
  expect(rig.session.cause).toBeNull();
  rig.advance(1);
  expect(rig.session.cause).toBe(cause);
}

describe.each(MODES)('D6: idle, $mode', ({ stable }) => {
  const make = () => new Rig({ stable });

  test('not one byte from either side: both get 1001, the client first', () => {
    const rig = make();
    expectCauseIn(rig, TIMES.idle, 'idle');
    expect(rig.session.limit).toBe('idle');
    expect(rig.told()).toEqual(['client: close fin 1001 "idle timeout"']);
    rig.fromClient(closeFrame(1001, '', MASKED));
    rig.fromBackend(closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual([
      'backend: close fin masked 1001 "idle timeout"',
      'client: FIN',
      'backend: destroyed',
      'client: destroyed',
    ]);
    rig.expectEnd({ cause: 'idle', limit: 'idle', clean: true });
  });

  const SIGNS = [
    ['a message of the client', (rig: Rig) => rig.fromClient(text('x', MASKED))],
    ['a ping of the client', (rig: Rig) => rig.fromClient(ping('', MASKED))],
    ['a pong of the backend', (rig: Rig) => rig.fromBackend(pong(''))],
    ['a message of the backend', (rig: Rig) => rig.fromBackend(binary(''))],
  ] as const;

  test.each(SIGNS)('%s begins the time anew', (_, sign) => {
    const rig = make();
    rig.advance(TIMES.idle - 1);
    sign(rig);
    expectCauseIn(rig, TIMES.idle, 'idle');
  });

  test('bytes that are part of a frame do too', () => {
    const rig = make();
    rig.fromBackend(text('hello', { fin: false }));
    // Only the time between fragments would end it; a fragment comes in each.
    for (let ms = 0; ms < TIMES.idle; ms += TIMES.messageStall / 2) {
      rig.advance(TIMES.messageStall / 2);
      rig.fromBackend(continuation('x', { fin: false }).subarray(0, 2), Buffer.from('x'));
      if (rig.session.cause !== null) break;
    }
    expect(rig.session.cause).toBe('backend_too_many_fragments');
  });

  test('off is off', () => {
    const rig = new Rig({ stable, policy: { idleMs: Infinity, messageStallMs: Infinity, writeStallMs: Infinity } });
    expect(rig.wheel.size).toBe(0);
    rig.clock.advance(1e12);
    rig.wheel.advance();
    rig.expectAlive();
    rig.fromClient(text('x', MASKED));
    rig.session.end('drain');
    rig.advance(2 * TIMES.close);
    rig.expectEnd({ cause: 'drain', clean: false });
  });

  test('with stalls off it still ends the session', () => {
    const rig = new Rig({ stable, policy: { messageStallMs: Infinity, writeStallMs: Infinity } });
    expectCauseIn(rig, TIMES.idle, 'idle');
  });

  test('the proxy was not run for days: it ends once, in order', () => {
    const rig = make();
    rig.clock.advance(10 * TIMES.idle);
    rig.wheel.advance();
    expect(rig.told()).toEqual(['client: close fin 1001 "idle timeout"']);
    rig.advance(TIMES.close - 1);
    expect(rig.client.destroyed).toBe(false);
  });
});

describe.each(MODES)('F14: message_stall, $mode', ({ stable }) => {
  const make = () => new Rig({ stable });

  const PARTS = [
    ['between fragments', (mask: boolean) => text('a', { mask, fin: false })],
    ['after an empty first fragment', (mask: boolean) => text('', { mask, fin: false })],
    ['inside a header', (mask: boolean) => text('a', { mask }).subarray(0, 1)],
    ['inside a long header', (mask: boolean) => binary(Buffer.alloc(300), { mask }).subarray(0, 3)],
    ['inside a control frame', (mask: boolean) => ping('abc', { mask }).subarray(0, 3)],
  ] as const;

  test.each(PARTS)('of the client %s: the backend is told at once, the client after it', (_, part) => {
    const rig = make();
    rig.advance(12_345);
    rig.fromClient(part(true));
    expectCauseIn(rig, TIMES.messageStall, 'client_message_stall');
    expect(rig.atBackend.at(-1)).toBe('close fin masked 1001 "message_stall"');
    expect(rig.client.receivedBytes).toBe(0);
    rig.fromBackend(text('answer'), closeFrame(1001));
    expect(rig.atClient).toEqual(['text fin "answer"', 'close fin 1008 "message_stall"']);
    expect(rig.session.limit).toBe('message_stall');
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_message_stall', limit: 'message_stall', clean: false });
  });

  test.each(PARTS)('of the backend %s', (_, part) => {
    const rig = make();
    rig.fromBackend(part(false));
    expectCauseIn(rig, TIMES.messageStall, 'backend_message_stall');
    expect(rig.atClient.at(-1)).toBe('close fin 1011 "message_stall"');
    rig.advance(TIMES.lastAnswers);
    expect(rig.atBackend).toEqual(['close fin masked 1008 "message_stall"']);
    rig.finFrom(rig.client);
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'backend_message_stall', limit: 'message_stall', clean: false });
  });

  test('between fragments both sides can answer: a clean end', () => {
    const rig = make();
    rig.fromClient(text('a', { ...MASKED, fin: false }));
    rig.advance(TIMES.messageStall + TIMES.lastAnswers);
    rig.told();
    rig.fromClient(continuation('too late', MASKED), closeFrame(1008, '', MASKED));
    rig.fromBackend(closeFrame(1001));
    expect(rig.told()).toEqual(['client: FIN']);
    rig.finFrom(rig.client);
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'client_message_stall', limit: 'message_stall', clean: true });
  });

  test('inside a frame: the backend waits timeouts.close for its end, then is destroyed', () => {
    const rig = make();
    rig.fromClient(binary(Buffer.alloc(100), MASKED).subarray(0, 50));
    expectCauseIn(rig, TIMES.messageStall, 'client_message_stall');
    expect(rig.told()).toEqual([]);
    rig.advance(TIMES.lastAnswers);
    expect(rig.told()).toEqual(['client: close fin 1008 "message_stall"']);
    rig.advance(TIMES.close - TIMES.lastAnswers - 1);
    expect(rig.told()).toEqual([]);
    rig.advance(1);
    expect(rig.backend.destroyed).toBe(true);
    expect(rig.backend.receivedBytes).toBe(50);
    rig.advance(TIMES.lastAnswers);
    rig.expectEnd({ cause: 'client_message_stall', limit: 'message_stall', clean: false, midFrame: true });
  });

  test('inside a frame, then a FIN: its end cannot come, the backend is destroyed, the client told', () => {
    const rig = make();
    rig.fromClient(binary(Buffer.alloc(100), MASKED).subarray(0, 50));
    rig.advance(TIMES.messageStall);
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual([
      'backend: destroyed',
      'client: close fin 1008 "message_stall"',
      'client: FIN',
      'client: destroyed',
    ]);
    rig.expectEnd({ cause: 'client_message_stall', limit: 'message_stall', clean: false, midFrame: true });
  });

  test('inside a frame whose end comes in time: it is relayed, then the Close', () => {
    const rig = make();
    const whole = binary(Buffer.alloc(100), MASKED);
    rig.fromClient(whole.subarray(0, 50));
    rig.advance(TIMES.messageStall + TIMES.lastAnswers + 1000);
    rig.fromClient(whole.subarray(50), text('discarded', MASKED), closeFrame(1008, '', MASKED));
    expect(rig.backend.received.subarray(0, whole.length)).toEqual(whole);
    expect(rig.atBackend.slice(1)).toEqual(['close fin masked 1001 "message_stall"']);
    rig.fromBackend(closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_message_stall', limit: 'message_stall', clean: true });
  });

  test('a byte of the message begins the time anew: payload, an empty fragment, a byte of a header', () => {
    const rig = make();
    const message = binary(Buffer.alloc(10), MASKED);
    rig.fromClient(message.subarray(0, 7));
    const next = continuation('', { ...MASKED, fin: false });
    const steps = [
      message.subarray(7, 8),
      message.subarray(8),
      binary('', { ...MASKED, fin: false }),
      next,
      next.subarray(0, 1),
      next.subarray(1, 2),
      next.subarray(2),
    ];
    for (const bytes of steps) {
      rig.advance(TIMES.messageStall - 1);
      rig.fromClient(bytes);
      rig.expectAlive();
    }
    expectCauseIn(rig, TIMES.messageStall, 'client_message_stall');
  });

  test('control frames between fragments, whole or in part, are no bytes of it', () => {
    const rig = make();
    rig.fromClient(text('a', { ...MASKED, fin: false }));
    rig.advance(TIMES.messageStall - 1000);
    rig.fromClient(ping('x', MASKED), pong('y', MASKED), ping('abc', MASKED).subarray(0, 3));
    expectCauseIn(rig, 1000, 'client_message_stall');
  });

  test('a message that is complete cannot stall', () => {
    const rig = make();
    rig.fromClient(text('a', { ...MASKED, fin: false }), continuation('b', MASKED), ping('', MASKED));
    rig.fromBackend(text('a'));
    rig.advance(TIMES.idle - 1);
    rig.expectAlive();
  });

  test('a peer that is not read cannot stall; read again, it has the whole time', () => {
    const rig = make();
    rig.client.setRoom(0);
    rig.fromBackend(binary(Buffer.alloc(15_000)).subarray(0, BUFFERED_MAX));
    expect(rig.backend.paused).toBe(true);
    // The client takes a little in each write_stall; the backend cannot be read for longer than message_stall.
    rig.advance(TIMES.writeStall - 1);
    rig.fromClient(text('x', MASKED));
    rig.session.client.onTaken();
    rig.advance(TIMES.writeStall - 1);
    rig.expectAlive();
    rig.takeFrom(rig.client);
    expect(rig.backend.paused).toBe(false);
    expectCauseIn(rig, TIMES.messageStall, 'backend_message_stall');
  });
});

describe.each(MODES)('D5: E3: write_stall, $mode', ({ stable }) => {
  const make = () => new Rig({ stable });
  const stuck = (transport: MemoryTransport) => transport.setRoom(0);

  test('of the client: destroyed, the backend gets 1001', () => {
    const rig = make();
    rig.advance(77_777);
    stuck(rig.client);
    rig.fromBackend(text('x'));
    expectCauseIn(rig, TIMES.writeStall, 'client_stalled');
    expect(rig.told().slice(1)).toEqual(['client: destroyed', 'backend: close fin masked 1001 "write_stall"']);
    rig.fromBackend(closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'client_stalled', limit: 'write_stall', clean: false });
  });

  test('of the backend: destroyed, the client gets 1012', () => {
    const rig = make();
    stuck(rig.backend);
    rig.fromClient(text('x', MASKED));
    expectCauseIn(rig, TIMES.writeStall, 'backend_stalled');
    expect(rig.told().slice(1)).toEqual(['backend: destroyed', 'client: close fin 1012 "write_stall"']);
    rig.fromClient(closeFrame(1012, '', MASKED));
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'backend_stalled', limit: 'write_stall', clean: false });
  });

  test('counts from when something waits, not from the last write', () => {
    const rig = make();
    rig.fromBackend(text('x'));
    rig.advance(TIMES.writeStall * 3);
    stuck(rig.client);
    rig.fromBackend(text('y'));
    rig.advance(TIMES.writeStall / 2);
    rig.fromBackend(text('z'));
    expectCauseIn(rig, TIMES.writeStall / 2, 'client_stalled');
  });

  test('a write that finishes begins the time anew', () => {
    const rig = make();
    stuck(rig.client);
    rig.fromBackend(text('1'), text('2'), text('3'));
    for (let i = 0; i < 2; i++) {
      rig.advance(TIMES.writeStall - 1);
      rig.takeFrom(rig.client, 3);
      rig.expectAlive();
    }
    expectCauseIn(rig, TIMES.writeStall, 'client_stalled');
  });

  test('a part of a write that is taken does not', () => {
    const rig = make();
    stuck(rig.client);
    rig.fromBackend(text('hello'));
    rig.advance(TIMES.writeStall - 1);
    rig.takeFrom(rig.client, 6);
    expectCauseIn(rig, 1, 'client_stalled');
  });

  test('what was taken in time is no stall', () => {
    const rig = make();
    stuck(rig.client);
    rig.fromBackend(text('x'));
    rig.advance(TIMES.writeStall - 1);
    rig.takeFrom(rig.client);
    rig.advance(TIMES.idle / 2);
    rig.expectAlive();
  });

  test('memory stays flat: what is not read is not held', () => {
    const rig = make();
    stuck(rig.client);
    for (let i = 0; i < 1000; i++) rig.fromBackend(binary(Buffer.alloc(1000)));
    expect(rig.client.pending).toBeLessThan(2 * BUFFERED_MAX);
    expect(rig.backend.unreadBytes).toBeGreaterThan(900_000);
    // Its source, which is not read, is told like anyone else, and read again.
    rig.advance(TIMES.writeStall);
    expect(rig.atBackend).toEqual(['close fin masked 1001 "write_stall"']);
    expect(rig.backend.unreadBytes).toBe(0);
  });

  test('inside a frame that was being relayed from the stalled side: no Close is possible for the other', () => {
    const rig = make();
    stuck(rig.client);
    rig.fromBackend(text('x'));
    rig.fromClient(text('hello', MASKED).subarray(0, 8));
    rig.advance(TIMES.writeStall);
    rig.expectEnd({ cause: 'client_stalled', limit: 'write_stall', clean: false, midFrame: true });
  });

  test('bounds the time until our own Close is flushed', () => {
    const rig = make();
    // Nothing has waited so far, however long ago something was written.
    rig.advance(TIMES.writeStall - 1);
    stuck(rig.client);
    rig.session.end('drain');
    rig.advance(TIMES.writeStall - 1);
    expect(rig.client.destroyed).toBe(false);
    rig.advance(1);
    expect(rig.told().slice(1)).toEqual(['client: destroyed', 'backend: close fin masked 1001 "server restart"']);
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'drain', clean: false });
  });
});

describe.each(MODES)('timeouts.close, $mode', ({ stable }) => {
  test('of our own Close begins when it is flushed', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(0);
    rig.fromBackend(text('x'));
    rig.session.end('drain');
    rig.advance(20_000);
    rig.takeFrom(rig.client);
    rig.advance(TIMES.close - 1);
    expect(rig.client.destroyed).toBe(false);
    rig.advance(1);
    expect(rig.client.destroyed).toBe(true);
  });

  test('does not begin when only what stands before the Close was taken', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(0);
    rig.fromBackend(text('x'));
    rig.session.end('drain');
    rig.takeFrom(rig.client, 3);
    expect([rig.client.receivedBytes, rig.client.pending > 0]).toEqual([3, true]);
    rig.advance(TIMES.writeStall - 1);
    expect(rig.client.destroyed).toBe(false);
    rig.advance(1);
    expect(rig.client.destroyed).toBe(true);
  });

  test('of a Close that had to wait for the end of a frame, too', () => {
    const rig = new Rig({ stable });
    const half = binary(Buffer.alloc(100));
    rig.fromBackend(half.subarray(0, 50));
    rig.session.end('drain');
    rig.client.setRoom(0);
    rig.advance(TIMES.close - 1);
    rig.fromBackend(half.subarray(50));
    rig.advance(TIMES.close * 2);
    expect(rig.client.destroyed).toBe(false);
    rig.takeFrom(rig.client);
    expect(rig.atClient.at(-1)).toBe('close fin 1012 "server restart"');
    rig.advance(TIMES.close - 1);
    expect(rig.client.destroyed).toBe(false);
    rig.advance(1);
    expect(rig.client.destroyed).toBe(true);
  });

  test('the source of a slow side is read again once that side has its Close', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(0);
    rig.fromBackend(binary(Buffer.alloc(BUFFERED_MAX)), text('dropped'));
    expect(rig.backend.paused).toBe(true);
    rig.session.end('drain');
    rig.pump();
    expect([rig.backend.paused, rig.backend.unreadBytes]).toEqual([false, 0]);
    rig.rstFrom(rig.backend);
    expect(rig.backend.destroyed).toBe(true);
    rig.takeFrom(rig.client);
    expect(rig.atClient.slice(1)).toEqual(['close fin 1012 "server restart"']);
  });

  test('is short while the stalls are long: the timer is set for it at once', () => {
    const rig = new Rig({ stable, policy: { messageStallMs: Infinity, writeStallMs: Infinity, idleMs: Infinity } });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.advance(TIMES.close - 1);
    expect(rig.ends).toBe(0);
    rig.advance(1);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });
});

describe('a clock that jumps', () => {
  test('by hours, at any state: one end, and nothing left', () => {
    const states: ((rig: Rig) => void)[] = [
      () => {},
      (rig) => rig.fromClient(text('a', { ...MASKED, fin: false })),
      (rig) => rig.fromClient(closeFrame(1000, '', MASKED)),
      (rig) => rig.fromClient(text('unmasked')),
      (rig) => rig.session.end('drain'),
      (rig) => rig.rstFrom(rig.backend),
    ];
    for (const state of states) {
      const rig = new Rig();
      state(rig);
      for (let jump = 0; jump < 6; jump++) {
        rig.clock.advance(3 * TIMES.idle);
        rig.wheel.advance();
        rig.pump();
      }
      expect([rig.ends, rig.wheel.size]).toEqual([1, 0]);
      rig.expectSound();
    }
  });
});
