// One plain request from its head to the end of its answer: checked, a target reached, sent, answered, both ways as the
// slower side takes it. It gives back what it holds when it is left; the connection is its peer's affair.

import type { Timeouts } from '../../config/types.ts';
import { Abort } from '../../net/abort.ts';
import type { Transport } from '../../net/transport.ts';
import { clientKeyOf } from '../../protocol/addresses/client-key.ts';
import type { AnswerFraming } from '../../protocol/body-reader.ts';
import type { RequestHead, ResponseHead } from '../../protocol/http-head.ts';
import { saysClose } from '../../protocol/persistence.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { NotChosen, TargetAsk } from '../../upstream/choose-target.ts';
import { type Reached, type ReachingProgress, reachBackend, tellAnswer } from '../../upstream/open-backend.ts';
import type { Target } from '../../upstream/target.ts';
import { Asked, admit } from '../admission.ts';
import type { Arrival } from '../arrival.ts';
import type { MemoryLimit } from '../buffer-watch.ts';
import type { HandshakeContext } from '../handshake.ts';
import type { StepWaiter } from '../handshake-turns.ts';
import { refusalBytes } from '../refusal-bytes.ts';
import type { TargetHold } from '../target-hold.ts';
import { type AnswerHead, answerHead, interimHead } from './answer-head.ts';
import { PLAIN_CHECKS } from './plain-checks.ts';
import { LATE, PlainDeadlines } from './plain-deadlines.ts';
import { reachingFor, sentHead } from './plain-forward.ts';
import type { PlainPeer } from './plain-peer.ts';
import { type Overdue, PlainRelay, type RelayOwner } from './plain-relay.ts';
import { RequestRecord } from './request-record.ts';
import { StreamFarewell } from './stream-farewell.ts';

interface ExchangeOptions {
  readonly context: HandshakeContext;
  readonly peer: PlainPeer;
  readonly arrival: Arrival;
  readonly head: RequestHead;
}

type State = 'checking' | 'reaching' | 'relaying' | 'over';

const NOTHING = Buffer.alloc(0);
const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

export class PlainExchange {
  private readonly options: ExchangeOptions;
  private readonly context: HandshakeContext;
  private readonly record: RequestRecord;
  private readonly asked: Asked;
  private readonly abort = new Abort();
  private readonly hold: TargetHold;
  private readonly progress: ReachingProgress = { target: null, tries: 0, askedAt: 0 };
  private readonly deadlines: PlainDeadlines;
  private readonly farewell: StreamFarewell;
  private state: State = 'checking';
  /** For its turn to be checked. */
  private waiter: StepWaiter | null = null;
  relay: PlainRelay | null = null;
  /** Of the answer; 0 before there is one. */
  private status = 0;
  /** It says where it ends. */
  private isFramed = true;
  /** Nothing follows it. */
  private isLast = false;

  constructor(options: ExchangeOptions) {
    const { context, peer, arrival, head } = options;
    this.options = options;
    this.context = context;
    this.hold = context.newTargetHold();
    this.deadlines = new PlainDeadlines(context, this);
    this.farewell = new StreamFarewell(context, () => this.guarded(() => this.endStream()));
    this.record = new RequestRecord(context, arrival);
    const { record, abort: signal } = this;
    this.asked = new Asked({ context, arrival, claim: peer.claim, head, record, signal });
    context.metrics.process.httpRequestsOpen += 1;
  }

  /** At once, or when it is its turn: who sends many at once is not served before the frames of others. */
  begin(): void {
    this.guarded(() => {
      const { context, options, record, deadlines } = this;
      const { arrival, head } = options;
      const rules = arrival.listener.rulesIn(context.snapshot);
      arrival.takeHead(head, rules);
      record.noteHead(head);
      arrival.takeClient(head, rules);
      if (context.requestTurns.takeOne()) {
        this.check();
        return;
      }
      const deadline = deadlines.headAt + this.timeouts.open;
      this.waiter = context.requestTurns.wait(this, clientKeyOf(arrival.client) ?? '', deadline);
      deadlines.arm();
    });
  }

  onStep(): void {
    this.waiter = null;
    this.guarded(() => this.check());
  }

  private check(): void {
    const verdict = admit(this.asked, PLAIN_CHECKS);
    if (!(verdict instanceof Promise)) {
      this.decide(verdict);
      return;
    }
    this.deadlines.arm();
    verdict.then(
      (late) => this.guarded(() => this.decide(late)),
      (error: unknown) => this.fail(error),
    );
  }

  /** Memory for a slow backend; that for its client is its connection's. */
  get bufferedBytes(): number {
    return this.relay?.bufferedBytes ?? 0;
  }

  /** Too much memory is taken, and this one holds the most. */
  shed(limit: MemoryLimit): void {
    this.record.noteLimit(limit);
    this.refuse({ slug: 'overload', cause: limit });
  }

  /** With an answer of our own, the last one of its connection; when another is under way it is cut off. */
  refuse(refusal: Refusal): void {
    const { state, record, options, relay } = this;
    if (state === 'over') return;
    if (relay?.hasAnswer === true) {
      this.cut(refusal.slug, refusal.cause);
      return;
    }
    record.refused(refusal);
    const { peer, arrival, head } = options;
    this.leave();
    peer.endWith(refusalBytes(refusal, arrival.requestId, head.method));
  }

  clientLeft(): void {
    if (this.state === 'over') return;
    this.record.cut(this.status, 'client_gone');
    this.leave();
  }

  drain(spreadMs: number): void {
    this.farewell.drain(spreadMs);
  }

  /** What the client has of it stands, and it can tell that there was more. */
  private endStream(): void {
    this.record.cut(this.status, 'draining');
    this.leave();
    this.options.peer.endWith(NOTHING);
  }

  /** Content of the request. Valid during the call only. */
  takeBody(bytes: Buffer, start: number, end: number): void {
    this.guarded(() => this.relay?.takeBody(bytes, start, end));
  }

  /** What has come of it was told: all of it, when `isWhole`. */
  onBodyRead(isWhole: boolean): void {
    this.guarded(() => {
      if (isWhole) this.relay?.endBody();
      else this.relay?.flushBody();
      if (isWhole && this.state === 'relaying') this.deadlines.arm();
    });
  }

  /** It has taken something that waited; more may wait. */
  clientTook(): void {
    this.guarded(() => this.relay?.clientTook());
  }

  /** Another config is in force. */
  retune(): void {
    if (this.state !== 'over') this.deadlines.arm();
  }

  /** Nothing of it goes on, and what it held goes back. */
  leave(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    const { metrics, requestTurns } = this.context;
    metrics.process.httpRequestsOpen -= 1;
    if (this.waiter !== null) requestTurns.leave(this.waiter);
    this.waiter = null;
    this.deadlines.stop();
    this.farewell.stop();
    try {
      this.abort.abort();
      this.relay?.leave();
    } finally {
      this.hold.leave();
    }
  }

  private decide(refusal: Refusal | null): void {
    if (this.state !== 'checking') return;
    if (refusal === null) this.reach();
    else this.refuse(refusal);
  }

  private reach(): void {
    const { context, asked, record, progress, abort: signal } = this;
    this.state = 'reaching';
    record.noteReaching(progress);
    this.deadlines.arm();
    // Who waits for room there goes before those that do not wait.
    if (asked.route.http?.queue.isBusy === true) {
      this.refuseFull();
      return;
    }
    const mayRetry = asked.plain.body.kind === 'none';
    const { transport: client } = this.options.peer;
    reachBackend(reachingFor(asked, context, { client, holdings: this, progress, signal, mayRetry })).then(
      (outcome) => {
        this.guarded(() => {
          if (this.state !== 'reaching') return;
          if (outcome.kind === 'reached') this.relayTo(outcome);
          else if (outcome.kind === 'full') this.refuseFull();
          else if (outcome.error !== 'aborted')
            this.refuse({ slug: outcome.error, cause: outcome.cause, targets: outcome.targets });
        });
      },
      (error: unknown) => this.fail(error),
    );
  }

  /** A request waits for no room, also where handshakes do: its client can come again. */
  private refuseFull(): void {
    this.refuse({ slug: 'no_target', cause: 'none has room', targets: this.asked.route.http?.noRoom });
  }

  /** As what a target is reached with holds things. */
  get trial(): number {
    return this.hold.trial;
  }

  choose(ask: TargetAsk): Target | NotChosen | Promise<Target | NotChosen> {
    return this.hold.choose(ask);
  }

  keepBackend(transport: Transport): boolean {
    if (this.state === 'over') transport.destroy();
    else this.hold.keepBackend(transport);
    return this.state !== 'over';
  }

  private relayTo(reached: Reached): void {
    const { asked, context, record: counts } = this;
    const { peer, head } = this.options;
    const { body, awaitsContinue } = asked.plain;
    const { transport: backend, upstream } = reached;
    const sent = sentHead(asked, context, reached);
    this.state = 'relaying';
    // A request that is answered late, or for long, is no handshake any more.
    this.hold.become('request');
    const relay = new PlainRelay({
      clock: context.clock,
      joint: context.plainMeans.joint,
      client: peer.transport,
      backend,
      method: head.method,
      head: sent,
      body,
      headBytesMax: upstream.headBytesMax,
      counts,
      owner: this.relayOwner(reached),
    });
    this.relay = relay;
    relay.begin();
    if (awaitsContinue && peer.isInBody) peer.transport.write(CONTINUE, 0, CONTINUE.length, true);
    peer.openBody();
    // Whatever of the body is there goes with the head.
    relay.flushBody();
    if (this.state === 'relaying') this.deadlines.arm();
  }

  private relayOwner(reached: Reached): RelayOwner {
    const { limits } = this.asked.route.config;
    return {
      bodyBytesMax: limits.max_body_size,
      onAnswer: (answer, framing) => this.takeAnswer(answer, framing, reached),
      onInterim: (interim) => this.sayInterim(interim),
      onBodyTooLarge: () => this.refuse({ slug: 'body_too_large', cause: 'max_body_size' }),
      onBroken: (cause) => this.onBroken(cause),
      onPhase: () => this.deadlines.arm(),
      onWhole: () => this.finish(),
      onFault: (error) => this.onFault(error),
      holdBody: (isHeld) => this.options.peer.holdBody(isHeld),
    };
  }

  private takeAnswer(answer: ResponseHead, framing: AnswerFraming, reached: Reached): AnswerHead {
    const { asked } = this;
    const { peer, head, arrival } = this.options;
    // What of the body is not read yet is not waited for.
    this.isLast = peer.isLast || peer.isInBody || head.version === '1.0' || saysClose(head.fields);
    const date = this.context.plainMeans.dates.now();
    const made = answerHead(answer, framing, { asked, reached, isLast: this.isLast, date });
    this.status = answer.status;
    this.record.noteAnswer(this.relay?.waitedMs ?? null);
    this.farewell.noteAnswer(head.method, made.type);
    this.isFramed = made.isFramed;
    tellAnswer(reached.target, answer.status, arrival.client, this.hold.trial);
    return made;
  }

  private sayInterim(interim: ResponseHead): void {
    const { peer, head } = this.options;
    // RFC 9110 15.2: HTTP/1.0 knows none; and the 100 is ours to say.
    if (interim.status !== 100 && head.version === '1.1') {
      const bytes = interimHead(interim, this.asked);
      peer.transport.write(bytes, 0, bytes.length, true);
    }
  }

  /** The backend does not answer, or no further. */
  private onBroken(cause: string): void {
    this.hold.blameTarget(this.options.arrival.client);
    this.refuse({ slug: 'backend_answer', cause });
  }

  /** Nothing else can be said: a part of the answer is out, or its connection is closed. */
  cut(error: Parameters<RequestRecord['cut']>[1], cause?: string): void {
    if (this.state === 'over') return;
    this.record.cut(this.status, error, cause);
    this.leave();
    const { peer } = this.options;
    if (this.isFramed) peer.close();
    else peer.reset();
  }

  /** The last byte of the answer is out. */
  private finish(): void {
    if (this.relay?.hasAnswer !== true || this.state === 'over') return;
    this.record.answered(this.status);
    this.leave();
    this.options.peer.onExchangeOver(this.isLast);
  }

  onOpenLate(now: number): void {
    // The target that had the larger part of it to itself.
    const { askedAt } = this.progress;
    if (this.state === 'reaching' && 2 * (now - askedAt) >= now - this.deadlines.headAt)
      this.hold.blameTarget(this.options.arrival.client);
    this.refuse({ slug: 'backend_timeout', cause: 'open' });
  }

  onOverdue(what: Overdue): void {
    const { end, blamesTarget } = LATE[what];
    if (blamesTarget) this.hold.blameTarget(this.options.arrival.client);
    if (typeof end === 'string') this.cut(end);
    else this.refuse(end);
  }

  get timeouts(): Timeouts {
    return (this.asked.chosen?.route.config ?? this.context.snapshot.config).timeouts;
  }

  /** What is under way threw. */
  onFault(error: unknown): void {
    try {
      this.fail(error);
    } catch (again) {
      this.options.peer.onFault(again);
    }
  }

  private fail(error: unknown): void {
    // On its way out: whoever waits for it does not hear of its end.
    if (this.state === 'over') {
      this.options.peer.onFault(error);
      return;
    }
    this.context.log.event('error', 'request.fault', {
      request_id: this.options.arrival.requestId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    this.refuse({ slug: 'internal_error' });
  }

  /** The way in from outside: a fault of ours ends this exchange, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onFault(error);
    }
  }
}
