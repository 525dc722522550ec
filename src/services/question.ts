// One question to a service and its answer, on a connection that is there: bounded in bytes and time. It is the reader
// of the transport until then, and its closer, but where nothing can come on it any more except the next answer.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import { HeadStep, type ResponseHead, ResponseHeadParser } from '../protocol/http-head.ts';
import { persistsFor } from '../protocol/persistence.ts';
import { BodyStep, ResponseBody } from '../protocol/response-body.ts';

/** Early Hints and the like before the answer (RFC 9110 15.2): more is a flood. */
const INTERIM_MAX = 8;

interface QuestionOptions {
  readonly transport: Transport;
  readonly wheel: TimerWheel;
  /** The whole request, sent at once. */
  readonly request: Buffer;
  /** When the answer must be complete. */
  readonly deadline: number;
  readonly signal: AbortLike;
  readonly headBytesMax: number;
  readonly bodyBytesMax: number;
  /**
   * Told in the moment in which the answer is complete, if the transport can be asked again: then it is the callee's.
   * `forMs`: as long as the service says that it leaves it open; Infinity where it says nothing.
   */
  onFree(forMs: number): void;
}

interface Answer {
  readonly kind: 'answer';
  readonly head: ResponseHead;
  readonly body: Buffer;
  /** The body is not all of it, and empty: it was too long, too late, or broke off. */
  readonly isCut: boolean;
}

interface NoAnswer {
  readonly kind: 'none';
  readonly fault: 'aborted' | 'late' | 'broken';
  /** Without a byte of the peer. */
  readonly cause: string;
  /** The connection was over before one byte of an answer. */
  readonly wasDead: boolean;
}

export type Outcome = Answer | NoAnswer;

/** Rejects with faults of our own only. Unless `onFree` was told, the transport is destroyed. */
export function putQuestion(options: QuestionOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => new Question(options, resolve, reject).start());
}

class Question implements TransportReader {
  private readonly options: QuestionOptions;
  private readonly resolve: (outcome: Outcome) => void;
  private readonly reject: (error: unknown) => void;
  private readonly alarm = new Alarm(() => this.guarded(() => this.fail('late', 'not in time')));
  private readonly onAbort = () => this.guarded(() => this.fail('aborted', 'aborted'));
  private parser: ResponseHeadParser;
  private interim = 0;
  private answer: { readonly head: ResponseHead; readonly body: ResponseBody } | null = null;
  private hasHeard = false;
  private isOver = false;

  constructor(options: QuestionOptions, resolve: (outcome: Outcome) => void, reject: (error: unknown) => void) {
    this.options = options;
    this.resolve = resolve;
    this.reject = reject;
    this.parser = this.newParser();
  }

  start(): void {
    this.guarded(() => {
      const { transport, wheel, request, deadline, signal } = this.options;
      wheel.schedule(this.alarm, deadline);
      signal.addEventListener('abort', this.onAbort);
      transport.reader = this;
      transport.write(request, 0, request.length, true);
      if (signal.aborted) this.onAbort();
    });
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.guarded(() => this.take(bytes, start, end));
  }

  onEnd(): void {
    this.guarded(() => {
      if (this.answer === null) this.fail('broken', 'closed before the answer', !this.hasHeard);
      else this.takeBody(this.answer.body.end(), false);
    });
  }

  onLost(error: Error): void {
    this.guarded(() => this.fail('broken', codeOf(error), !this.hasHeard));
  }

  onTaken(): void {}

  /** The one way in from outside: a fault of ours goes to who waits for the outcome. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.leave();
      this.options.transport.destroy();
      this.reject(error);
    }
  }

  private take(bytes: Buffer, start: number, end: number): void {
    this.hasHeard = true;
    let at = start;
    while (!this.isOver) {
      if (this.answer !== null) {
        const { body } = this.answer;
        const step = body.feed(bytes, at, end);
        this.takeBody(step, body.position === end);
        return;
      }
      const step = this.parser.feed(bytes, at, end);
      if (step === HeadStep.NeedData) return;
      const { head, violation } = this.parser;
      if (step === HeadStep.Violation || head === null) {
        this.fail('broken', `answer: ${violation ?? 'bad head'}`);
        return;
      }
      at = this.parser.position;
      this.takeHead(head);
    }
  }

  private takeHead(head: ResponseHead): void {
    if (head.status < 200) {
      this.interim += 1;
      // Nobody has asked for another protocol, so it is no answer either.
      if (head.status === 101) this.fail('broken', 'status 101');
      else if (this.interim > INTERIM_MAX) this.fail('broken', 'answer: too many interim ones');
      this.parser = this.newParser();
      return;
    }
    const body = new ResponseBody(head, this.options.bodyBytesMax);
    if (body.violation === null) this.answer = { head, body };
    else this.fail('broken', `answer: ${body.violation}`);
  }

  private newParser(): ResponseHeadParser {
    return new ResponseHeadParser({ headBytesMax: this.options.headBytesMax, relaxLf: false });
  }

  /** `isLast`: nothing has come behind it. */
  private takeBody(step: BodyStep, isLast: boolean): void {
    if (this.answer === null || step === BodyStep.NeedData) return;
    const { head, body } = this.answer;
    const isCut = step === BodyStep.Violation || body.dropped;
    // Of what was sent the service must have taken all, or the rest of it would stand before the next question.
    const isClean = !isCut && isLast && body.isDelimited && this.options.transport.pending === 0;
    this.settle({ kind: 'answer', head, body: body.bytes(), isCut }, isClean ? persistsFor(head) : 0);
  }

  /** A status that has come counts, though its body did not. */
  private fail(fault: NoAnswer['fault'], cause: string, wasDead = false): void {
    if (this.answer === null || fault === 'aborted') this.settle({ kind: 'none', fault, cause, wasDead }, 0);
    else this.settle({ kind: 'answer', head: this.answer.head, body: EMPTY, isCut: true }, 0);
  }

  private settle(outcome: Outcome, forMs: number): void {
    if (this.isOver) return;
    this.leave();
    if (forMs > 0) this.options.onFree(forMs);
    else this.options.transport.destroy();
    this.resolve(outcome);
  }

  private leave(): void {
    this.isOver = true;
    this.options.wheel.cancel(this.alarm);
    this.options.signal.removeEventListener('abort', this.onAbort);
  }
}

const EMPTY = Buffer.alloc(0);

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
