// The form of what a load bench found, as it stands in its JSON file too.

import type { Machine } from '../support/machine.ts';

/** One window of one peer in one cell. */
export interface Round {
  readonly roundTripsPerSecond: number;
  /** Microseconds of CPU of the proxy's processes per echo round trip; NaN for `direct`. */
  readonly cpuMicros: number;
  /** Share of one core that the proxy used: near 1 means that it, and not the load, was the limit. */
  readonly proxyShare: number;
  readonly generatorShare: number;
  readonly backendShare: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** By the clock only: how late the generator itself sent, p99. */
  readonly sentLateP99: number;
}

export interface PeerRounds {
  readonly peer: string;
  readonly rounds: readonly Round[];
  /** Why there are no more; null when all went well. */
  readonly fault: string | null;
}

export interface CellResult {
  readonly cell: string;
  readonly peers: readonly PeerRounds[];
}

/**
 * Without TLS, with a TLS session of its own each, or with the one of the client's last visit; or without TLS by method
 * of auth.
 */
export type HandshakeKind = 'plain' | 'full' | 'resumed' | 'auth';

export function overTls(kind: HandshakeKind): boolean {
  return kind === 'full' || kind === 'resumed';
}

export interface HandshakeRound {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly proxyShare: number;
  readonly generatorShare: number;
  readonly resumedShare: number;
  readonly p50: number;
  readonly p99: number;
}

export interface PeerHandshakes {
  readonly kind: HandshakeKind;
  readonly peer: string;
  readonly rounds: readonly HandshakeRound[];
  readonly fault: string | null;
}

export interface PlainRound {
  readonly perSecond: number;
  /** Microseconds of CPU of the proxy's processes per request; NaN for `direct`. */
  readonly cpuMicros: number;
  readonly proxyShare: number;
  /** Generator and backend, which share a core. */
  readonly loadShare: number;
  readonly p50: number;
  readonly p99: number;
}

export interface PeerPlain {
  /** Such as `GET`. */
  readonly work: string;
  readonly peer: string;
  readonly rounds: readonly PlainRound[];
  readonly fault: string | null;
}

/** Times in milliseconds. */
export interface BesideRound {
  /** Of the sessions: without plain requests, while as many go straight to the backend, and beside them. */
  readonly quietP99: number;
  readonly pastP99: number;
  readonly p99: number;
  readonly requestsPerSecond: number;
  /** Of the requests. */
  readonly requestP99: number;
  readonly sentLateP99: number;
  readonly proxyShare: number;
}

export interface PeerBeside {
  readonly peer: string;
  readonly rounds: readonly BesideRound[];
  readonly fault: string | null;
}

/** The light session's latency, and what the flood got through meanwhile. */
export interface FairnessRound {
  readonly p50: number;
  readonly p99: number;
  /** Bytes a second there and back; 0 without a flood. */
  readonly floodBytesPerSecond: number;
}

export interface PeerFairness {
  readonly peer: string;
  /** Such as `64KiBx32`; `alone` without one. */
  readonly flood: string;
  readonly rounds: readonly FairnessRound[];
  readonly fault: string | null;
}

/** One storm. Times in milliseconds; NaN for what a peer does not tell. */
export interface StormRound {
  readonly clients: number;
  readonly resumedShare: number;
  readonly lastHelloMs: number;
  readonly allInMs: number;
  readonly openP99: number;
  /** Of the proxy's event loop. */
  readonly longestTurnMs: number;
  /** Of the sessions that stay open: before, and while the others come back. */
  readonly quietP99: number;
  readonly stormP99: number;
  readonly stormMax: number;
  /** How late the generator itself sent to them meanwhile. */
  readonly sentLateP99: number;
  readonly proxyShare: number;
}

export interface PeerStorms {
  readonly peer: string;
  readonly rounds: readonly StormRound[];
  readonly fault: string | null;
}

export interface Report {
  readonly machine: Machine;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly backend: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Messages a second by the clock; null for as fast as they come back. */
  readonly rate: number | null;
  readonly skipped: readonly string[];
  readonly cells: readonly CellResult[];
  readonly handshakes: readonly PeerHandshakes[];
  /** What TLS was in those parts that have it; null without such. */
  readonly tls: string | null;
  readonly storms: readonly PeerStorms[];
  readonly plain: readonly PeerPlain[];
  /** Sessions beside plain requests. */
  readonly beside: readonly PeerBeside[];
  readonly fairness: readonly PeerFairness[];
}
