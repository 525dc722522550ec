// Connections to services on which the next question can go: few, for seconds, and each only for as long as nothing
// happens on it. It is the reader and closer of those that it has.

import type { ServiceUrl, TlsConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import { TimerEntry, type TimerWheel } from '../limits/timer-wheel.ts';
import type { Transport, TransportReader } from '../net/transport.ts';

/** In all. Sessions have descriptors besides (control/sessions-cap). */
export const IDLE_MAX = 64;
export const IDLE_OF_SERVICE_MAX = 32;
/** Less than most servers wait for another request, which is 5 s and more. */
const IDLE_MS = 4_000;
/** Before a service closes it, by what it says: on the way a question must not meet its FIN. */
const MARGIN_MS = 1_000;

/** Who is asked, and what has proved that it is: the block of settings itself, so that a reload has none of before. */
interface ServicePeer {
  readonly endpoint: ServiceUrl['endpoint'];
  readonly tls: TlsConfig | null;
}

export interface Connection {
  readonly peer: ServicePeer;
  readonly transport: Transport;
  /** A name may lead elsewhere by then, and a certificate may have ended: no question from then on. */
  readonly until: number;
}

interface IdleMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class IdleConnections {
  private readonly means: IdleMeans;
  /** The latest last; at most `IDLE_MAX`. */
  private readonly idle: Idle[] = [];
  private isClosed = false;

  constructor(means: IdleMeans) {
    this.means = means;
  }

  /** One to `peer`, which is the caller's from now on: the latest, so that the others grow old. */
  take(peer: ServicePeer): Connection | null {
    const found = this.idle.findLast((one) => isTo(one, peer));
    if (found === undefined) return null;
    this.remove(found);
    return found.connection;
  }

  /** `forMs`: how long its service leaves it open without a question. There is no need to keep it. */
  give(connection: Connection, forMs: number): void {
    const { clock, wheel } = this.means;
    const now = clock.now();
    const dueAt = Math.min(now + IDLE_MS, now + forMs - MARGIN_MS, connection.until);
    const alike = this.idle.filter((one) => isTo(one, connection.peer)).length;
    if (this.isClosed || dueAt <= now || alike >= IDLE_OF_SERVICE_MAX) {
      connection.transport.destroy();
      return;
    }
    if (this.idle.length >= IDLE_MAX) this.idle[0]?.drop();
    const one = new Idle(connection, () => this.remove(one));
    this.idle.push(one);
    wheel.schedule(one, dueAt);
    connection.transport.reader = one;
  }

  /** None is left, and none is kept from now on. */
  close(): void {
    this.isClosed = true;
    for (const one of [...this.idle]) one.drop();
  }

  private remove(one: Idle): void {
    this.means.wheel.cancel(one);
    this.idle.splice(this.idle.indexOf(one), 1);
  }
}

/** Nobody has asked: whatever comes, it is no answer, and what would come next might be taken for one. */
class Idle extends TimerEntry implements TransportReader {
  readonly connection: Connection;
  private readonly forget: () => void;

  constructor(connection: Connection, forget: () => void) {
    super();
    this.connection = connection;
    this.forget = forget;
  }

  drop(): void {
    this.forget();
    this.connection.transport.destroy();
  }

  override onTimer(): void {
    this.drop();
  }

  onBytes(): void {
    this.drop();
  }

  onEnd(): void {
    this.drop();
  }

  onLost(): void {
    this.drop();
  }

  onTaken(): void {}
}

function isTo({ connection }: Idle, { endpoint, tls }: ServicePeer): boolean {
  const { peer } = connection;
  const { host, port, secure } = peer.endpoint;
  return peer.tls === tls && host === endpoint.host && port === endpoint.port && secure === endpoint.secure;
}
