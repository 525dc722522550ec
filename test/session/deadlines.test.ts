// Each deadline alone, all others off: the timer is set to it, nothing happens before it, and then what its row says.

import { describe, expect, test } from 'vitest';
import { nextLook } from '../../src/session/deadlines.ts';
import type { SessionPolicy, SidePolicy } from '../../src/session/policy.ts';
import { binary, text } from '../support/wire.ts';
import { Rig, SIDE, TIMES } from './rig.ts';

const MASKED = { mask: true } as const;
const MS = 7_000;

const OFF: Partial<SessionPolicy> = {
  idleMs: Infinity,
  messageStallMs: Infinity,
  writeStallMs: Infinity,
  slowReaderMs: Infinity,
  closeMs: Infinity,
  pongMs: Infinity,
  lifetimeMs: Infinity,
};

const pinged: SidePolicy = { ...SIDE, pingIntervalMs: MS };
/** A message of ten bytes costs a debt of ten seconds, less one byte. */
const slowPaying: SidePolicy = {
  ...SIDE,
  rates: { ...SIDE.rates, bytesPerSecond: 1, byteBurst: 1, onExceeded: 'pause' },
};

interface Row {
  readonly name: string;
  readonly policy?: Partial<SessionPolicy>;
  readonly prepare?: (rig: Rig) => void;
  /** How long it takes; MS unless it says otherwise. */
  readonly ms?: number;
  /** What is not so before it is due. */
  readonly isDone: (rig: Rig) => boolean;
}

const endsWith =
  (cause: string) =>
  ({ session }: Rig): boolean =>
    session.cause === cause;

const ROWS: readonly Row[] = [
  { name: 'idle', policy: { idleMs: MS }, isDone: endsWith('idle') },
  {
    name: 'message_stall',
    policy: { messageStallMs: MS },
    prepare: (rig) => rig.fromClient(binary(Buffer.alloc(100), MASKED).subarray(0, 50)),
    isDone: endsWith('client_message_stall'),
  },
  {
    name: 'write_stall',
    policy: { writeStallMs: MS },
    prepare: (rig) => {
      rig.backend.setRoom(0);
      rig.fromClient(text('x', MASKED));
    },
    isDone: endsWith('backend_stalled'),
  },
  {
    name: 'slow_reader',
    policy: { slowReaderMs: MS },
    prepare: (rig) => {
      rig.client.setRoom(0);
      rig.fromBackend(text('x'));
    },
    isDone: endsWith('client_slow'),
  },
  {
    name: 'close',
    policy: { closeMs: MS },
    prepare: (rig) => rig.session.end('drain'),
    isDone: (rig) => rig.client.destroyed,
  },
  { name: 'client_ping_interval', policy: { client: pinged }, isDone: (rig) => rig.atClient.length > 0 },
  { name: 'backend_ping_interval', policy: { backend: pinged }, isDone: (rig) => rig.atBackend.length > 0 },
  {
    name: 'pong',
    policy: { client: pinged, pongMs: MS - 1 },
    prepare: (rig) => rig.advance(MS),
    ms: MS - 1,
    isDone: endsWith('client_pong_timeout'),
  },
  {
    name: 'a debt',
    policy: { client: slowPaying },
    prepare: (rig) => rig.fromClient(text('0123456789', MASKED), text('0', MASKED)),
    ms: 10_001,
    isDone: (rig) => !rig.client.paused,
  },
  {
    name: 'last answers',
    prepare: (rig) => rig.fromClient(text('not masked')),
    ms: TIMES.lastAnswers,
    isDone: (rig) => rig.atClient.length > 0,
  },
];

describe('each deadline alone', () => {
  test.each(ROWS)('$name', ({ policy, prepare, ms = MS, isDone }) => {
    const rig = new Rig({ policy: { ...OFF, ...policy } });
    prepare?.(rig);
    const now = rig.clock.now();
    expect(nextLook(rig.session, now)).toBe(now + ms);
    rig.advance(ms - 1);
    expect(isDone(rig)).toBe(false);
    rig.advance(1);
    expect(isDone(rig)).toBe(true);
  });

  test('lifetime', () => {
    const rig = new Rig({ policy: { ...OFF, lifetimeMs: MS } });
    const now = rig.clock.now();
    expect(nextLook(rig.session, now)).toBe(rig.session.lifetimeAt);
    rig.advance(Math.ceil(rig.session.lifetimeAt - now) - 1);
    expect(rig.session.cause).toBeNull();
    rig.advance(1);
    expect(rig.session.cause).toBe('lifetime');
  });

  test('credential: looked at when its term says, again and again, until it has ended', () => {
    const term = { lookAt: 0, endsAt: 0, hasEnded: (now: number) => now >= term.endsAt };
    const rig = new Rig({ policy: OFF, term, start: false });
    const now = rig.clock.now();
    term.lookAt = now + MS;
    term.endsAt = now + 3 * MS;
    term.hasEnded = (at) => {
      term.lookAt = at + MS;
      return at >= term.endsAt;
    };
    rig.session.start(null, null);
    expect(nextLook(rig.session, now)).toBe(now + MS);
    rig.advance(3 * MS - 1);
    expect(rig.session.cause).toBeNull();
    rig.advance(1);
    expect(rig.session.cause).toBe('credential_expired');
  });

  test('none: the timer is not set', () => {
    const rig = new Rig({ policy: OFF });
    expect(nextLook(rig.session, rig.clock.now())).toBe(Infinity);
  });

  test('none of them for an end that is gone', () => {
    const rig = new Rig({ policy: { ...OFF, writeStallMs: MS, closeMs: 2 * MS } });
    rig.backend.setRoom(0);
    rig.fromClient(text('x', MASKED));
    rig.advance(MS);
    expect([rig.session.cause, rig.backend.destroyed]).toEqual(['backend_stalled', true]);
    const now = rig.clock.now();
    // What bounds the next stall, should one begin.
    expect(nextLook(rig.session, now)).toBe(now + MS);
  });
});
