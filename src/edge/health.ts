// Health on the data port: which request asks for it, and the answer. It knows no state but what it is told, and a
// request that wants to upgrade is none of its business.

import type { RequestHead } from '../protocol/http-head.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const VERSIONS: ReadonlySet<string> = new Set(['1.0', '1.1']);

/** Probes are made by hand and by old balancers, so neither Host nor HTTP/1.1 is asked of them. */
export function asksForHealth(head: RequestHead, healthPath: string): boolean {
  const { method, target, version, fields } = head;
  if (!METHODS.has(method) || !VERSIONS.has(version)) return false;
  const query = target.indexOf('?');
  if ((query === -1 ? target : target.slice(0, query)) !== healthPath) return false;
  return fields.every((field) => field.lower !== 'upgrade');
}

/** The whole response, after which the connection closes. */
export function healthAnswer(method: string, ready: boolean): Buffer {
  const body = JSON.stringify({ status: ready ? 'ready' : 'draining' });
  const lines = [
    ready ? 'HTTP/1.1 200 OK' : 'HTTP/1.1 503 Service Unavailable',
    ...(method === 'OPTIONS' ? ['Allow: GET, HEAD, OPTIONS'] : []),
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
    'Cache-Control: no-store',
  ];
  // RFC 9110 9.3.2: HEAD gets the fields of a GET and no content.
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : body}`, 'latin1');
}
