import { describe, expect, test } from 'vitest';
import type { SessionPolicy } from '../../src/session/policy.ts';
import { binary, closeFrame, text } from '../support/wire.ts';
import { BUFFERED_MAX, MODES, POLICY, Rig, TIMES } from './rig.ts';

const MASKED = { mask: true } as const;
const BUG = new Error('a bug');

/** A policy whose `key` throws, once, when it is read after `arm()`. */
function faultyPolicy(key: keyof SessionPolicy): { policy: SessionPolicy; arm: () => void } {
  let armed = false;
  const policy = { ...POLICY };
  Object.defineProperty(policy, key, {
    enumerable: true,
    get() {
      if (!armed) return POLICY[key];
      armed = false;
      throw BUG;
    },
  });
  return {
    policy,
    arm: () => {
      armed = true;
    },
  };
}

/** `policy` as it is, getters included: the rig spreads its options. */
function rigWith(policy: SessionPolicy, stable: boolean): Rig {
  const rig = new Rig({ stable, start: false });
  Object.defineProperty(rig.session, 'policy', { value: policy });
  rig.session.start(null, null);
  return rig;
}

function expectContained(rig: Rig, clean: boolean): void {
  expect(rig.faults.splice(0)).toEqual([BUG]);
  expect(rig.session.cause).toBe('internal_error');
  rig.finFrom(rig.client);
  rig.finFrom(rig.backend);
  rig.advance(TIMES.close);
  rig.expectEnd({ cause: 'internal_error', clean, midFrame: rig.session.midFrame });
}

describe.each(MODES)('E30: a bug of our own, $mode', ({ stable }) => {
  test('at a frame boundary: both sides get 1011, at once', () => {
    const rig = new Rig({ stable });
    rig.session.fail(BUG);
    expect(rig.told()).toEqual([
      'client: close fin 1011 "internal error"',
      'backend: close fin masked 1011 "internal error"',
      // Their answers are not looked at any more.
      'client: FIN',
      'backend: FIN',
    ]);
    rig.fromClient(text('dropped', MASKED));
    rig.fromBackend(text('dropped'));
    expect(rig.told()).toEqual([]);
    expectContained(rig, false);
  });

  test('nobody FINs: destroyed after timeouts.close', () => {
    const rig = new Rig({ stable });
    rig.session.fail(BUG);
    rig.faults.splice(0);
    rig.advance(TIMES.close - 1);
    expect(rig.ends).toBe(0);
    rig.advance(1);
    rig.expectEnd({ cause: 'internal_error', clean: false });
  });

  test('with a frame half relayed: that peer is destroyed, the other gets 1011', () => {
    const rig = new Rig({ stable });
    rig.fromBackend(binary(Buffer.alloc(100)).subarray(0, 50));
    rig.session.fail(BUG);
    expect(rig.told()).toEqual([
      'client: destroyed',
      'backend: close fin masked 1011 "internal error"',
      'backend: FIN',
    ]);
    expect(rig.session.midFrame).toBe(true);
    expectContained(rig, false);
  });

  test('a write that throws, once: both sides get 1011', () => {
    const rig = new Rig({ stable });
    rig.backend.failOnce = BUG;
    rig.fromClient(text('x', MASKED));
    expect([rig.atClient, rig.atBackend]).toEqual([
      ['close fin 1011 "internal error"'],
      ['close fin masked 1011 "internal error"'],
    ]);
    expectContained(rig, false);
  });

  test('a transport whose every write throws is destroyed; the other side gets 1011 all the same', () => {
    const rig = new Rig({ stable });
    rig.backend.failure = BUG;
    rig.fromClient(text('x', MASKED));
    expect(rig.told()).toEqual(['client: close fin 1011 "internal error"', 'backend: destroyed', 'client: FIN']);
    expectContained(rig, false);
  });

  test('a write that throws at the end of a half relayed frame: no Close is put into that frame', () => {
    const rig = new Rig({ stable });
    const whole = binary(Buffer.alloc(100), MASKED);
    rig.fromClient(whole.subarray(0, 50));
    rig.backend.failOnce = BUG;
    rig.fromClient(whole.subarray(50));
    expect(rig.backend.receivedBytes).toBe(50);
    expect(rig.backend.destroyed).toBe(true);
    expectContained(rig, false);
  });

  const READERS = [
    ['a read', 'closeMs', (rig: Rig) => rig.fromClient(closeFrame(1000, '', MASKED))],
    ['a FIN', 'closeMs', (rig: Rig) => rig.finFrom(rig.client)],
    ['a reset', 'closeMs', (rig: Rig) => rig.rstFrom(rig.backend)],
    ['a timer', 'idleMs', (rig: Rig) => rig.advance(TIMES.messageStall)],
    [
      'a write that was taken',
      'bufferedBytesMax',
      (rig: Rig) => {
        rig.backend.takeAll();
      },
    ],
  ] as const;

  test.each(READERS)('in %s: told to the owner, once, and the session ends in a bounded time', (_, key, act) => {
    const { policy, arm } = faultyPolicy(key);
    const rig = rigWith(policy, stable);
    rig.backend.setRoom(0);
    rig.fromClient(binary(Buffer.alloc(BUFFERED_MAX), MASKED));
    if (key !== 'bufferedBytesMax') rig.takeFrom(rig.backend);
    arm();
    act(rig);
    expect(rig.faults.splice(0)).toEqual([BUG]);
    rig.advance(TIMES.writeStall + 2 * TIMES.close);
    expect([rig.ends, rig.wheel.size]).toEqual([1, 0]);
    rig.expectSound();
  });

  test('while a Close waits to be flushed: nothing tells of it any more, and the time is bounded still', () => {
    const { policy, arm } = faultyPolicy('bufferedBytesMax');
    const rig = rigWith(policy, stable);
    rig.backend.setRoom(0);
    rig.fromClient(Buffer.concat([binary(Buffer.alloc(BUFFERED_MAX), MASKED), closeFrame(1000, '', MASKED)]));
    const { closeSent, closeDueAt } = rig.session.backend;
    expect([closeSent, closeDueAt]).toEqual([1000, Infinity]);
    arm();
    rig.backend.takeAll();
    expect(rig.faults.splice(0)).toEqual([BUG]);
    rig.finFrom(rig.client);
    rig.advance(TIMES.close);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('a second one while it ends: told once, cut at once', () => {
    const rig = new Rig({ stable });
    rig.session.fail(BUG);
    rig.session.fail(new Error('another'));
    expect(rig.faults.splice(0)).toEqual([BUG]);
    rig.expectEnd({ cause: 'internal_error', clean: false });
  });

  test('while it ends for another cause, that cause stays', () => {
    const rig = new Rig({ stable });
    rig.fromClient(closeFrame(1000, '', MASKED));
    rig.session.fail(BUG);
    expect(rig.session.cause).toBe('client_close');
    rig.faults.splice(0);
    rig.advance(TIMES.close);
    rig.expectEnd({ cause: 'client_close', clean: false });
  });

  test('after the end: nothing', () => {
    const rig = new Rig({ stable });
    rig.session.cut();
    rig.session.fail(BUG);
    rig.faults.splice(0);
    rig.expectEnd({ cause: 'forced', clean: false });
  });
});

describe.each(MODES)('forced, $mode', ({ stable }) => {
  test('both sides are destroyed at once, without a Close', () => {
    const rig = new Rig({ stable });
    rig.session.cut();
    expect(rig.told()).toEqual(['client: destroyed', 'backend: destroyed']);
    rig.expectEnd({ cause: 'forced', clean: false });
  });

  test('a session that drains and is cut was forced', () => {
    const rig = new Rig({ stable });
    rig.session.end('drain');
    rig.session.cut();
    rig.expectEnd({ cause: 'forced', clean: false });
  });

  test('one that drains and has said all but the FINs was not', () => {
    const rig = new Rig({ stable });
    rig.session.end('drain');
    rig.fromClient(closeFrame(1012, '', MASKED));
    rig.fromBackend(closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.session.cut();
    rig.expectEnd({ cause: 'drain', clean: true });
  });

  test('inside a frame that is said', () => {
    for (const from of ['fromClient', 'fromBackend'] as const) {
      const rig = new Rig({ stable });
      rig[from](binary(Buffer.alloc(100), { mask: from === 'fromClient' }).subarray(0, 50));
      rig.session.cut();
      rig.expectEnd({ cause: 'forced', clean: false, midFrame: true });
    }
  });
});
