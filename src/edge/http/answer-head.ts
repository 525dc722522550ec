// The heads that a client gets of a backend's answers to plain requests: made of chosen fields, framed by Node.

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { isSaidSecure } from '../../protocol/backend-request.ts';
import { changedFields } from '../../protocol/field-changes.ts';
import { FieldPairs, FieldWriter } from '../../protocol/field-writer.ts';
import type { HeadField } from '../../protocol/http-head.ts';
import { valuesOf } from '../../protocol/lists.ts';
import { endToEndFields } from '../../protocol/upgrade-response.ts';
import type { Reached } from '../../upstream/open-backend.ts';
import type { Asked } from '../admission.ts';
import { changesFor } from '../field-edits.ts';
import { templateFacts } from '../request-facts.ts';

interface AnswerHead {
  readonly status: number;
  /** Names and values in turn. */
  readonly fields: string[];
}

/** `isLast`: the connection closes behind it. */
export function answerHead(answer: IncomingMessage, asked: Asked, reached: Reached, isLast: boolean): AnswerHead {
  const { arrival, request, route, grant } = asked;
  const { upstream, target, key } = reached;
  const status = answer.statusCode ?? 0;
  const fields = fieldsOf(answer.rawHeaders);
  const edits = route.edits.response;
  const relayed = endToEndFields(fields);
  const changed =
    edits === null
      ? relayed
      : changedFields(relayed, changesFor(edits, templateFacts({ arrival, request, route, grant })));
  const pairs = new FieldPairs();
  for (const field of changed) pairs.relayed(field);
  const cookie = upstream.cookieFor(target, key, isSaidSecure({ proto: arrival.proto, request }));
  if (cookie !== null) pairs.relayed({ name: 'Set-Cookie', lower: 'set-cookie', value: cookie });
  // Node has read the body by it, and has refused one that contradicts it.
  const [length] = valuesOf(fields, 'content-length');
  if (length !== undefined && valuesOf(fields, 'transfer-encoding').length === 0 && status !== 204)
    pairs.own('Content-Length', length);
  if (isLast) pairs.own('Connection', 'close');
  return { status, fields: pairs.flat };
}

/** The whole head of a 102, a 103. */
export function interimHead(status: number, raw: readonly string[]): Buffer {
  const writer = new FieldWriter(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`);
  for (const field of endToEndFields(fieldsOf(raw))) writer.relayed(field);
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
