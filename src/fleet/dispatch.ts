// Which worker gets which client. What is counted before a head was read, connections in all and of each address, is
// counted here, for as long as the client is connected to whichever worker. It reads nothing of a client.

import type { LiveListener } from '../edge/arrival.ts';
import type { Edge } from '../edge/edge.ts';
import { PROBES_MAX, TOLD_MAX } from '../edge/overflow.ts';
import { BARRED, type Barred } from '../edge/quotas.ts';
import { PeerClaim } from '../edge/seat.ts';
import type { RawClient } from '../net/raw-client.ts';
import type { WorkerLink } from './worker-link.ts';
import type { BarredName } from './worker-messages.ts';

/** On their way to one worker: it takes about as many in a turn, and what is lost with it is not more. */
const IN_FLIGHT_MAX = 32;
/** Over its channel they come one in a turn, and messages wait behind them. */
const IN_CHANNEL_MAX = 4;
/** Accepted and not given to anybody yet; beyond it they are closed. */
const WAITING_MAX = 4_096;
/** For a place that an idle connection leaves when all are taken. */
const PLACE_MS = 1_000;

/** A worker, as far as clients are handed to it. */
export type Carrying = Pick<WorkerLink, 'state' | 'open' | 'inFlight' | 'beat' | 'isAsked' | 'hasLane' | 'handOver'> & {
  readonly channel: Pick<WorkerLink['channel'], 'isOpen' | 'post'>;
};

interface DispatchOptions {
  readonly edge: Pick<Edge, 'clock' | 'metrics' | 'snapshot' | 'log' | 'quotas' | 'sessionsMax'>;
  /** Those that there are, ready or not. */
  readonly workers: () => readonly Carrying[];
  /** What one worker has descriptors for. */
  readonly workerMax: number;
  /** What workers know the listener by; null: it is not in force yet, and whoever came in by it waits. */
  readonly idOf: (listener: LiveListener) => number | null;
}

interface Client {
  readonly cid: number;
  readonly listener: LiveListener;
  readonly claim: PeerClaim;
  /** Why it is told that there is no room for it; null: it has a place. */
  barred: BarredName | null;
  /** False: it has a place as soon as an idle connection has left one. */
  hasPlace: boolean;
  readonly since: number;
  /** Null: its handle is on its way, or there. */
  raw: RawClient | null;
  link: Carrying | null;
}

export class Dispatch {
  private readonly options: DispatchOptions;
  /** At most `sessionsMax`, those that are told why not, and those that wait. */
  private readonly clients = new Map<number, Client>();
  /** In the order in which they came. */
  private waiting: Client[] = [];
  /** Clients with a place. */
  private placed = 0;
  private told = 0;
  private lastCid = 0;
  private readonly whenSettled: (() => void)[] = [];
  private readonly whenEmpty: (() => void)[] = [];
  /** Where the search for the one with the fewest begins: of equal ones it is not always the first. */
  private turn = 0;

  constructor(options: DispatchOptions) {
    this.options = options;
  }

  /** What the connection counts under; null: it is gone. */
  claimOf(cid: number): PeerClaim | null {
    return this.clients.get(cid)?.claim ?? null;
  }

  accept(raw: RawClient, listener: LiveListener): void {
    const { edge } = this.options;
    const { remoteAddress } = raw;
    const metrics = edge.metrics.listener(listener.config.name);
    metrics.connectionsAccepted += 1;
    const isTrusted = listener.rulesIn(edge.snapshot).trusts(remoteAddress);
    if (listener.config.proxy_protocol !== 'off' && !isTrusted) {
      metrics.rejected.add('untrusted_peer');
      edge.log.event('debug', 'peer.refused', { listener: listener.config.name, peer: remoteAddress });
      raw.close();
      return;
    }
    const isFull = this.placed >= edge.sessionsMax;
    if (isFull && !this.askForPlace()) {
      this.turnAway(raw, listener, 'sessions');
      return;
    }
    // The clients of a proxy are known by their heads only.
    const claim = edge.quotas.arrive(isTrusted ? '' : remoteAddress, edge.clock.now(), null);
    if (!(claim instanceof PeerClaim)) this.turnAway(raw, listener, nameOf(claim));
    else if (this.waiting.length >= WAITING_MAX) this.drop(this.enter(raw, listener, claim, null));
    else {
      const client = this.enter(raw, listener, claim, null);
      if (!isFull) this.place(client);
      this.waiting.push(client);
      this.pump();
    }
  }

  /** The handle of `cid` is there: the next one may go. */
  onTook(link: Carrying, cid: number): void {
    if (this.clients.get(cid)?.link !== link) return;
    link.inFlight -= 1;
    this.pump();
  }

  onGone(link: Carrying, cid: number): void {
    const client = this.clients.get(cid);
    if (client?.link !== link) return;
    link.open -= 1;
    this.leave(client);
    this.pump();
  }

  /** The worker has ended: clients that it had are gone, and those that were on their way go to another one. */
  onOver(link: Carrying): void {
    const back: Client[] = [];
    for (const client of this.clients.values()) {
      if (client.link !== link) continue;
      client.link = null;
      if (client.raw === null) this.leave(client);
      else back.push(client);
    }
    link.open = 0;
    link.inFlight = 0;
    this.waiting.unshift(...back);
    this.pump();
  }

  /** Whoever has waited for too long is let go. About once a second. */
  tick(now: number): void {
    const tooLong = this.options.edge.snapshot.config.timeouts.handshake;
    this.waiting = this.waiting.filter((client) => {
      const waited = now - client.since;
      if (waited >= tooLong) this.drop(client);
      else return client.hasPlace || client.barred !== null || waited < PLACE_MS || this.bar(client);
      return false;
    });
    this.pump();
  }

  /** Nobody is handed over any more. */
  close(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const client of waiting) this.drop(client);
    this.pump();
  }

  /** Resolves when nobody waits or is on the way to a worker. */
  untilSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.whenSettled.push(resolve);
      this.pump();
    });
  }

  /** Resolves when no client is left. */
  untilEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.whenEmpty.push(resolve);
      this.pump();
    });
  }

  /** Gives what waits to who can take it now. */
  pump(): void {
    this.giveOut();
    const isSettled = this.waiting.length === 0 && this.options.workers().every(({ inFlight }) => inFlight === 0);
    if (isSettled) for (const resolve of this.whenSettled.splice(0)) resolve();
    if (this.clients.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve();
  }

  private giveOut(): void {
    while (this.waiting.length > 0) {
      const at = this.waiting.findIndex((one) => this.mayGo(one));
      const link = at === -1 ? null : this.fewest();
      if (link === null) return;
      const [client] = this.waiting.splice(at, 1);
      if (client !== undefined) this.handOver(client, link);
    }
  }

  /** Those without a place wait for one, and take it here. */
  private mayGo(client: Client): boolean {
    if (this.options.idOf(client.listener) === null) return false;
    if (client.hasPlace || client.barred !== null) return true;
    if (this.placed >= this.options.edge.sessionsMax) return false;
    this.place(client);
    return true;
  }

  private handOver(client: Client, link: Carrying): void {
    const { raw } = client;
    const listener = this.options.idOf(client.listener);
    if (raw === null || listener === null) return;
    client.link = link;
    link.open += 1;
    link.inFlight += 1;
    const { cid, barred } = client;
    link.handOver(raw, { cid, listener, barred }, (isSent) => {
      // One that is lost on the way is told by the end of its worker, which gives it back.
      if (!isSent || client.link !== link) return;
      client.raw = null;
      raw.handedOver();
    });
  }

  /** Of those that can take one. */
  private fewest(): Carrying | null {
    const links = this.options.workers();
    let found: Carrying | null = null;
    for (let step = 0; step < links.length; step++) {
      const one = links[(this.turn + step) % links.length];
      if (one === undefined || one.state !== 'ready' || !one.channel.isOpen) continue;
      if (one.inFlight >= (one.hasLane ? IN_FLIGHT_MAX : IN_CHANNEL_MAX) || one.open >= this.options.workerMax)
        continue;
      if (found === null || isBefore(one, found)) found = one;
    }
    this.turn = (this.turn + 1) % Math.max(1, links.length);
    return found;
  }

  /** False: no worker can have an idle connection. Each is asked once at a time, whatever its last beat said. */
  private askForPlace(): boolean {
    const { edge, workers } = this.options;
    if (!edge.snapshot.servesHttp) return false;
    const ready = workers().filter((one) => one.state === 'ready' && one.channel.isOpen);
    const free = ready.filter(({ isAsked }) => !isAsked);
    // All of them only where none is known to have one.
    const known = free.find(({ beat }) => beat.idle > 0);
    for (const link of known === undefined ? free : [known]) {
      link.isAsked = true;
      link.channel.post(['cut_idle']);
    }
    return ready.length > 0;
  }

  /** Its place comes by `onGone`. Where nobody had one, those who wait for it are told so. */
  onCut(link: Carrying, wasIdle: boolean): void {
    link.isAsked = false;
    if (!wasIdle) link.beat = { ...link.beat, idle: 0 };
    if (this.options.workers().some(({ isAsked }) => isAsked)) return;
    const waits = ({ hasPlace, barred }: Client): boolean => !hasPlace && barred === null;
    if (!wasIdle) this.waiting = this.waiting.filter((client) => !waits(client) || this.bar(client));
    else if (this.waiting.some(waits)) this.askForPlace();
    this.pump();
  }

  /** No place has become free for it. False: it is not even told so. */
  private bar(client: Client): boolean {
    if (this.told < this.toldMax) {
      client.barred = 'sessions';
      this.told += 1;
      return true;
    }
    this.options.edge.metrics.listener(client.listener.config.name).rejected.add(BARRED.sessions.slug);
    client.raw?.close();
    this.leave(client);
    return false;
  }

  /** As many are told why, and may ask for health, as their workers would tell. */
  private get toldMax(): number {
    return this.options.workers().length * (TOLD_MAX + PROBES_MAX);
  }

  /** Those above `toldMax` are closed. */
  private turnAway(raw: RawClient, listener: LiveListener, barred: BarredName): void {
    const { edge } = this.options;
    if (this.told >= this.toldMax) {
      edge.metrics.listener(listener.config.name).rejected.add(BARRED[barred].slug);
      raw.close();
      return;
    }
    this.waiting.push(this.enter(raw, listener, new PeerClaim(), barred));
    this.pump();
  }

  private enter(raw: RawClient, listener: LiveListener, claim: PeerClaim, barred: BarredName | null): Client {
    this.lastCid += 1;
    const since = this.options.edge.clock.now();
    const client: Client = {
      ...{ cid: this.lastCid, listener, claim, barred, since, raw },
      hasPlace: false,
      link: null,
    };
    this.clients.set(client.cid, client);
    if (barred !== null) this.told += 1;
    return client;
  }

  private place(client: Client): void {
    client.hasPlace = true;
    this.placed += 1;
    const { peaks } = this.options.edge.metrics.process;
    peaks.connections = Math.max(peaks.connections, this.placed);
  }

  private leave(client: Client): void {
    const { edge } = this.options;
    this.clients.delete(client.cid);
    if (client.hasPlace) this.placed -= 1;
    else if (client.barred !== null) this.told -= 1;
    edge.quotas.depart(client.claim, edge.clock.now());
  }

  /** Nobody could take it. */
  private drop(client: Client): void {
    this.options.edge.metrics.listener(client.listener.config.name).rejected.add('overload');
    client.raw?.close();
    this.leave(client);
  }
}

/** One that is short of memory would refuse its clients, and so has the fewest. */
function isBefore(one: Carrying, other: Carrying): boolean {
  const { isShort } = one.beat;
  return isShort === other.beat.isShort ? one.open < other.open : !isShort;
}

function nameOf(barred: Barred): BarredName {
  for (const [name, one] of Object.entries(BARRED)) if (one === barred) return name as BarredName; // a key of it
  return 'sessions';
}
