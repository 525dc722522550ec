// Proof by HTTP that a name is ours (RFC 8555 8.3): which request asks for it, and the answer. While no order waits for
// that token such a request is one like all.

import type { LiveCertificates } from '../net/live-certificates.ts';
import type { RequestHead } from '../protocol/http-head.ts';

const PLACE = '/.well-known/acme-challenge/';
/** RFC 8555 8.1: base64url. Those of authorities have 43 characters. */
const TOKEN = /^[A-Za-z0-9_-]{16,128}$/;

/** The whole answer, after which the connection closes; null where it is not for us. */
export function challengeAnswer(head: RequestHead, live: LiveCertificates): Buffer | null {
  const { method, target, fields } = head;
  if (!target.startsWith(PLACE) || (method !== 'GET' && method !== 'HEAD')) return null;
  const token = target.slice(PLACE.length);
  if (!TOKEN.test(token) || fields.some((field) => field.lower === 'upgrade')) return null;
  const proof = live.answerFor(token);
  if (proof === null) return null;
  const lines = [
    'HTTP/1.1 200 OK',
    'Content-Type: application/octet-stream',
    `Content-Length: ${proof.length}`,
    'Connection: close',
    'Cache-Control: no-store',
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : proof}`, 'latin1');
}
