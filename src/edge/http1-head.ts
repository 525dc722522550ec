// From the first bytes of a client to its head: one that may be judged, one that asks for health only, or what is wrong
// with it. It answers nobody.

import type { Limits } from '../config/types.ts';
import { hintOfBytes } from '../protocol/hints.ts';
import { HeadStep, type RequestHead, RequestHeadParser } from '../protocol/http-head.ts';
import type { Refusal } from '../protocol/refusals.ts';
import { asksForHealth } from './health.ts';
import type { LiveListener } from './live-listener.ts';

type HeadOutcome =
  | { readonly kind: 'bad'; readonly refusal: Refusal }
  | { readonly kind: 'probe'; readonly method: string }
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
  readonly listener: LiveListener;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Null when more is needed. */
export function readHead({ parser, listener, bytes, start, end }: HeadBytes): HeadOutcome | null {
  const step = parser.feed(bytes, start, end);
  if (step === HeadStep.NeedData) return null;
  if (step === HeadStep.Violation || parser.head === null) {
    const cause = hintOfBytes(parser, bytes, start, end);
    return { kind: 'bad', refusal: { slug: parser.violation ?? 'request_line', cause } };
  }
  const head = listener.read(parser.head);
  const { health_path } = listener.config;
  if (health_path !== null && asksForHealth(head, health_path)) return { kind: 'probe', method: head.method };
  return { kind: 'request', head, restAt: parser.position };
}
