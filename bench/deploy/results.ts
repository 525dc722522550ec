// The form of what a deploy bench found, as it stands in its JSON file too.

import type { Machine } from '../support/machine.ts';
import type { Connects, Endings, Losses } from './tally.ts';

/** One deploy of one proxy. Times in milliseconds from the moment at which it was asked for. */
export interface DeployRound {
  readonly endings: Endings;
  readonly losses: Losses;
  /** Of messages, from the deploy on. */
  readonly sent: number;
  readonly peakReconnects: number;
  /** Of clients that had lost their session. */
  readonly tries: Connects;
  readonly newcomers: Connects;
  /** Let in, and then without a Close and without their message. */
  readonly newcomersCut: number;
  /** Until the new generation was there, as the proxy or its command tells. */
  readonly takenOverMs: number;
  /** Until every session was one of the new generation; NaN when that was not seen. */
  readonly allMovedMs: number;
  /** Until the old generation's processes had ended; NaN when there are none, or they did not. */
  readonly oldGoneMs: number;
  readonly awayP99: number;
  readonly awayMax: number;
  readonly quietP99: number;
  readonly echoP99: number;
  readonly echoMax: number;
}

export interface PeerDeploys {
  readonly peer: string;
  readonly rounds: readonly DeployRound[];
  /** Why there are no more; null when all went well. */
  readonly fault: string | null;
}

export interface DeployReport {
  readonly machine: Machine;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly backend: string;
  readonly sessions: number;
  /** Messages a second of all sessions together. */
  readonly rate: number;
  readonly newcomers: number;
  readonly windowSeconds: number;
  readonly spreadSeconds: number;
  readonly skipped: readonly string[];
  readonly peers: readonly PeerDeploys[];
}
