// One plain request from its head to the end of its answer: checked, a target reached, sent, answered, both ways as the
// slower side takes it. It gives back what it holds when it is left; the connection is its peer's affair.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Alarm } from '../../limits/timer-wheel.ts';
import { Abort } from '../../net/abort.ts';
import { HttpSend } from '../../net/http-send.ts';
import type { Transport } from '../../net/transport.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import { type Reached, type ReachingProgress, reachBackend } from '../../upstream/open-backend.ts';
import { Asked, admit } from '../admission.ts';
import type { Arrival } from '../arrival.ts';
import type { HandshakeContext } from '../handshake.ts';
import type { PeerClaim } from '../quotas.ts';
import { TargetHold } from '../target-hold.ts';
import { answerHead, interimHead } from './answer-head.ts';
import { PLAIN_CHECKS } from './plain-checks.ts';
import { reachingFor, sentFields } from './plain-forward.ts';
import { RequestRecord } from './request-record.ts';

/** The connection that it came by. */
export interface PlainPeer {
  readonly transport: Transport;
  readonly claim: PeerClaim;
  /** Its answer is the last one. */
  readonly isLast: boolean;
  refuseExchange(arrival: Arrival, refusal: Refusal, method: string): void;
  sayInterim(bytes: Buffer): void;
  onExchangeOver(): void;
  onFault(error: unknown): void;
  /** Cut it off: a part of an answer went out. */
  close(): void;
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

type State = 'checking' | 'reaching' | 'sending' | 'answering' | 'over';

/** 102, 103 before the answer (RFC 9110 15.2): more is a flood. */
const INTERIM_MAX = 8;

export class PlainExchange {
  private readonly options: ExchangeOptions;
  private readonly context: HandshakeContext;
  private readonly record: RequestRecord;
  private readonly asked: Asked;
  private readonly abort = new Abort();
  private readonly hold = new TargetHold();
  private readonly progress: ReachingProgress = { target: null, tries: 0, askedAt: 0 };
  private readonly alarm = new Alarm((now) => this.guarded(() => this.onAlarm(now)));
  private readonly headAt: number;
  private state: State = 'checking';
  private send: HttpSend | null = null;
  /** All of the request is sent: since then. */
  private sentAt: number | null = null;
  /** When something went on last: a byte of the body, a byte of the answer, or that the slower side took one. */
  private movedAt: number;
  /** The backend has not taken what was sent of the body; the client what was sent of the answer. */
  private isSendHeld = false;
  private isAnswerHeld = false;
  private interim = 0;
  private status = 0;

  constructor(options: ExchangeOptions) {
    const { context, peer, arrival, head } = options;
    this.options = options;
    this.context = context;
    this.headAt = context.clock.now();
    this.movedAt = this.headAt;
    this.record = new RequestRecord(context, arrival);
    const { record, abort: signal } = this;
    this.asked = new Asked({ context, arrival, claim: peer.claim, head, record, signal });
    context.metrics.process.httpRequestsOpen += 1;
  }

  begin(): void {
    this.guarded(() => {
      const { context, options, record } = this;
      const { arrival, head, response } = options;
      const rules = arrival.listener.rulesIn(context.snapshot);
      arrival.takeHead(head, rules);
      record.noteHead(head);
      arrival.takeClient(head, rules);
      response.on('finish', () => this.guarded(() => this.finish()));
      response.on('drain', () => this.guarded(() => this.onAnswerTaken()));
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

  /** With an answer of our own, the last one of its connection; when one is under way it is cut off. */
  refuse(refusal: Refusal): void {
    const { state, record, options } = this;
    if (state === 'over') return;
    if (state === 'answering') {
      this.cut('client_gone', refusal.cause ?? refusal.slug);
      return;
    }
    record.refused(refusal);
    const { peer, arrival, head } = options;
    this.leave();
    peer.refuseExchange(arrival, refusal, head.method);
  }

  clientLeft(): void {
    if (this.state === 'over') return;
    this.record.cut(this.status, 'client_gone');
    this.leave();
  }

  /** Node ends the stream behind the last answer of a connection before it says that this one is out. */
  lastAnswerOut(): void {
    if (this.state !== 'answering') return;
    this.record.answered(this.status);
    this.leave();
  }

  /** It has taken something that waited; more may wait. */
  clientTook(): void {
    if (this.isAnswerHeld) this.movedAt = this.context.clock.now();
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
    try {
      this.abort.abort();
      this.send?.leave();
    } finally {
      this.hold.leave(false, false);
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
    const mayRetry = asked.plain.body.kind === 'none';
    const { transport: client } = this.options.peer;
    const holdings = {
      trial: 0,
      takeSlot: (target: Parameters<TargetHold['take']>[0]) => this.hold.take(target),
      keepBackend: (transport: Transport) => this.keepBackend(transport),
    };
    reachBackend(reachingFor(asked, context, { client, holdings, progress, signal, mayRetry })).then(
      (outcome) => {
        this.guarded(() => {
          if (this.state !== 'reaching') return;
          if (outcome.kind === 'reached') this.sendTo(outcome);
          else if (outcome.kind === 'full') this.refuse({ slug: 'no_target', targets: asked.route.http?.noRoom });
          else if (outcome.error !== 'aborted')
            this.refuse({ slug: outcome.error, cause: outcome.cause, targets: outcome.targets });
        });
      },
      (error: unknown) => this.fail(error),
    );
  }

  private keepBackend(transport: Transport): boolean {
    if (this.state === 'over') transport.destroy();
    else this.hold.keepBackend(transport);
    return this.state !== 'over';
  }

  private sendTo(reached: Reached): void {
    const { asked, context } = this;
    const { message, response, awaitsContinue, head } = this.options;
    const { target, fields } = sentFields(asked, context, reached);
    this.state = 'sending';
    this.movedAt = context.clock.now();
    const send = new HttpSend({
      transport: reached.transport,
      method: head.method,
      target,
      fields,
      headBytesMax: reached.upstream.headBytesMax,
      onAnswer: (answer) => this.guarded(() => this.answer(answer, reached)),
      onInterim: (status, raw) => this.guarded(() => this.sayInterim(status, raw)),
      onBroken: (code) => this.guarded(() => this.onBackendBroken(code)),
    });
    this.send = send;
    send.request.on('drain', () => {
      if (this.state === 'over') return;
      this.isSendHeld = false;
      this.movedAt = this.context.clock.now();
      message.resume();
    });
    if (asked.plain.body.kind === 'none') {
      message.resume();
      this.onSent();
      return;
    }
    if (awaitsContinue) response.writeContinue();
    message.on('data', (chunk: Buffer) => this.guarded(() => this.relayBody(chunk)));
    message.on('end', () => this.guarded(() => this.onSent()));
    this.arm();
  }

  private relayBody(chunk: Buffer): void {
    const { send, record, asked, context } = this;
    if (send === null || this.state === 'over') return;
    record.bytesIn += chunk.length;
    this.movedAt = context.clock.now();
    if (record.bytesIn > asked.route.config.limits.max_body_size) {
      this.refuse({ slug: 'body_too_large', cause: 'max_body_size' });
      return;
    }
    if (send.request.write(chunk)) return;
    this.isSendHeld = true;
    this.options.message.pause();
  }

  private onSent(): void {
    if (this.state === 'over') return;
    this.sentAt = this.context.clock.now();
    this.send?.request.end();
    this.arm();
  }

  private answer(answer: IncomingMessage, reached: Reached): void {
    if (this.state !== 'sending') return;
    const { response, message, peer, head } = this.options;
    // What of the body is not read yet is not waited for.
    const isLast = peer.isLast || !message.complete || head.version === '1.0';
    const { status, fields } = answerHead(answer, this.asked, reached, isLast);
    this.state = 'answering';
    this.status = status;
    this.movedAt = this.context.clock.now();
    response.sendDate = false;
    response.writeHead(status, fields);
    answer.on('data', (chunk: Buffer) => this.guarded(() => this.relayAnswer(answer, chunk)));
    answer.on('end', () => this.guarded(() => this.state === 'answering' && response.end()));
    answer.on('error', () => this.guarded(() => this.cut('backend_answer', 'not whole')));
    answer.on('close', () => this.guarded(() => !answer.complete && this.cut('backend_answer', 'not whole')));
    // With its first bytes where they are there; an event stream may have none for long.
    setImmediate(() => this.state === 'answering' && response.flushHeaders());
    this.arm();
  }

  private relayAnswer(answer: IncomingMessage, chunk: Buffer): void {
    if (this.state !== 'answering') return;
    this.record.bytesOut += chunk.length;
    this.movedAt = this.context.clock.now();
    if (this.options.response.write(chunk)) return;
    this.isAnswerHeld = true;
    answer.pause();
    this.options.response.once('drain', () => answer.resume());
  }

  private onAnswerTaken(): void {
    this.isAnswerHeld = false;
    this.movedAt = this.context.clock.now();
  }

  private sayInterim(status: number, raw: readonly string[]): void {
    if (this.state !== 'sending') return;
    this.interim += 1;
    if (this.interim > INTERIM_MAX) this.onBackendBroken('interim answers');
    // RFC 9110 15.2: HTTP/1.0 knows none; and the 100 is ours to say.
    else if (status !== 100 && this.options.head.version === '1.1')
      this.options.peer.sayInterim(interimHead(status, raw));
  }

  private onBackendBroken(code: string): void {
    if (this.state === 'sending') this.refuse({ slug: 'backend_answer', cause: code });
    else if (this.state === 'answering') this.cut('backend_answer', code);
  }

  /** A part of the answer is out: nothing else can be said. */
  private cut(error: Parameters<RequestRecord['cut']>[1], cause: string): void {
    if (this.state === 'over') return;
    this.record.cut(this.status, error, cause);
    this.leave();
    this.options.peer.close();
  }

  /** The last byte of the answer is out. */
  private finish(): void {
    if (this.state !== 'answering') return;
    this.lastAnswerOut();
    this.options.peer.onExchangeOver();
  }

  private onAlarm(now: number): void {
    // What went on since then puts it off: the wheel is not asked for each byte.
    if (this.deadline > now) {
      this.arm();
      return;
    }
    if (this.state === 'answering') this.cut(this.isAnswerHeld ? 'write_stall' : 'idle', '');
    else if (this.state === 'sending' && this.sentAt !== null) this.refuse(timedOut('response'));
    else if (this.state === 'sending') this.refuse(this.isSendHeld ? timedOut('write_stall') : BODY_LATE);
    else this.refuse(timedOut('open'));
  }

  private arm(): void {
    this.context.wheel.schedule(this.alarm, this.deadline);
  }

  private get deadline(): number {
    const { chosen } = this.asked;
    const { timeouts } = chosen?.route.config ?? this.context.snapshot.config;
    switch (this.state) {
      case 'sending':
        if (this.sentAt !== null) return this.sentAt + timeouts.response;
        return this.movedAt + (this.isSendHeld ? timeouts.write_stall : timeouts.body);
      case 'answering':
        return this.movedAt + (this.isAnswerHeld ? timeouts.write_stall : timeouts.idle);
      default:
        return this.headAt + timeouts.open;
    }
  }

  private fail(error: unknown): void {
    if (this.state === 'over') return;
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

const BODY_LATE: Refusal = { slug: 'body_timeout', cause: 'body' };

function timedOut(cause: string): Refusal {
  return { slug: 'backend_timeout', cause };
}
