// One admitted handshake until it is a session: what was decided about it, what it holds, the way to its backend. It
// gives back what it holds when it is left; it answers nobody.

import { Abort } from '../net/abort.ts';
import type { Transport } from '../net/transport.ts';
import { Session } from '../session/session.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import { type Opened, type OpeningOutcome, type OpeningProgress, openBackend } from '../upstream/open-backend.ts';
import type { Admitted } from './admission.ts';
import type { Arrival } from './arrival.ts';
import { EarlyBytes } from './early-bytes.ts';
import type { Edge } from './edge.ts';
import type { HandshakeRecord } from './handshake-record.ts';
import type { SlotOwner } from './handshake-slots.ts';
import { Holdings } from './holdings.ts';
import type { Seat } from './quotas.ts';
import { SessionRecord, sessionFacts } from './session-record.ts';

/** Of a client that waits for its turn no more is held: it is read only to see it leave. */
const WAITING_BYTES_MAX = 4_096;

export interface HandshakeOptions {
  readonly edge: Edge;
  readonly arrival: Arrival;
  readonly client: Transport;
  readonly report: HandshakeRecord;
  readonly admitted: Admitted;
  readonly seat: Seat;
}

export class Handshake {
  readonly admitted: Admitted;
  /** What the client has sent behind its head. */
  readonly early: EarlyBytes;
  readonly holdings: Holdings;
  /** When its head was complete: `timeouts.open` counts from there. */
  readonly headAt: number;
  /** Our 101 may have gone out: nothing else can be answered any more. */
  isSwitched = false;
  private readonly edge: Edge;
  private readonly arrival: Arrival;
  private readonly client: Transport;
  private readonly report: HandshakeRecord;
  private readonly abort = new Abort();
  private progress: OpeningProgress | null = null;

  constructor(options: HandshakeOptions) {
    const { edge, admitted } = options;
    this.edge = edge;
    this.arrival = options.arrival;
    this.client = options.client;
    this.report = options.report;
    this.admitted = admitted;
    this.headAt = edge.clock.now();
    this.holdings = new Holdings(edge, options.seat);
    this.early = new EarlyBytes(admitted.route.config.limits.max_early_bytes, edge.buffers);
  }

  /** When it must be a session, by the config in force. */
  get deadline(): number {
    return this.headAt + this.admitted.route.config.timeouts.open;
  }

  /** True when it may go on at once; else `owner` is told when its turn has come. */
  takeTurn(owner: SlotOwner): boolean {
    const { route } = this.admitted;
    const { key } = this.holdings.seat;
    return this.holdings.takeTurn({ owner, upstream: route.upstream, key, openMs: route.config.timeouts.open });
  }

  get isWaiting(): boolean {
    return this.holdings.isWaiting;
  }

  /** Its route has got another upstream while it waits: it waits there from now on. True when it may go on at once. */
  followRoute(owner: SlotOwner): boolean {
    if (this.holdings.waitsFor(this.admitted.route.upstream)) return false;
    this.holdings.leaveTurn();
    return this.takeTurn(owner);
  }

  /** The client has sent as much as is held for it now. */
  get hasSentEnough(): boolean {
    const { early } = this;
    return early.isFull(this.isWaiting ? Math.min(early.bytesMax, WAITING_BYTES_MAX) : early.bytesMax);
  }

  /** The backend of one of its targets. Rejects with faults of our own only; `leave` makes it give up. */
  open(): Promise<OpeningOutcome> {
    const { edge, admitted, arrival } = this;
    const { request, route } = admitted;
    const { timeouts, compression } = route.config;
    const progress: OpeningProgress = { target: null, tries: 0, refusal: null };
    this.progress = progress;
    this.report.noteOpening(progress);
    return openBackend({
      clock: edge.clock,
      wheel: edge.wheel,
      dialer: edge.dialer,
      log: edge.log,
      metrics: edge.metrics,
      route,
      holdings: this.holdings,
      forward: {
        request,
        protocols: admitted.protocols,
        extensions: compression === 'passthrough' ? request.deflateOffers : [],
        clientAddress: arrival.client,
        peerAddress: arrival.peer,
        peerTrusted: arrival.peerTrusted,
        secure: arrival.secure,
        listenerPort: arrival.listener.port,
        requestId: arrival.requestId,
        instanceId: edge.instanceId,
        key: request.key,
      },
      path: admitted.path,
      connectMs: timeouts.connect,
      upgradeMs: timeouts.upgrade,
      signal: this.abort,
      progress,
    });
  }

  /** The refusal whose head has come from a backend, without the body that is awaited. */
  get refusalSoFar(): RelayedRefusal | null {
    return this.progress?.refusal ?? null;
  }

  /** The session that it becomes, which has counted nothing and taken over nothing yet. */
  makeSession(opened: Opened): SessionRecord {
    const { edge, admitted, arrival, holdings } = this;
    const { route } = admitted;
    const facts = sessionFacts({ id: edge.nextSessionId(), arrival, admitted, opened, log: edge.snapshot.config.log });
    const record = new SessionRecord({ edge, route, target: opened.target, facts, holdings });
    record.session = new Session({
      clock: edge.clock,
      wheel: edge.wheel,
      policy: route.policy,
      owner: record,
      client: this.client,
      backend: opened.transport,
      deflate: opened.answer.deflate,
      metrics: record.metrics,
    });
    return record;
  }

  /** Another config is in force. What else it says reaches the session as it begins. */
  retune(): void {
    this.early.bytesMax = this.admitted.route.config.limits.max_early_bytes;
  }

  /** It becomes nothing: stop what is under way and give everything back. */
  leave(): void {
    try {
      this.early.take();
      this.abort.abort();
    } finally {
      this.holdings.release();
    }
  }
}
