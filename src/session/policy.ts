// What a route allows a session, in the units the data path works with. Compiled once per route, shared by its
// sessions. It knows no YAML names.

import type { RateKey, RateLimits } from '../limits/rates.ts';
import type { EndCause } from '../protocol/end-causes.ts';
import type { ScannerLimits } from '../protocol/frame-scanner.ts';

/** What one side may send, and how it is kept honest. */
export interface SidePolicy {
  readonly rates: RateLimits;
  readonly validateUtf8: boolean;
  /** Silence of this side after which it is pinged; Infinity is `off`. */
  readonly pingIntervalMs: number;
}

export interface SessionPolicy {
  readonly fromClient: ScannerLimits;
  readonly fromBackend: ScannerLimits;
  readonly client: SidePolicy;
  readonly backend: SidePolicy;
  /** Bytes a slower peer may leave untaken before the other one is not read any more. */
  readonly bufferedBytesMax: number;
  readonly idleMs: number;
  readonly messageStallMs: number;
  readonly writeStallMs: number;
  /** Data may wait for a peer this long without a break. */
  readonly slowReaderMs: number;
  readonly closeMs: number;
  /** Silence after a ping. */
  readonly pongMs: number;
  readonly lifetimeMs: number;
  /** How many frames the flight recorder holds; 0: there is none. */
  readonly recordedFrames: number;
  /** Codes towards the client that replace the defaults of END_CAUSES. */
  readonly closeCodes: Readonly<Partial<Record<EndCause, number>>>;
}

/**
 * RFC 7692 7.2.1: a compressed message is no text before it is inflated, and with context takeover one that is missing
 * breaks all that follow. A route that was given such policies keeps the compression of its open sessions; they only
 * slow down what should be dropped.
 */
export function policyForCompressed(policy: SessionPolicy): SessionPolicy {
  const client = sideForCompressed(policy.client);
  const backend = sideForCompressed(policy.backend);
  const isSame = client === policy.client && backend === policy.backend;
  return isSame ? policy : { ...policy, client, backend };
}

function sideForCompressed(side: SidePolicy): SidePolicy {
  const { rates, validateUtf8 } = side;
  const isDropping = rates.onExceeded === 'drop';
  if (!isDropping && !validateUtf8) return side;
  return { ...side, validateUtf8: false, rates: isDropping ? { ...rates, onExceeded: 'pause' } : rates };
}

/** The rate that a side went over. */
export function rateOf(side: SidePolicy, key: RateKey): number {
  const { rates } = side;
  if (key === 'messages_per_second') return rates.messagesPerSecond;
  return key === 'bytes_per_second' ? rates.bytesPerSecond : rates.controlFramesPerSecond;
}
