// One check of a target, as those know it who make it and those who want to know what came of it. Types, and how a
// check fails; nothing here dials.

import type { UpstreamConfig } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import type { TimerWheel } from '../../limits/timer-wheel.ts';
import type { AbortLike } from '../../net/abort.ts';
import type { DialCode } from '../../net/dial-error.ts';
import type { Transport } from '../../net/transport.ts';
import type { PartHost } from '../part.ts';
import type { Target } from '../target.ts';

/** What a check can fail with: a label of a metric. */
export type CheckFault =
  | DialCode
  /** The answer is none, or no 101. */
  | 'backend_handshake'
  /** It is one with another status than those wanted. */
  | 'status'
  | 'subprotocol'
  /** The conversation stopped there. */
  | 'ping'
  | 'message'
  | 'close';

export class CheckError extends Error {
  readonly fault: CheckFault;
  /** Resolves when nothing is left of its connection. */
  readonly left: Promise<void>;

  constructor(fault: CheckFault, cause: string, left: Promise<void> = Promise.resolve()) {
    super(cause);
    this.name = 'CheckError';
    this.fault = fault;
    this.left = left;
  }
}

/** What all of one check goes by. */
export interface CheckTask {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly host: PartHost;
  readonly target: Target;
  /** For all of it. */
  readonly deadline: number;
  readonly signal: AbortLike;
}

/** A check that was good. */
interface GoodCheck {
  /** Resolves when nothing is left of its connection. */
  readonly left: Promise<void>;
}

/** What is done with a connected transport. Rejects with CheckError, else for faults of our own only. */
export type Check = (task: CheckTask, settings: CheckSettings, transport: Transport) => Promise<GoodCheck>;

/** `health.active`, switched on. */
export type CheckSettings = Exclude<UpstreamConfig['health']['active'], 'off'>;
