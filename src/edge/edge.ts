// Puts together what all connections share, and knows who is here: counts every accepted connection from accept to
// destroy, and every session. It reads no bytes; nothing else in this folder imports it.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { Dialer } from '../net/dial.ts';
import type { Transport } from '../net/transport.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import type { ProxyHeader } from '../protocol/proxy-header/proxy-header.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { Check } from './admission.ts';
import { Arrival, type LiveListener } from './arrival.ts';
import { type Buffering, BufferWatch } from './buffer-watch.ts';
import { CHECKS } from './checks/all.ts';
import type { TlsMeans } from './context.ts';
import { Entrance, type EntranceTable } from './entrance.ts';
import type { HandshakeContext } from './handshake.ts';
import { HandshakeSlots, type SlotDesk } from './handshake-slots.ts';
import { HandshakeTurns } from './handshake-turns.ts';
import type { Holdings } from './holdings.ts';
import { PlainConnection } from './http/plain-connection.ts';
import { PlainConnections } from './http/plain-connections.ts';
import { PlainMeans } from './http/plain-means.ts';
import type { BeforeUpgrade, PlainTable } from './http/plain-table.ts';
import { type ConnectionTable, Http1Connection } from './http1-connection.ts';
import { type IdentityDesk, IdentityLimits, type IdentitySeat } from './identity-limits.ts';
import { type MemoryUsage, MemoryWatch } from './memory-watch.ts';
import type { OpenConnection } from './open-connection.ts';
import { Overflow } from './overflow.ts';
import { PeerNotices } from './peer-notices.ts';
import { ProxyEntrance, type ProxyEntranceTable, type Rest } from './proxy-entrance.ts';
import { BARRED, type Barred, type QuotaDesk, Quotas, type QuotasOptions } from './quotas.ts';
import { RandomIds } from './random-ids.ts';
import { PeerClaim, type Seat } from './seat.ts';
import type { EndKeeper, SessionRecord } from './session-record.ts';
import type { Snapshot } from './snapshot.ts';
import { TargetHold } from './target-hold.ts';
import { TlsTurns } from './tls-turns.ts';

type Connection = ProxyEntrance | Entrance | Http1Connection;
/** What a connection before its head is made of. */
type BehindProxy = ConstructorParameters<typeof Entrance>[0] & ConstructorParameters<typeof Http1Connection>[0];

interface EdgeOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly carrier: TlsMeans;
  readonly metrics: MetricsRegistry;
  readonly snapshot: Snapshot;
  readonly sessionsMax: number;
  /** Of each handshake, in their order; a test brings others. */
  readonly checks?: readonly Check[];
  /** Where limits are counted that others share; in this process when absent. */
  readonly desk?: Desk;
  /** Another one than of its own. */
  readonly instanceId?: string;
  /** What memory the process takes, for `limits.max_memory`; null, or absent: that cannot be told. */
  readonly memory?: () => MemoryUsage | null;
  /** Collects what is garbage; nothing does when absent. */
  readonly collect?: () => void;
}

/** What clients take of what all share. */
export interface Desk {
  readonly quotas: QuotaDesk;
  readonly identities: IdentityDesk;
  readonly slots: SlotDesk;
  newTargetHold(): TargetHold;
}

export class Edge implements HandshakeContext, ConnectionTable, EntranceTable, ProxyEntranceTable, PlainTable {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly carrier: TlsMeans;
  readonly checks: readonly Check[];
  /** Replaced whole by a reload. */
  snapshot: Snapshot;
  readonly metrics: MetricsRegistry;
  /** Replaced whole by who binds them. */
  ports: ReadonlyMap<string, number> = new Map();
  /** Names this instance in Via, to see a request that comes round again. */
  readonly instanceId: string;
  /** A drain of the process has begun: not ready any more, though handshakes may still be accepted. */
  draining = false;
  /** Listeners are closed, or about to be: complete heads get 503 `draining`. */
  refusing = false;
  /** At most `sessionsMax` and those of `Overflow`; each leaves when its client's socket is gone. */
  readonly connections = new Set<OpenConnection>();
  /** At most one per connection. */
  readonly sessions = new Set<SessionRecord>();
  sessionsMax: number;
  readonly headTurns: HandshakeTurns;
  readonly requestTurns: HandshakeTurns;
  readonly slots: SlotDesk;
  readonly tlsTurns: TlsTurns;
  readonly quotas: QuotaDesk;
  readonly identities: IdentityDesk;
  readonly newTargetHold: () => TargetHold;
  readonly buffers: BufferWatch;
  readonly memory: MemoryWatch;
  readonly notices: PeerNotices;
  /** What those hold whose connections are in other processes; set by who counts for them. */
  guests: Iterable<Holdings> = [];
  /** Set by who shows them. */
  ends: EndKeeper | null = null;
  private readonly overflow = new Overflow<OpenConnection>();
  readonly plain = new PlainConnections<OpenConnection & Buffering>();
  readonly plainMeans = new PlainMeans();
  private readonly ids = new RandomIds();
  /** Not the name in Via, which backends know. */
  private readonly sessionPrefix = this.ids.next().slice(0, 16);
  private sessionIds = 0;
  private whenEmpty: (() => void) | null = null;

  constructor(options: EdgeOptions) {
    this.instanceId = options.instanceId ?? randomBytes(8).toString('hex');
    this.clock = options.clock;
    this.wheel = options.wheel;
    this.log = options.log;
    this.dialer = options.dialer;
    this.carrier = options.carrier;
    this.metrics = options.metrics;
    this.checks = options.checks ?? CHECKS;
    this.snapshot = options.snapshot;
    this.sessionsMax = options.sessionsMax;
    this.notices = new PeerNotices(this.log);
    this.headTurns = new HandshakeTurns(this.clock, HANDSHAKES_A_TURN);
    this.requestTurns = new HandshakeTurns(this.clock, REQUESTS_A_TURN);
    const { desk } = options;
    this.slots = desk?.slots ?? new HandshakeSlots(this.snapshot.config.limits, this.metrics.process, this.clock);
    this.tlsTurns = new TlsTurns({
      limits: this.snapshot.config.limits,
      counts: this.metrics.process,
      clock: this.clock,
      wheel: this.wheel,
    });
    this.quotas = desk?.quotas ?? new Quotas({ ...this.quotaSettings(), slots: this.slots });
    // It was made before there was a config.
    desk?.quotas.retune(this.quotaSettings(), []);
    this.identities = desk?.identities ?? new IdentityLimits(this.quotaSettings());
    this.newTargetHold = desk === undefined ? () => new TargetHold() : () => desk.newTargetHold();
    const time = { wheel: this.wheel, now: () => this.clock.now() };
    this.buffers = new BufferWatch({
      ...time,
      holders: [this.sessions, this.plain],
      bytesMax: this.snapshot.config.limits.max_buffered_total,
      peaks: this.metrics.process.peaks,
    });
    this.memory = new MemoryWatch({
      ...time,
      log: this.log,
      read: options.memory ?? (() => null),
      collect: options.collect ?? (() => {}),
      bytesMax: this.snapshot.config.limits.max_memory,
      shed: (bytes) => this.buffers.relieve(bytes),
    });
  }

  /** Bytes held for peers that have not taken them, early bytes included; looks at every one of them. */
  bufferedTotal(): number {
    return this.buffers.total();
  }

  /** Connections of clients, from accept to destroy. */
  get open(): number {
    return this.connections.size + this.sessions.size;
  }

  /** What a reload brings: for everything that is judged from now on. What is open stays, and stays counted. */
  apply(snapshot: Snapshot, sessionsMax: number): void {
    this.snapshot = snapshot;
    this.sessionsMax = sessionsMax;
    this.slots.retune(snapshot.config.limits);
    this.tlsTurns.retune(snapshot.config.limits);
    this.quotas.retune(this.quotaSettings(), this.seats());
    this.identities.retune(this.quotaSettings(), this.identitySeats());
    this.buffers.retune(snapshot.config.limits.max_buffered_total);
    this.memory.retune(snapshot.config.limits.max_memory);
    for (const connection of this.connections) connection.retune();
  }

  accept(transport: Transport, listener: LiveListener): void {
    const metrics = this.metrics.listener(listener.config.name);
    metrics.connectionsAccepted += 1;
    const { remoteAddress } = transport;
    if (listener.config.proxy_protocol !== 'off' && !listener.rulesIn(this.snapshot).trusts(remoteAddress)) {
      metrics.rejected.add('untrusted_peer');
      this.log.event('debug', 'peer.refused', { listener: listener.config.name, peer: remoteAddress });
      transport.destroy();
      return;
    }
    if (!this.plain.cutIdleWhile(() => this.open - this.overflow.size >= this.sessionsMax)) {
      this.turnAway(transport, listener, BARRED.sessions, new PeerClaim());
      return;
    }
    // The clients of a proxy are known by their heads only, which `Quotas.enter` counts them by.
    const peer = listener.rulesIn(this.snapshot).trusts(remoteAddress) ? '' : remoteAddress;
    const claim = this.quotas.arrive(peer, this.clock.now(), null);
    if (claim instanceof PeerClaim) this.take(transport, listener, claim, null);
    else this.turnAway(transport, listener, claim, new PeerClaim());
  }

  /** As `accept`, of one that whoever accepted it has judged. `barred`: why there is no room for it; null: there is. */
  take(transport: Transport, listener: LiveListener, claim: PeerClaim, barred: Barred | null): void {
    if (barred !== null) {
      this.turnAway(transport, listener, barred, claim);
      return;
    }
    const { peaks } = this.metrics.process;
    peaks.connections = Math.max(peaks.connections, this.open - this.overflow.size + 1);
    this.receive(this.add(transport, listener, claim, null));
  }

  private turnAway(transport: Transport, listener: LiveListener, barred: Barred, claim: PeerClaim): void {
    // Who has too much is told so; only where all are too many may it be a probe that wants to know how things are.
    if (barred === BARRED.sessions && listener.config.health_path !== null) {
      const connection = this.add(transport, listener, claim, barred);
      this.overflow.letAsk(connection)?.cutOff();
      this.receive(connection);
      return;
    }
    if (!this.overflow.canTell) {
      this.metrics.listener(listener.config.name).rejected.add(barred.slug);
      transport.destroy();
      this.quotas.depart(claim, this.clock.now());
      return;
    }
    const connection = this.add(transport, listener, claim, barred);
    this.overflow.tell(connection);
    this.receive(connection);
  }

  private add(transport: Transport, listener: LiveListener, claim: PeerClaim, barred: Barred | null): Connection {
    const at = this.clock.now();
    const { remoteAddress: peer, remotePort: peerPort } = transport;
    const arrival = new Arrival({ listener, peer, peerPort, at, requestId: this.nextRequestId() });
    const parts = { context: this, table: this, arrival, transport, claim, barred };
    const versions = listener.config.proxy_protocol;
    const connection = versions === 'off' ? behindProxy(parts) : new ProxyEntrance({ ...parts, versions });
    this.connections.add(connection);
    this.metrics.listener(listener.config.name).connectionsOpen += 1;
    return connection;
  }

  private receive(connection: Connection): void {
    if (!(connection instanceof Http1Connection)) connection.begin();
    else if (this.overflow.isTold(connection)) connection.turnAway();
    else connection.read();
  }

  /** Its PROXY header says who the peer is: what counts under an address counts under that one. */
  named(entrance: ProxyEntrance, header: ProxyHeader, rest: Rest): void {
    const { arrival, barred } = entrance;
    arrival.takeSource(header);
    const peer = arrival.listener.rulesIn(this.snapshot).trusts(arrival.peer) ? '' : arrival.peer;
    const claim = barred === null ? this.quotas.arrive(peer, this.clock.now(), entrance.claim) : entrance.claim;
    if (claim instanceof PeerClaim) this.goOn(entrance, claim, barred, rest);
    else if (this.overflow.canTell) {
      this.overflow.tell(entrance);
      this.goOn(entrance, new PeerClaim(), claim, rest);
    } else {
      this.metrics.listener(arrival.listenerName).rejected.add(claim.slug);
      entrance.close();
    }
  }

  /** A trusted peer without a header may ask for health. */
  unnamed(entrance: ProxyEntrance, rest: Rest): void {
    this.goOn(entrance, entrance.claim, entrance.barred ?? NO_HEADER, rest);
  }

  private goOn(entrance: ProxyEntrance, claim: PeerClaim, barred: Refusal | null, rest: Rest): void {
    const { transport, arrival } = entrance;
    entrance.leave();
    const connection = behindProxy({ context: this, table: this, arrival, transport, claim, barred });
    this.replace(entrance, connection);
    if (rest.start < rest.end) connection.onBytes(rest.bytes, rest.start, rest.end);
  }

  proceed(entrance: Entrance, transport: Transport): void {
    const { arrival, claim, barred } = entrance;
    this.replace(entrance, new Http1Connection({ context: this, table: this, arrival, transport, claim, barred }));
  }

  /** It asks for no upgrade: from now on its requests are served. */
  goPlain(before: Http1Connection, head: RequestHead, rest: Buffer): Refusal | null {
    if (!this.plain.makeRoom(this.sessionsMax)) return BARRED.sessions;
    const { transport, arrival, claim } = before;
    const connection = new PlainConnection({ context: this, table: this, transport, arrival, claim });
    this.plain.enter(connection);
    this.connections.delete(before);
    this.connections.add(connection);
    connection.begin(head, rest);
    return null;
  }

  upgrade(before: BeforeUpgrade, arrival: Arrival, head: RequestHead, rest: Buffer): void {
    const { transport, claim } = before;
    const connection = new Http1Connection({ context: this, table: this, transport, arrival, claim, barred: null });
    this.connections.delete(before);
    this.connections.add(connection);
    connection.goOn(head, rest);
  }

  private replace(before: OpenConnection, next: Connection): void {
    this.connections.delete(before);
    this.connections.add(next);
    this.overflow.replace(before, next);
    this.receive(next);
  }

  nextSessionId(): string {
    this.sessionIds += 1;
    return `${this.sessionPrefix}-${this.sessionIds.toString(36)}`;
  }

  /** 32 hex digits that tell neither who made them nor how many there were. */
  nextRequestId(): string {
    return this.ids.next();
  }

  /** `connection` is over. */
  removeConnection(connection: OpenConnection): void {
    if (!this.connections.delete(connection)) return;
    this.overflow.leave(connection);
    this.quotas.depart(connection.claim, this.clock.now());
    this.metrics.listener(connection.arrival.listenerName).connectionsOpen -= 1;
    this.checkEmpty();
  }

  /** `connection` has become the session of `record`. */
  promote(connection: Http1Connection, record: SessionRecord): void {
    this.sessions.add(record);
    this.connections.delete(connection);
  }

  removeSession(record: SessionRecord): void {
    if (!this.sessions.delete(record)) return;
    this.metrics.listener(record.facts.listener).connectionsOpen -= 1;
    this.checkEmpty();
  }

  /** Resolves when no connection is left. One waiter at a time. */
  untilEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.whenEmpty = resolve;
      this.checkEmpty();
    });
  }

  private quotaSettings(): Omit<QuotasOptions, 'slots'> {
    const { limits, routes } = this.snapshot.config;
    return { limits, routes, sessionsMax: this.sessionsMax, now: this.clock.now() };
  }

  private *seats(): Iterable<Seat> {
    for (const { seat } of this.held()) yield seat;
  }

  private *identitySeats(): Iterable<IdentitySeat> {
    for (const { identitySeat } of this.held()) if (identitySeat !== null) yield identitySeat;
  }

  private *held(): Iterable<Holdings> {
    yield* this.guests;
    for (const record of this.sessions) yield record.holdings;
    for (const connection of this.connections) if (connection.holdings !== null) yield connection.holdings;
  }

  private checkEmpty(): void {
    if (this.open > 0 || this.whenEmpty === null) return;
    this.whenEmpty();
    this.whenEmpty = null;
  }
}

/** What a connection has to say next, when its PROXY header came or none is expected. */
function behindProxy(parts: BehindProxy): Entrance | Http1Connection {
  return parts.arrival.listener.config.tls === null ? new Http1Connection(parts) : new Entrance(parts);
}

/** In one turn of the loop: one costs a tenth of a millisecond, or two. */
const HANDSHAKES_A_TURN = 16;
/** A browser's page may bring as many at once as there are frames of others in a millisecond. */
const REQUESTS_A_TURN = 4;
const NO_HEADER: Refusal = { slug: 'proxy_header', cause: 'no PROXY header' };
