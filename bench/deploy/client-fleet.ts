// All clients of a deploy, and the steady stream of newcomers beside them: sends by the clock, writes down what
// happened from a moment on.

import { setTimeout as delay } from 'node:timers/promises';
import type { WireMaker } from '../load/wire.ts';
import type { WireTarget } from '../load/wire-form.ts';
import { Histogram } from '../support/histogram.ts';
import { Client, type ClientOwner } from './client.ts';
import { welcome } from './newcomer.ts';
import { type ConnectOutcome, type Connects, noConnects, type SessionRecord } from './tally.ts';

const TICK_MS = 5;
const OPENING_AT_ONCE = 64;
/** 127.0.0.2 and on: each source address has ports of its own. */
const SOURCES = 16;
/** For the last echoes, and for the last newcomers. */
const SETTLE_MS = 3_000;

export interface FleetPlan {
  readonly host: string;
  readonly port: number;
  readonly clients: number;
  readonly payloadBytes: number;
  /** Messages a second of all clients together. */
  readonly rate: number;
  /** Sessions a second that others open, use for one message and close. */
  readonly newcomers: number;
}

export interface FleetState {
  /** Sessions that are open, and those of them that were opened after the mark. */
  readonly open: number;
  readonly openSince: number;
}

/** Since the mark, unless it says otherwise. Times in milliseconds, counted from the mark. */
export interface FleetResult {
  /** From the beginning; each session that was opened. */
  readonly sessions: readonly SessionRecord[];
  readonly sent: number;
  /** When each client that had lost its session tried to open one. */
  readonly triedAt: readonly number[];
  /** What those tries came to. */
  readonly tries: Connects;
  readonly newcomers: Connects;
  /** Newcomers that were let in and lost their session before their message was back. */
  readonly newcomersCut: number;
  /** The last time that a client opened a session; 0 when none did. */
  readonly lastOpenedAt: number;
  /** From the loss of a session to the next that is open. */
  readonly awayP99: number;
  readonly awayMax: number;
  /** Of echoes, before the mark and after it. */
  readonly quietP99: number;
  readonly echoP99: number;
  readonly echoMax: number;
}

export class ClientFleet implements ClientOwner {
  private readonly maker: WireMaker;
  private readonly plan: FleetPlan;
  private readonly clients: Client[];
  private readonly sessions: SessionRecord[] = [];
  private readonly triedAt: number[] = [];
  private readonly tries = noConnects();
  private readonly newcomers = noConnects();
  private readonly quiet = new Histogram();
  private readonly echoes = new Histogram();
  private readonly away = new Histogram();
  private newcomersCut = 0;
  private visiting = 0;
  private visited = 0;
  private sent = 0;
  private lastOpenedAt = 0;
  private markedAt: number | null = null;
  private nextClient = 0;
  private ticker: NodeJS.Timeout | null = null;
  private fault: string | null = null;

  constructor(maker: WireMaker, plan: FleetPlan) {
    this.maker = maker;
    this.plan = plan;
    this.clients = Array.from({ length: plan.clients }, (_, index) => {
      return new Client(maker, { index, target: this.targetOf(index), payloadBytes: plan.payloadBytes }, this);
    });
  }

  /** All of them, some at a time; then they send, and newcomers come. Throws when one is not let in. */
  async open(): Promise<void> {
    for (let from = 0; from < this.clients.length; from += OPENING_AT_ONCE) {
      await Promise.all(this.clients.slice(from, from + OPENING_AT_ONCE).map((client) => client.connect()));
      if (this.fault !== null) throw new Error(this.fault);
    }
    const owed = { messages: 0, newcomers: 0, at: performance.now() };
    this.ticker = setInterval(() => this.tick(owed), TICK_MS);
  }

  /** What happens from now on is the deploy. */
  mark(): void {
    if (this.fault !== null) throw new Error(this.fault);
    this.markedAt = performance.now();
  }

  state(): FleetState {
    if (this.fault !== null) throw new Error(this.fault);
    const { markedAt } = this;
    const opened = this.clients.flatMap(({ openedAt }) => openedAt ?? []);
    return { open: opened.length, openSince: opened.filter((at) => markedAt !== null && at > markedAt).length };
  }

  async finish(): Promise<FleetResult> {
    if (this.ticker !== null) clearInterval(this.ticker);
    const deadline = performance.now() + SETTLE_MS;
    const isBusy = () => this.visiting > 0 || this.clients.some((client) => client.waiting > 0);
    while (isBusy() && performance.now() < deadline) await delay(TICK_MS);
    for (const client of this.clients) this.sessions.push(...[client.stop()].flatMap((record) => record ?? []));
    if (this.fault !== null) throw new Error(this.fault);
    const { sessions, sent, triedAt, tries, newcomers, newcomersCut, lastOpenedAt, away, quiet, echoes } = this;
    return {
      ...{ sessions, sent, triedAt, tries, newcomers, newcomersCut, lastOpenedAt },
      awayP99: away.quantile(0.99),
      awayMax: away.quantile(1),
      quietP99: quiet.quantile(0.99),
      echoP99: echoes.quantile(0.99),
      echoMax: echoes.quantile(1),
    };
  }

  /** Ends all there is, whatever state it is in. */
  abandon(): void {
    if (this.ticker !== null) clearInterval(this.ticker);
    for (const client of this.clients) client.stop();
  }

  onConnecting(client: Client): void {
    if (this.markedAt !== null && client.lostAt !== null) this.triedAt.push(performance.now() - this.markedAt);
  }

  onConnected(client: Client, outcome: ConnectOutcome): void {
    if (this.markedAt === null) {
      if (outcome !== 'opened') this.onFault(`a session was ${outcome} before the deploy`);
      return;
    }
    this.tries[outcome] += 1;
    if (outcome !== 'opened') return;
    const now = performance.now();
    this.lastOpenedAt = now - this.markedAt;
    if (client.lostAt !== null) this.away.record(now - client.lostAt);
  }

  onEcho(ms: number): void {
    (this.markedAt === null ? this.quiet : this.echoes).record(ms);
  }

  onEnded(_client: Client, record: SessionRecord): void {
    this.sessions.push(record);
    if (this.markedAt === null) this.onFault(`a session ended with ${record.code} before the deploy`);
  }

  onFault(why: string): void {
    this.fault ??= why;
  }

  private tick(owed: { messages: number; newcomers: number; at: number }): void {
    const now = performance.now();
    const seconds = (now - owed.at) / 1000;
    owed.at = now;
    owed.messages += seconds * this.plan.rate;
    owed.newcomers += seconds * this.plan.newcomers;
    // Who has no session when it is his turn sends nothing: there is nothing to send it by.
    for (; owed.messages >= 1; owed.messages -= 1) {
      const client = this.clients[this.nextClient];
      this.nextClient = (this.nextClient + 1) % this.clients.length;
      if (client?.send(now) && this.markedAt !== null) this.sent += 1;
    }
    for (; owed.newcomers >= 1; owed.newcomers -= 1) void this.welcome();
  }

  private async welcome(): Promise<void> {
    this.visiting += 1;
    this.visited += 1;
    const { outcome, isCut } = await welcome(this.maker, this.targetOf(this.visited));
    this.visiting -= 1;
    // Those who were on their way at the mark belong to the deploy.
    if (this.markedAt === null) {
      if (outcome !== 'opened' || isCut) this.onFault(`a newcomer was ${isCut ? 'cut' : outcome} before the deploy`);
      return;
    }
    this.newcomers[outcome] += 1;
    if (isCut) this.newcomersCut += 1;
  }

  private targetOf(index: number): WireTarget {
    const { host, port } = this.plan;
    return { host, port, localAddress: `127.0.0.${2 + (index % SOURCES)}` };
  }
}
