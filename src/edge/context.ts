// What every connection and every handshake may use: the config in force, means, and what all share. Types only, so
// that nobody here depends on edge.ts, which puts it together and knows who is here.

import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { SecureOptions } from '../net/carrier.ts';
import type { Dialer } from '../net/dial.ts';
import type { Transport } from '../net/transport.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import type { SlotDesk } from './handshake-slots.ts';
import type { HandshakeTurns } from './handshake-turns.ts';
import type { PlainMeans } from './http/plain-means.ts';
import type { IdentityDesk } from './identity-limits.ts';
import type { PeerNotices } from './peer-notices.ts';
import type { HandshakeQuotas } from './quotas.ts';
import type { Snapshot } from './snapshot.ts';
import type { TargetHold } from './target-hold.ts';
import type { TlsTurns } from './tls-turns.ts';

/** How a client's connection becomes one with TLS. */
export interface TlsMeans {
  acceptSecure(transport: Transport, read: Buffer, options: SecureOptions): () => void;
}

export interface EdgeContext {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly metrics: MetricsRegistry;
  /** The one in force: another one after each reload. */
  readonly snapshot: Snapshot;
  /** Of the listeners that are bound, by their names; 0 for a unix socket. */
  readonly ports: ReadonlyMap<string, number>;
  /** Names this instance in Via, to see a request that comes round again. */
  readonly instanceId: string;
  /** A drain of the process has begun. */
  readonly draining: boolean;
  /** No handshake goes on any more. */
  readonly refusing: boolean;
  readonly quotas: HandshakeQuotas;
  readonly identities: IdentityDesk;
  /** When a complete head is checked. */
  readonly headTurns: HandshakeTurns;
  /** When a plain request is checked. */
  readonly requestTurns: HandshakeTurns;
  readonly slots: SlotDesk;
  readonly carrier: TlsMeans;
  readonly tlsTurns: TlsTurns;
  /** Bytes that are held in memory; `isOver` while they are too many. */
  readonly buffers: { early: number; readonly isOver: boolean };
  /** Of the whole process. */
  readonly memory: { readonly isOver: boolean };
  readonly notices: PeerNotices;
  readonly plainMeans: PlainMeans;
  /** Those of handshakes that become none are skipped. */
  nextSessionId(): string;
  /** For one client that is to have a backend. */
  newTargetHold(): TargetHold;
}
