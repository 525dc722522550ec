// Random policies for a session: small numbers, so that a short case meets every limit and deadline.

import type { SessionPolicy, SidePolicy } from '../../../src/session/policy.ts';
import type { Random } from '../../support/random.ts';

const off = Number.POSITIVE_INFINITY;

export interface Setup {
  readonly deflate: boolean;
  readonly validateUtf8: boolean;
  readonly stable: boolean;
}

export function makeSetup(random: Random): Setup {
  const deflate = random.chance(0.25);
  return { deflate, validateUtf8: !deflate && random.chance(0.2), stable: random.chance(0.5) };
}

const limits = [
  { messageBytesMax: 200_000, frameBytesMax: 200_000, fragmentsMax: 1024 },
  { messageBytesMax: 1000, frameBytesMax: 700, fragmentsMax: 8 },
  { messageBytesMax: 300, frameBytesMax: 300, fragmentsMax: 3 },
  { messageBytesMax: 126, frameBytesMax: 125, fragmentsMax: 16 },
  { messageBytesMax: 40, frameBytesMax: 20, fragmentsMax: 1 },
] as const;

const closeCodes = [
  { drain: 4001, client_rate: 4429, backend_lost: 1001, idle: 3000, client_protocol_error: 4002, backend_slow: 1013 },
  { admin: 1011, lifetime: 1001, backend_protocol_error: 1014, overload: 4999, client_message_stall: 1012 },
] as const;

/** Limits, rates and timeouts. `validateUtf8` is settled by the handshake: a reload leaves it as it is. */
export function makePolicy(random: Random, validateUtf8: boolean): SessionPolicy {
  const rated = random.chance(0.25);
  const pinged = random.chance(0.3);
  return {
    fromClient: random.pick(limits),
    fromBackend: random.pick(limits),
    client: makeSide(random, rated, pinged, validateUtf8),
    backend: makeSide(random, rated, pinged, validateUtf8),
    bufferedBytesMax: random.pick([1, 64, 500, 4096]),
    idleMs: random.pick([700, 6000, 40_000]),
    messageStallMs: random.pick([400, 3000, 31_000]),
    writeStallMs: random.pick([300, 2000, 33_000]),
    slowReaderMs: random.pick([off, off, 250, 1500]),
    closeMs: random.pick([50, 400, 5000]),
    pongMs: random.pick([300, 1900]),
    lifetimeMs: random.chance(0.9) ? off : random.pick([500, 9000]),
    recordedFrames: 5,
    closeCodes: random.chance(0.8) ? {} : random.pick(closeCodes),
  };
}

function makeSide(random: Random, rated: boolean, pinged: boolean, validateUtf8: boolean): SidePolicy {
  const messagesPerSecond = rated ? random.pick([off, 1, 5]) : off;
  const bytesPerSecond = rated ? random.pick([off, 10, 300]) : off;
  const controlFramesPerSecond = rated ? random.pick([off, 1, 10]) : off;
  return {
    rates: {
      messagesPerSecond,
      messageBurst: Math.max(1, Math.min(10, 2 * messagesPerSecond)),
      bytesPerSecond,
      byteBurst: Math.min(600, 2 * bytesPerSecond),
      controlFramesPerSecond,
      controlFrameBurst: Math.min(20, 2 * controlFramesPerSecond),
      onExceeded: random.pick(['close', 'pause', 'drop']),
    },
    validateUtf8,
    pingIntervalMs: pinged ? random.pick([off, 350, 350, 3100]) : off,
  };
}
