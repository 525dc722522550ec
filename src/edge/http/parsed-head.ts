// Heads between our parser and Node's: one of ours as bytes for Node, and one of Node's judged by ours, so that every
// request of a connection has passed the same rules.

import type { IncomingMessage } from 'node:http';
import type { Limits } from '../../config/types.ts';
import { type HeadField, HeadStep, type RequestHead } from '../../protocol/http-head.ts';
import type { RefusalSlug } from '../../protocol/refusals.ts';
import { newHeadParser } from '../http1.ts';

/** Without a space behind the colon it is no longer than what it was read from. */
function headBytes({ method, target, version, fields }: RequestHead): Buffer {
  const lines = fields.map(({ name, value }) => `${name}:${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`, 'latin1');
}

/** What Node has to know of a request that our parser has read: what frames it, and no Upgrade, which would end it. */
export function framingBytes(head: RequestHead): Buffer {
  const fields = head.fields.filter(({ lower }) => FRAMING.has(lower));
  return headBytes({ ...head, fields: fields.map((field) => (field.lower === 'connection' ? kept(field) : field)) });
}

/** Without the options that no plain request has. */
function kept(connection: HeadField): HeadField {
  const options = connection.value.split(',').filter((option) => option.trim().toLowerCase() !== 'upgrade');
  return { ...connection, value: options.join(',') };
}

const FRAMING: ReadonlySet<string> = new Set(['connection', 'content-length', 'expect', 'transfer-encoding']);

/** The head of a request that Node has read, or the rule that it breaks. */
export function judgedHead(message: IncomingMessage, limits: Limits): RequestHead | RefusalSlug {
  const { method = '', url = '', httpVersion, rawHeaders } = message;
  const fields = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    fields.push({ name: rawHeaders[index] ?? '', lower: '', value: rawHeaders[index + 1] ?? '' });
  const bytes = headBytes({ method, target: url, version: httpVersion, fields });
  const parser = newHeadParser(limits);
  const step = parser.feed(bytes, 0, bytes.length);
  if (step === HeadStep.NeedData || parser.head === null) return parser.violation ?? 'http_syntax';
  return parser.head;
}
