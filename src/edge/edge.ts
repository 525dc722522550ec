// What all connections share: the config in force, the dialer, the log, and who is here. Counts every accepted
// connection from accept to destroy. It reads no bytes; connection.ts does.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { Dialer } from '../net/dial.ts';
import type { Transport } from '../net/transport.ts';
import type { Log } from '../observe/log.ts';
import { Connection } from './connection.ts';
import type { SessionRecord } from './session-record.ts';
import type { Snapshot } from './snapshot.ts';

/** Connections over `max_sessions` that are told so: half of the smallest descriptor reserve. More are cut off. */
const TURNED_AWAY_MAX = 16;

/** Where a connection came in. */
export interface EdgeListener {
  readonly name: string;
  /** 0 for a unix socket. */
  readonly port: number;
}

export interface EdgeOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly snapshot: Snapshot;
  readonly sessionsMax: number;
}

export class Edge {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly snapshot: Snapshot;
  /** Names this instance in Via, to see a request that comes round again. */
  readonly instanceId = randomBytes(8).toString('hex');
  draining = false;
  /** At most `sessionsMax` and TURNED_AWAY_MAX entries; each leaves when its client's socket is gone. */
  readonly connections = new Set<Connection>();
  /** At most one per connection. */
  readonly sessions = new Set<SessionRecord>();
  private readonly sessionsMax: number;
  private turnedAway = 0;
  private sessionsStarted = 0;
  private requestsStarted = 0;
  private whenEmpty: (() => void) | null = null;

  constructor(options: EdgeOptions) {
    this.clock = options.clock;
    this.wheel = options.wheel;
    this.log = options.log;
    this.dialer = options.dialer;
    this.snapshot = options.snapshot;
    this.sessionsMax = options.sessionsMax;
  }

  /** Connections of clients, from accept to destroy. */
  get open(): number {
    return this.connections.size + this.sessions.size;
  }

  accept(transport: Transport, listener: EdgeListener): void {
    if (this.open - this.turnedAway < this.sessionsMax) {
      this.connections.add(new Connection({ edge: this, listener, transport }));
      return;
    }
    if (this.turnedAway >= TURNED_AWAY_MAX) {
      transport.destroy();
      return;
    }
    this.turnedAway += 1;
    const connection = new Connection({ edge: this, listener, transport, onGone: () => this.onTurnedAwayGone() });
    this.connections.add(connection);
    connection.refuse('too_many_sessions');
  }

  nextSessionId(): string {
    this.sessionsStarted += 1;
    return `${this.instanceId}-${this.sessionsStarted.toString(36)}`;
  }

  /** 32 hex digits: unique by the instance's part, no look-up of randomness for each. */
  nextRequestId(): string {
    this.requestsStarted += 1;
    return this.instanceId + this.requestsStarted.toString(16).padStart(16, '0');
  }

  /** `connection` is over, or has become a session. */
  removeConnection(connection: Connection): void {
    this.connections.delete(connection);
    this.checkEmpty();
  }

  removeSession(record: SessionRecord): void {
    this.sessions.delete(record);
    this.checkEmpty();
  }

  /** Resolves when no connection is left. One waiter at a time. */
  untilEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.whenEmpty = resolve;
      this.checkEmpty();
    });
  }

  private onTurnedAwayGone(): void {
    this.turnedAway -= 1;
  }

  private checkEmpty(): void {
    if (this.open > 0 || this.whenEmpty === null) return;
    this.whenEmpty();
    this.whenEmpty = null;
  }
}
