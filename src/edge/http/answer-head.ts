// The heads that a client gets of a backend's answers to plain requests: made of chosen fields, framed anew.

import { STATUS_CODES } from 'node:http';
import { isSaidSecure } from '../../protocol/backend-request.ts';
import type { AnswerFraming } from '../../protocol/body-reader.ts';
import { changedFields, isRemoved } from '../../protocol/field-changes.ts';
import { FieldWriter } from '../../protocol/field-writer.ts';
import type { ResponseHead } from '../../protocol/http-head.ts';
import { firstValueOf, valuesOf } from '../../protocol/lists.ts';
import { endToEndFields } from '../../protocol/upgrade-response.ts';
import type { Reached } from '../../upstream/open-backend.ts';
import type { Asked } from '../admission.ts';
import { changesFor } from '../field-edits.ts';
import { templateFacts } from '../request-facts.ts';

export interface AnswerHead {
  /** All of it, as text of latin1. */
  readonly text: string;
  readonly isChunked: boolean;
  /** It says where its body ends: else that is where its connection does. */
  readonly isFramed: boolean;
  /** What the backend says that its body is; '' when it says nothing. */
  readonly type: string;
}

interface AnswerFacts {
  readonly asked: Asked;
  readonly reached: Reached;
  /** The connection closes behind it. */
  readonly isLast: boolean;
  /** For an answer without one. */
  readonly date: string;
}

export function answerHead(
  answer: ResponseHead,
  framing: AnswerFraming,
  { asked, reached, isLast, date }: AnswerFacts,
): AnswerHead {
  const { arrival, request, route, grant } = asked;
  const { upstream, target, key } = reached;
  const { status, fields } = answer;
  const edits = route.edits.response;
  const relayed = endToEndFields(fields);
  const changes = edits === null ? null : changesFor(edits, templateFacts({ arrival, request, route, grant }));
  const writer = new FieldWriter(startLine(status));
  for (const field of changes === null ? relayed : changedFields(relayed, changes)) writer.relayed(field);
  const cookie = upstream.cookieFor(target, key, isSaidSecure({ proto: arrival.proto, request }));
  if (cookie !== null) writer.relayed({ name: 'Set-Cookie', lower: 'set-cookie', value: cookie });
  const length = statedLength(framing, answer);
  // RFC 9112 6.1: HTTP/1.0 knows no chunks.
  const isChunked = length === null && framing.kind !== 'none' && request.head.version !== '1.0';
  if (length !== null) writer.own('Content-Length', length);
  if (isChunked) writer.own('Transfer-Encoding', 'chunked');
  if (isLast) writer.own('Connection', 'close');
  // RFC 9110 6.6.1: one without a Date gets that of now, unless it is not to say it.
  const isDated = valuesOf(relayed, 'date').length > 0 || (changes !== null && isRemoved(changes, 'date'));
  if (!isDated) writer.own('Date', date);
  const isFramed = isChunked || length !== null || framing.kind === 'none';
  return { text: writer.head(), isChunked, isFramed, type: firstValueOf(fields, 'content-type') ?? '' };
}

/** The whole head of a 102, a 103: without what the route takes out of answers; what it sets is for the last one. */
export function interimHead({ status, fields }: ResponseHead, { route }: Asked): Buffer {
  const writer = new FieldWriter(startLine(status));
  const removed = route.edits.response?.removed ?? [];
  for (const field of endToEndFields(fields)) if (!isRemoved({ removed, set: [] }, field.lower)) writer.relayed(field);
  return writer.finish();
}

function startLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
}

/** Of its content, or of that which the answer to a GET would have (RFC 9110 8.6); null: it is not said. */
function statedLength(framing: AnswerFraming, { status, fields }: ResponseHead): string | null {
  if (framing.kind === 'length') return String(framing.bytes);
  if (framing.kind !== 'none' || status === 204 || valuesOf(fields, 'transfer-encoding').length > 0) return null;
  const [length] = firstValueOf(fields, 'content-length')?.split(',', 1) ?? [];
  return length ?? null;
}
