// HTTP/1.1: from a client's first bytes to its head, and from answers to bytes. It owns no transport: that is the
// affair of the connection which feeds it.

import type { Limits } from '../config/types.ts';
import type { LiveCertificates } from '../net/live-certificates.ts';
import type { Transport } from '../net/transport.ts';
import { closeFrame } from '../protocol/frame-writer.ts';
import { hintOfBytes } from '../protocol/hints.ts';
import { HeadStep, type RequestHead, RequestHeadParser } from '../protocol/http-head.ts';
import { buildRelayedRefusal } from '../protocol/refusal-body.ts';
import type { Refusal } from '../protocol/refusals.ts';
import { buildClientSwitch, type ClientSwitch } from '../protocol/upgrade-response.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import { challengeAnswer } from './acme-challenge.ts';
import type { LiveListener } from './arrival.ts';
import type { Asker, OpenRefusal } from './asker.ts';
import type { EarlyBytes } from './early-bytes.ts';
import { asksForHealth } from './health.ts';
import type { SessionRecord } from './session-record.ts';

type HeadOutcome =
  | { readonly kind: 'bad'; readonly refusal: Refusal }
  | { readonly kind: 'probe'; readonly method: string }
  /** What proves a name is asked for: the whole answer. */
  | { readonly kind: 'challenge'; readonly answer: Buffer }
  /** `restAt`: where in the bytes what came behind it begins. */
  | { readonly kind: 'request'; readonly head: RequestHead; readonly restAt: number };

export function newHeadParser(limits: Limits): RequestHeadParser {
  return new RequestHeadParser({
    headBytesMax: limits.max_head_size,
    targetBytesMax: limits.max_target_size,
    fieldsMax: limits.max_header_fields,
  });
}

interface HeadBytes {
  readonly parser: RequestHeadParser;
  readonly live: LiveCertificates;
  readonly listener: LiveListener;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Null when more is needed. */
export function readHead({ parser, live, listener, bytes, start, end }: HeadBytes): HeadOutcome | null {
  const step = parser.feed(bytes, start, end);
  if (step === HeadStep.NeedData) return null;
  if (step === HeadStep.Violation || parser.head === null) {
    const cause = hintOfBytes(parser, bytes, start, end);
    return { kind: 'bad', refusal: { slug: parser.violation ?? 'request_line', cause } };
  }
  const head = listener.read(parser.head);
  // What comes to port 80 for it may come to any listener without TLS.
  const proof = listener.config.tls === null ? challengeAnswer(parser.head, live) : null;
  if (proof !== null) return { kind: 'challenge', answer: proof };
  const { health_path } = listener.config;
  if (health_path !== null && asksForHealth(head, health_path)) return { kind: 'probe', method: head.method };
  return { kind: 'request', head, restAt: parser.position };
}

/** What it wants of its connection. */
export interface AnswersClient {
  readonly transport: Transport;
  /** The last bytes of it. */
  answer(bytes: Buffer): void;
  /** The same where a Close is the last of them, which it may answer. */
  sayClose(bytes: Buffer): void;
  refuse(refusal: Refusal): void;
  become(session: SessionRecord): void;
  fail(error: unknown): void;
}

/** The asker of a handshake: its head, what is held of the bytes behind it, and the answers as bytes. */
export class Http1Asker implements Asker {
  readonly head: RequestHead;
  readonly early: EarlyBytes;
  /** Our 101 may have gone out: nothing else can be answered. */
  isAccepted = false;
  private readonly connection: AnswersClient;

  constructor(connection: AnswersClient, head: RequestHead, early: EarlyBytes) {
    this.connection = connection;
    this.head = head;
    this.early = early;
  }

  get transport(): Transport {
    return this.connection.transport;
  }

  get earlySize(): number {
    return this.early.size;
  }

  hold(bytesMax: number): void {
    this.early.hold(bytesMax);
  }

  accept(answer: ClientSwitch): Buffer | null {
    const response = buildClientSwitch(answer);
    const early = this.early.take();
    this.isAccepted = true;
    this.transport.write(response, 0, response.length, true);
    return early;
  }

  become(session: SessionRecord): void {
    this.connection.become(session);
  }

  refuse(refusal: Refusal): void {
    this.connection.refuse(refusal);
  }

  refuseOpen({ answer, code, reason }: OpenRefusal): void {
    const close = closeFrame({ code, reason, masked: false });
    this.connection.sayClose(Buffer.concat([buildClientSwitch(answer), close]));
  }

  relay(refusal: RelayedRefusal): void {
    this.connection.answer(buildRelayedRefusal(refusal));
  }

  fail(error: unknown): void {
    this.connection.fail(error);
  }
}
