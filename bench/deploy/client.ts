// One client that wants a session all the time: opens it, sends numbered messages when it is told to, checks that they
// come back in order, and connects again, after a backoff, when its session has ended.

import type { WireMaker } from '../load/wire.ts';
import type { WireTarget } from '../load/wire-form.ts';
import { backoffMs } from './backoff.ts';
import { numberedPayload, readNumbered } from './numbered.ts';
import type { ConnectOutcome, SessionRecord } from './tally.ts';
import { Visit, type VisitOwner } from './visit.ts';

/** Messages on their way in one session whose times are kept; what is slower than that many has no latency. */
const TIMED = 256;

export interface ClientPlan {
  readonly index: number;
  readonly target: WireTarget;
  readonly payloadBytes: number;
}

/** What all clients count together. */
export interface ClientOwner {
  onConnecting(client: Client): void;
  onConnected(client: Client, outcome: ConnectOutcome): void;
  onEcho(ms: number): void;
  onEnded(client: Client, record: SessionRecord): void;
  onFault(why: string): void;
}

export class Client implements VisitOwner {
  /** When the session was opened that is open now; null between sessions. */
  openedAt: number | null = null;
  /** When the last session was lost; null before that. */
  lostAt: number | null = null;
  private readonly maker: WireMaker;
  private readonly plan: ClientPlan;
  private readonly owner: ClientOwner;
  private readonly sentAt = new Float64Array(TIMED);
  private visit: Visit | null = null;
  private timer: NodeJS.Timeout | null = null;
  private session = -1;
  private sent = 0;
  private echoed = 0;
  private failures = 0;
  private isStopped = false;

  constructor(maker: WireMaker, plan: ClientPlan, owner: ClientOwner) {
    this.maker = maker;
    this.plan = plan;
    this.owner = owner;
  }

  get waiting(): number {
    return this.openedAt === null ? 0 : this.sent - this.echoed;
  }

  async connect(): Promise<void> {
    this.owner.onConnecting(this);
    const visit = new Visit(this);
    this.visit = visit;
    this.session += 1;
    [this.sent, this.echoed] = [0, 0];
    const outcome = await visit.open(this.maker, this.plan.target);
    if (this.isStopped) return;
    this.owner.onConnected(this, outcome);
    if (outcome !== 'opened') {
      this.connectLater();
      return;
    }
    this.failures = 0;
    // It may have ended in the turn that opened it.
    if (visit === this.visit) this.openedAt = performance.now();
  }

  /** A message, where there is a session to send it in. Gives whether there was. */
  send(now: number): boolean {
    if (this.openedAt === null || this.visit === null || !this.visit.isOpen) return false;
    this.sentAt[this.sent % TIMED] = now;
    const numbered = { client: this.plan.index, session: this.session, number: this.sent };
    this.visit.send(numberedPayload(numbered, this.plan.payloadBytes));
    this.sent += 1;
    return true;
  }

  /** For good. Gives the session that was open, or null. */
  stop(): SessionRecord | null {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const record = this.openedAt === null ? null : this.record(null);
    this.visit?.leave();
    return record;
  }

  onMessage(payload: Buffer): void {
    const found = readNumbered(payload);
    const { index } = this.plan;
    if (found?.client !== index || found.session !== this.session || found.number !== this.echoed) {
      const text = found === null ? 'nothing' : `${found.client}/${found.session}/${found.number}`;
      this.owner.onFault(`${index}/${this.session}/${this.echoed} should have come back, ${text} did`);
      return;
    }
    if (this.sent - this.echoed <= TIMED) {
      this.owner.onEcho(performance.now() - (this.sentAt[this.echoed % TIMED] ?? 0));
    }
    this.echoed += 1;
  }

  onEnd(code: number): void {
    this.lostAt = performance.now();
    const record = this.record(code);
    this.openedAt = null;
    this.visit = null;
    this.owner.onEnded(this, record);
    this.connectLater();
  }

  private connectLater(): void {
    const ms = backoffMs(this.failures, Math.random());
    this.failures += 1;
    this.timer = setTimeout(() => void this.connect(), ms);
  }

  private record(code: number | null): SessionRecord {
    const { sent, echoed, session } = this;
    return { client: this.plan.index, session, sent, echoed, code };
  }
}
