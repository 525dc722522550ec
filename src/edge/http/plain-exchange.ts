// One plain request from its head to the end of its answer: checked, a target reached, sent, answered, both ways as the
// slower side takes it. It gives back what it holds when it is left; the connection is its peer's affair.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Timeouts } from '../../config/types.ts';
import { Alarm } from '../../limits/timer-wheel.ts';
import { Abort } from '../../net/abort.ts';
import type { Transport } from '../../net/transport.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import { unreachable } from '../../unreachable.ts';
import { type Reached, type ReachingProgress, reachBackend, tellAnswer } from '../../upstream/open-backend.ts';
import type { Target } from '../../upstream/target.ts';
import { Asked, admit } from '../admission.ts';
import type { Arrival } from '../arrival.ts';
import type { HandshakeContext } from '../handshake.ts';
import type { PeerClaim } from '../quotas.ts';
import { refusalBytes } from '../refusal-bytes.ts';
import { TargetHold } from '../target-hold.ts';
import { type AnswerHead, answerFault, answerHead, brokenCause, interimHead } from './answer-head.ts';
import { PLAIN_CHECKS } from './plain-checks.ts';
import { reachingFor, sentFields } from './plain-forward.ts';
import { type Overdue, PlainRelay, type RelayOwner } from './plain-relay.ts';
import { RequestRecord } from './request-record.ts';

/** The connection that it came by. */
export interface PlainPeer {
  readonly transport: Transport;
  readonly claim: PeerClaim;
  /** Its answer is the last one. */
  readonly isLast: boolean;
  /** The last bytes that the client gets, then FIN. */
  endWith(bytes: Buffer): void;
  sayInterim(bytes: Buffer): void;
  onExchangeOver(): void;
  onFault(error: unknown): void;
  /** Cut it off: a part of an answer went out. */
  close(): void;
  /** The same where the end of the connection would be that of the answer. */
  reset(): void;
}

interface ExchangeOptions {
  readonly context: HandshakeContext;
  readonly peer: PlainPeer;
  readonly arrival: Arrival;
  readonly head: RequestHead;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly awaitsContinue: boolean;
}

type State = 'checking' | 'reaching' | 'relaying' | 'over';

/** 102, 103 before the answer (RFC 9110 15.2): more is a flood. */
const INTERIM_MAX = 8;

const NOTHING = Buffer.alloc(0);
const EVENT_STREAM = /^text\/event-stream *(?:;|$)/i;

export class PlainExchange {
  private readonly options: ExchangeOptions;
  private readonly context: HandshakeContext;
  private readonly record: RequestRecord;
  private readonly asked: Asked;
  private readonly abort = new Abort();
  private readonly hold = new TargetHold();
  private readonly progress: ReachingProgress = { target: null, tries: 0, askedAt: 0 };
  private readonly alarm = new Alarm((now) => this.guarded(() => this.onAlarm(now)));
  private readonly farewell = new Alarm(() => this.guarded(() => this.endStream()));
  private readonly headAt: number;
  private state: State = 'checking';
  private relay: PlainRelay | null = null;
  private interim = 0;
  /** Of the answer; 0 before there is one. */
  private status = 0;
  private isEventStream = false;
  /** When an event stream ends, should this be one. */
  private farewellAt = Number.POSITIVE_INFINITY;
  /** It says where it ends. */
  private isFramed = true;

  constructor(options: ExchangeOptions) {
    const { context, peer, arrival, head } = options;
    this.options = options;
    this.context = context;
    this.headAt = context.clock.now();
    this.record = new RequestRecord(context, arrival);
    const { record, abort: signal } = this;
    this.asked = new Asked({ context, arrival, claim: peer.claim, head, record, signal });
    context.metrics.process.httpRequestsOpen += 1;
  }

  begin(): void {
    this.guarded(() => {
      const { context, options, record } = this;
      const { arrival, head } = options;
      const rules = arrival.listener.rulesIn(context.snapshot);
      arrival.takeHead(head, rules);
      record.noteHead(head);
      arrival.takeClient(head, rules);
      const verdict = admit(this.asked, PLAIN_CHECKS);
      if (!(verdict instanceof Promise)) {
        this.decide(verdict);
        return;
      }
      this.arm();
      verdict.then(
        (late) => this.guarded(() => this.decide(late)),
        (error: unknown) => this.fail(error),
      );
    });
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

  /** An event stream has no end, and a browser asks for it again (HTML 9.2.3); all else may end by itself. */
  drain(spreadMs: number): void {
    // At random: they are not to come back all at once.
    this.farewellAt = this.context.clock.now() + Math.random() * spreadMs;
    this.awaitFarewell();
  }

  private awaitFarewell(): void {
    if (this.isEventStream && this.state !== 'over') this.context.wheel.schedule(this.farewell, this.farewellAt);
  }

  /** What the client has of it stands, and it can tell that there was more. */
  private endStream(): void {
    this.record.cut(this.status, 'draining');
    this.leave();
    this.options.peer.endWith(NOTHING);
  }

  /** It has taken something that waited; more may wait. */
  clientTook(): void {
    this.relay?.clientTook();
  }

  /** Another config is in force. */
  retune(): void {
    if (this.state !== 'over') this.arm();
  }

  /** Nothing of it goes on, and what it held goes back. */
  leave(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.context.metrics.process.httpRequestsOpen -= 1;
    this.context.wheel.cancel(this.alarm);
    this.context.wheel.cancel(this.farewell);
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
    this.arm();
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

  takeSlot(target: Target): void {
    this.hold.take(target);
  }

  keepBackend(transport: Transport): boolean {
    if (this.state === 'over') transport.destroy();
    else this.hold.keepBackend(transport);
    return this.state !== 'over';
  }

  private relayTo(reached: Reached): void {
    const { asked, context, record: counts } = this;
    const { peer, message, response, awaitsContinue, head } = this.options;
    const { target, fields } = sentFields(asked, context, reached);
    this.state = 'relaying';
    // A request that is answered late, or for long, is no handshake any more.
    this.hold.become('request');
    const { transport, upstream } = reached;
    const { headBytesMax } = upstream;
    this.relay = new PlainRelay({
      clock: context.clock,
      client: peer.transport,
      message,
      response,
      hasBody: asked.plain.body.kind !== 'none',
      awaitsContinue,
      send: { transport, method: head.method, target, fields, headBytesMax },
      counts,
      owner: this.relayOwner(reached),
    });
    this.arm();
  }

  private relayOwner(reached: Reached): RelayOwner {
    const { limits } = this.asked.route.config;
    return {
      bodyBytesMax: limits.max_body_size,
      onAnswer: (answer) => this.takeAnswer(answer, reached),
      onInterim: (status, raw) => this.sayInterim(status, raw),
      onBodyTooLarge: () => this.refuse({ slug: 'body_too_large', cause: 'max_body_size' }),
      onBroken: (cause) => this.onBroken(cause),
      onPhase: () => this.arm(),
      onWhole: () => this.finish(),
      guarded: (step) => this.guarded(step),
    };
  }

  private takeAnswer(answer: IncomingMessage, reached: Reached): AnswerHead | null {
    const { message, peer, head, arrival } = this.options;
    const fault = answerFault(answer, reached.upstream.headBytesMax);
    if (fault !== null) {
      this.onBroken(fault);
      return null;
    }
    // What of the body is not read yet is not waited for.
    const isLast = peer.isLast || !message.complete || head.version === '1.0';
    const made = answerHead(answer, this.asked, reached, isLast);
    this.status = made.status;
    // By POST it is mostly the answer to that one, and nobody asks for it again.
    this.isEventStream = head.method === 'GET' && EVENT_STREAM.test(made.type);
    this.awaitFarewell();
    this.isFramed = head.version !== '1.0' || made.isSized;
    tellAnswer(reached.target, made.status, arrival.client, this.hold.trial);
    return made;
  }

  private sayInterim(status: number, raw: readonly string[]): void {
    const { peer, head } = this.options;
    this.interim += 1;
    if (this.interim > INTERIM_MAX) this.onBroken('interim answers');
    // RFC 9110 15.2: HTTP/1.0 knows none; and the 100 is ours to say.
    else if (status !== 100 && head.version === '1.1') peer.sayInterim(interimHead(status, raw, this.asked));
  }

  /** The backend does not answer, or no further. */
  private onBroken(cause: string): void {
    this.hold.blameTarget(this.options.arrival.client);
    this.refuse({ slug: 'backend_answer', cause: brokenCause(cause) });
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
    this.options.peer.onExchangeOver();
  }

  private onAlarm(now: number): void {
    const { relay } = this;
    // What went on since then puts it off: the wheel is not asked for each byte.
    if (this.deadline > now) this.arm();
    else if (relay === null) this.onOpenLate(now);
    else this.onOverdue(relay.deadline(this.timeouts).what);
  }

  private onOpenLate(now: number): void {
    // The target that had the larger part of it to itself.
    const { askedAt } = this.progress;
    if (this.state === 'reaching' && 2 * (now - askedAt) >= now - this.headAt)
      this.hold.blameTarget(this.options.arrival.client);
    this.refuse({ slug: 'backend_timeout', cause: 'open' });
  }

  private onOverdue(what: Overdue): void {
    switch (what) {
      case 'body':
        this.refuse({ slug: 'body_timeout', cause: 'body' });
        break;
      case 'backend_stall':
        this.hold.blameTarget(this.options.arrival.client);
        this.refuse({ slug: 'backend_timeout', cause: 'write_stall' });
        break;
      case 'response':
        this.hold.blameTarget(this.options.arrival.client);
        this.refuse({ slug: 'backend_timeout', cause: 'response' });
        break;
      case 'client_stall':
        this.cut('write_stall');
        break;
      case 'idle':
        this.cut('idle');
        break;
      default:
        unreachable(what);
    }
  }

  /** A stall that begins between two looks is not due before the next. */
  private arm(): void {
    const { context, relay } = this;
    const lookAt = relay === null ? Number.POSITIVE_INFINITY : context.clock.now() + this.timeouts.write_stall;
    context.wheel.schedule(this.alarm, Math.min(this.deadline, lookAt));
  }

  private get deadline(): number {
    const { relay, timeouts } = this;
    return relay === null ? this.headAt + timeouts.open : relay.deadline(timeouts).at;
  }

  private get timeouts(): Timeouts {
    return (this.asked.chosen?.route.config ?? this.context.snapshot.config).timeouts;
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

  /** The way in for Node's events: a fault of ours ends this exchange, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      try {
        this.fail(error);
      } catch (again) {
        this.options.peer.onFault(again);
      }
    }
  }
}
