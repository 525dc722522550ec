// A refusal as the bytes that a client gets of it, whatever it asked for.

import { buildRefusal, REFUSALS, type Refusal } from '../protocol/refusals.ts';
import { retryAfterSeconds } from './retry-after.ts';

export function refusalBytes(refusal: Refusal, requestId: string, method = ''): Buffer {
  const { slug, fields = [], retryAfter } = refusal;
  const own =
    'retryAfter' in REFUSALS[slug] ? [['Retry-After', String(retryAfter ?? retryAfterSeconds())] as const] : [];
  const bytes = buildRefusal(slug, requestId, [...fields, ...own]);
  // RFC 9110 9.3.2: HEAD gets no content.
  return method === 'HEAD' ? bytes.subarray(0, bytes.indexOf('\r\n\r\n') + 4) : bytes;
}
