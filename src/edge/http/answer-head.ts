// The heads that a client gets of a backend's answers to plain requests: made of chosen fields, framed by Node.

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { isSaidSecure } from '../../protocol/backend-request.ts';
import { changedFields, isRemoved } from '../../protocol/field-changes.ts';
import { FieldPairs, FieldWriter } from '../../protocol/field-writer.ts';
import type { HeadField } from '../../protocol/http-head.ts';
import { firstValueOf, valuesOf } from '../../protocol/lists.ts';
import { endToEndFields } from '../../protocol/upgrade-response.ts';
import type { Reached } from '../../upstream/open-backend.ts';
import type { Asked } from '../admission.ts';
import { changesFor } from '../field-edits.ts';
import { templateFacts } from '../request-facts.ts';

export interface AnswerHead {
  readonly status: number;
  /** Names and values in turn. */
  readonly fields: string[];
  /** It says when it was made, or is not to say it. */
  readonly isDated: boolean;
  /** It says how long its body is. */
  readonly isSized: boolean;
  /** What the backend says that its body is; '' when it says nothing. */
  readonly type: string;
}

/** Why a head that Node has read is none that is relayed; null: it is. */
export function answerFault(
  { statusCode: status = 0, httpVersion, rawHeaders }: IncomingMessage,
  headBytesMax: number,
): string | null {
  // Node counts names and values alone.
  const bytes = rawHeaders.reduce((sum, { length }) => sum + length + SEPARATOR_BYTES, 0);
  if (bytes > headBytesMax) return HEAD_SIZE_KEY;
  // RFC 9110 15: the first digit is a class from 1 to 5. Node hands out a 101 without Upgrade as an answer.
  if (status < 200 || status > 599) return `status ${status}`;
  const codings = rawHeaders.filter(
    (_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'transfer-encoding',
  );
  if (codings.length === 0) return null;
  // RFC 9112 6.1: HTTP/1.0 knows none, so its framing is faulty.
  if (httpVersion !== '1.1') return 'Transfer-Encoding in HTTP/1.0';
  // RFC 9112 7: any other coding would be gone with the field, and the client would get it as content.
  return codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' ? null : 'Transfer-Encoding is not chunked';
}

/** `isLast`: the connection closes behind it. */
export function answerHead(answer: IncomingMessage, asked: Asked, reached: Reached, isLast: boolean): AnswerHead {
  const { arrival, request, route, grant } = asked;
  const { upstream, target, key } = reached;
  const status = answer.statusCode ?? 0;
  const fields = fieldsOf(answer.rawHeaders);
  const edits = route.edits.response;
  const relayed = endToEndFields(fields);
  const changes = edits === null ? null : changesFor(edits, templateFacts({ arrival, request, route, grant }));
  const changed = changes === null ? relayed : changedFields(relayed, changes);
  const pairs = new FieldPairs();
  for (const field of changed) pairs.relayed(field);
  const cookie = upstream.cookieFor(target, key, isSaidSecure({ proto: arrival.proto, request }));
  if (cookie !== null) pairs.relayed({ name: 'Set-Cookie', lower: 'set-cookie', value: cookie });
  // Node has read the body by it, and has refused one that contradicts it.
  const [length] = valuesOf(fields, 'content-length');
  const isSized = length !== undefined && valuesOf(fields, 'transfer-encoding').length === 0 && status !== 204;
  if (isSized) pairs.own('Content-Length', length);
  if (isLast) pairs.own('Connection', 'close');
  const isDated = valuesOf(relayed, 'date').length > 0 || (changes !== null && isRemoved(changes, 'date'));
  const type = firstValueOf(fields, 'content-type') ?? '';
  return { status, fields: pairs.flat, isDated, isSized, type };
}

/** For the log: what ended an answer, by what Node calls it. */
export function brokenCause(code: string): string {
  return code === 'HPE_HEADER_OVERFLOW' ? HEAD_SIZE_KEY : code;
}

/** The limit that an answer broke, as the config calls it. */
const HEAD_SIZE_KEY = 'upstreams.*.max_head_size';
/** `: ` behind a name, CR LF behind a value. */
const SEPARATOR_BYTES = 2;

/** The whole head of a 102, a 103: without what the route takes out of answers; what it sets is for the last one. */
export function interimHead(status: number, raw: readonly string[], { route }: Asked): Buffer {
  const writer = new FieldWriter(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`);
  const removed = route.edits.response?.removed ?? [];
  for (const field of endToEndFields(fieldsOf(raw)))
    if (!isRemoved({ removed, set: [] }, field.lower)) writer.relayed(field);
  return writer.finish();
}

function fieldsOf(raw: readonly string[]): HeadField[] {
  const fields: HeadField[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    fields.push({ name, lower: name.toLowerCase(), value: raw[index + 1] ?? '' });
  }
  return fields;
}
