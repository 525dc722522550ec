// The upgrade request to one backend and its answer: a judged 101 with the bytes behind it, a refusal to relay, or why
// it is neither. It reads the backend's transport until then and leaves it paused. It chooses no target.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import { type HeadField, HeadStep, type ResponseHead, ResponseHeadParser } from '../protocol/http-head.ts';
import { REFUSAL_BODY_MAX, relayedRefusalFields } from '../protocol/refusal-body.ts';
import type { UpstreamCheck } from '../protocol/relax.ts';
import { BodyStep, ResponseBody } from '../protocol/response-body.ts';
import { judgeUpgradeResponse } from '../protocol/upgrade-response.ts';

/** 100 Continue, 103 Early Hints and the like before the answer (RFC 9110 15.2): more is a flood. */
const INTERIM_MAX = 8;

export interface Switched {
  readonly kind: 'switched';
  readonly protocol: string | null;
  readonly extensions: string | null;
  readonly deflate: boolean;
  readonly fields: readonly HeadField[];
  /** Checks that it broke, and that are switched off for its upstream. */
  readonly relaxed: readonly UpstreamCheck[];
  /** What came behind the 101 in the same read. */
  readonly leftover: Buffer | null;
}

export interface RelayedRefusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly fields: readonly HeadField[];
  readonly body: Buffer;
}

interface FailedExchange {
  readonly kind: 'failed';
  /** `aborted`: nobody waits for it any more. */
  readonly error: 'backend_handshake' | 'backend_timeout' | 'backend_tls' | 'aborted';
  readonly cause: string;
}

export type ExchangeOutcome = Switched | RelayedRefusal | FailedExchange;

interface ExchangeOptions {
  readonly transport: Transport;
  readonly wheel: TimerWheel;
  /** The whole request, sent at once. */
  readonly request: Buffer;
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
  /** When the answer must be complete. */
  readonly deadline: number;
  readonly signal: AbortLike;
  /** Its head may hold so many bytes: `upstreams.*.max_head_size`. */
  readonly headBytesMax: number;
  readonly relax: readonly UpstreamCheck[];
  readonly progress: ExchangeProgress;
}

/** Written while it goes on, for whoever gives up in between. */
export interface ExchangeProgress {
  /** The refusal whose head has come, without the body that is awaited. */
  refusal: RelayedRefusal | null;
}

/** Rejects with faults of our own only. The transport is paused after a 101 and destroyed otherwise. */
export function exchange(options: ExchangeOptions): Promise<ExchangeOutcome> {
  return new Promise((resolve, reject) => new Exchange(options, resolve, reject).start());
}

class Exchange implements TransportReader {
  private readonly options: ExchangeOptions;
  private readonly resolve: (outcome: ExchangeOutcome) => void;
  private readonly reject: (error: unknown) => void;
  private readonly alarm = new Alarm(() => this.guarded(() => this.fail('backend_timeout', 'upgrade')));
  private readonly onAbort = () => this.guarded(() => this.fail('aborted', ''));
  private parser: ResponseHeadParser;
  private interim = 0;
  private refusal: { readonly head: ResponseHead; readonly body: ResponseBody } | null = null;
  private done = false;

  constructor(options: ExchangeOptions, resolve: (outcome: ExchangeOutcome) => void, reject: (error: unknown) => void) {
    this.options = options;
    this.resolve = resolve;
    this.reject = reject;
    this.parser = this.newParser();
  }

  start(): void {
    this.guarded(() => {
      const { wheel, deadline, signal, transport, request } = this.options;
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
      if (this.refusal !== null) this.takeBody(this.refusal.body.end());
      else this.fail('backend_handshake', 'closed before the answer');
    });
  }

  onLost(error: Error): void {
    this.guarded(() => {
      // What has arrived of a refusal is worth more than the reset behind it.
      if (this.refusal !== null) {
        this.finishRefusal(EMPTY);
        return;
      }
      const cause = codeOf(error);
      // RFC 8446 4.4.2.4: a TLS 1.3 backend judges our certificate only after our side of the handshake is complete.
      this.fail(cause.startsWith('ERR_SSL_') ? 'backend_tls' : 'backend_handshake', cause);
    });
  }

  onTaken(): void {}

  /** The one way in from outside: a fault of ours goes to who waits for the outcome. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.leave();
      this.reject(error);
    }
  }

  private take(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (!this.done) {
      if (this.refusal !== null) {
        this.takeBody(this.refusal.body.feed(bytes, at, end));
        return;
      }
      const step = this.parser.feed(bytes, at, end);
      if (step === HeadStep.NeedData) return;
      const head = this.parser.head;
      if (step === HeadStep.Violation || head === null) {
        const { violation } = this.parser;
        this.fail('backend_handshake', violation === 'head_too_large' ? HEAD_SIZE_KEY : (violation ?? 'bad head'));
        return;
      }
      at = this.parser.position;
      this.takeHead(head, bytes, at, end);
    }
  }

  private takeHead(head: ResponseHead, bytes: Buffer, at: number, end: number): void {
    if (head.status === 101) {
      this.takeSwitch(head, bytes, at, end);
      return;
    }
    if (head.status < 200) {
      this.takeInterim(head);
      return;
    }
    if (head.status < 300) {
      // RFC 6455 4.1: only a 101 opens. A 2xx is no refusal either, so there is nothing true to relay.
      this.fail('backend_handshake', `status ${head.status}`);
      return;
    }
    const body = new ResponseBody(head, REFUSAL_BODY_MAX);
    this.refusal = { head, body };
    this.options.progress.refusal = relayedWith(head, EMPTY);
    this.takeBody(body.feed(bytes, at, at));
  }

  private takeInterim(head: ResponseHead): void {
    this.interim += 1;
    // An interim answer that dresses up as the switch is neither (RFC 9110 15.2, RFC 6455 4.1).
    const isDisguised = head.fields.some((field) => field.lower === 'sec-websocket-accept');
    if (isDisguised) this.fail('backend_handshake', `status ${head.status}`);
    // RFC 9110 15.2: HTTP/1.0 defines no 1xx; who mixes the versions is not understood.
    else if (head.version !== '1.1') this.fail('backend_handshake', `status ${head.status} in HTTP/1.0`);
    else if (this.interim > INTERIM_MAX) this.fail('backend_handshake', 'too many interim answers');
    this.parser = this.newParser();
  }

  private newParser(): ResponseHeadParser {
    const { headBytesMax, relax } = this.options;
    return new ResponseHeadParser({ headBytesMax, relaxLf: relax.includes('bare_lf') });
  }

  private takeSwitch(head: ResponseHead, bytes: Buffer, at: number, end: number): void {
    const verdict = judgeUpgradeResponse(head, this.options);
    if (!verdict.ok) {
      this.fail('backend_handshake', verdict.cause);
      return;
    }
    // Paused before anything is awaited: what comes from now on belongs to the session.
    this.options.transport.pause();
    const { protocol, extensions, deflate, fields, relaxed } = verdict;
    const leftover = at < end ? Buffer.from(bytes.subarray(at, end)) : null; // copied: outlives the read buffer
    this.settle({ kind: 'switched', protocol, extensions, deflate, fields, relaxed, leftover });
  }

  private takeBody(step: BodyStep): void {
    const body = this.refusal?.body;
    if (body === undefined || step === BodyStep.NeedData) return;
    if (step === BodyStep.Violation) this.fail('backend_handshake', body.violation ?? 'bad body');
    else this.finishRefusal(body.bytes());
  }

  private finishRefusal(body: Buffer): void {
    if (this.refusal === null) return;
    this.settle(relayedWith(this.refusal.head, body));
    this.options.transport.destroy();
  }

  private fail(error: FailedExchange['error'], cause: string): void {
    // The status is known and only its body is late: relay it without.
    if (this.refusal !== null && error === 'backend_timeout') {
      this.finishRefusal(EMPTY);
      return;
    }
    this.settle({ kind: 'failed', error, cause });
    this.options.transport.destroy();
  }

  private settle(outcome: ExchangeOutcome): void {
    if (this.done) return;
    this.leave();
    this.resolve(outcome);
  }

  private leave(): void {
    this.done = true;
    this.options.wheel.cancel(this.alarm);
    this.options.signal.removeEventListener('abort', this.onAbort);
  }
}

const EMPTY = Buffer.alloc(0);
/** The limit that an answer broke, as the config calls it. */
const HEAD_SIZE_KEY = 'upstreams.*.max_head_size';

function relayedWith(head: ResponseHead, body: Buffer): RelayedRefusal {
  return { kind: 'refused', status: head.status, fields: relayedRefusalFields(head), body };
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
