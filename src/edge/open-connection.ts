// What is known and told of an accepted connection, whatever it is at: on its way in, reading its head, or asking.

import type { Arrival } from './arrival.ts';
import type { Holdings } from './holdings.ts';
import type { PeerClaim } from './seat.ts';

export interface OpenConnection {
  readonly arrival: Arrival;
  /** How it counts under the address of its peer. */
  readonly claim: PeerClaim;
  /** What it has taken of what all share; null before its head was let in. */
  readonly holdings: Holdings | null;
  /** Stop waiting for it: framegate is going down. What has no end of its own ends within `spreadMs`. */
  drain(spreadMs: number): void;
  /** Another config is in force: its deadlines hold from now on. */
  retune(): void;
  /** What its handshake goes to may be closed, or another one. */
  lookAgain(): void;
  /** There is no room for it, and another one without room takes its place. */
  cutOff(): void;
  /** Cut it off, whatever it is at. */
  close(): void;
}
