import { describe, expect, test } from 'vitest';
import { buildRefusal, isClientsFault, REFUSALS, type RefusalSlug } from '../../src/protocol/refusals.ts';
import { statusPhrase } from '../../src/protocol/status-phrases.ts';

const slugs = Object.keys(REFUSALS) as RefusalSlug[];

test.each(slugs)('%s is a complete response of our own', (slug) => {
  const text = buildRefusal(slug, 'id-1').toString('latin1');
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const { status } = REFUSALS[slug];
  const plain = 'plain' in REFUSALS[slug] ? REFUSALS[slug].plain : null;
  const [line, ...fields] = head.split('\r\n');
  expect(line).toBe(`HTTP/1.1 ${status} ${statusPhrase(status)}`);
  expect(statusPhrase(status)).not.toBe('Unassigned');
  expect(fields).toContain(`Content-Type: ${plain === null ? 'application/json' : 'text/plain'}`);
  expect(fields).toContain(`Content-Length: ${body.length}`);
  expect(fields).toContain('Cache-Control: no-store');
  expect(fields).toContain(slug === 'upgrade_required' ? 'Connection: Upgrade, close' : 'Connection: close');
  expect(fields.filter((field) => field.startsWith('Connection:'))).toHaveLength(1);
  expect(body).toBe(plain ?? `{"status":${status},"error":"${slug}","request_id":"id-1"}`);
  expect(text.toLowerCase()).not.toContain('framegate');
});

test.each([
  ['bare_lf', 400],
  ['host', 400],
  ['no_route', 404],
  ['method', 405],
  ['handshake_timeout', 408],
  ['target_too_long', 414],
  ['expect', 417],
  ['upgrade_required', 426],
  ['version', 426],
  ['too_many_sessions_per_ip', 429],
  ['too_many_handshakes_per_ip', 429],
  ['head_too_large', 431],
  ['too_many_fields', 431],
  ['backend_dns', 502],
  ['backend_unreachable', 502],
  ['backend_tls', 502],
  ['backend_handshake', 502],
  ['too_many_sessions', 503],
  ['too_many_handshakes', 503],
  ['overload', 503],
  ['draining', 503],
  ['no_target', 503],
  ['no_local_port', 503],
  ['no_descriptor', 503],
  ['backend_timeout', 504],
  ['http_version', 505],
  ['loop', 508],
] as const)('%s is %s', (slug, status) => {
  expect(REFUSALS[slug].status).toBe(status);
});

test('the fixed fields of 405 and of both 426', () => {
  const lines = (slug: RefusalSlug) => buildRefusal(slug, 'x').toString('latin1').split('\r\n');
  expect(lines('method')).toContain('Allow: GET');
  expect(lines('upgrade_required')).toContain('Upgrade: websocket');
  expect(lines('version')).toContain('Sec-WebSocket-Version: 13');
  expect(lines('version').some((line) => line.startsWith('Upgrade'))).toBe(false);
});

describe('values passed in', () => {
  test('Retry-After is one more field', () => {
    expect(buildRefusal('draining', 'x', [['Retry-After', '3']]).toString()).toContain('\r\nRetry-After: 3\r\n');
  });

  test('a request id is escaped as JSON, and never a control byte', () => {
    const text = buildRefusal('loop', 'a"b\\c').toString('latin1');
    expect(JSON.parse(text.slice(text.indexOf('{')))).toEqual({ status: 508, error: 'loop', request_id: 'a"b\\c' });
    for (const bad of ['a\r\n', 'a b', 'é', '\u010a']) expect(() => buildRefusal('loop', bad)).toThrow();
    for (const bad of ['3\r\nX: y', '\u010d\u010a']) {
      expect(() => buildRefusal('loop', 'x', [['Retry-After', bad]])).toThrow();
    }
  });
});

test('4xx are the doing of the client, and what says so; what is no slug is not', () => {
  const others = slugs.filter((slug) => REFUSALS[slug].status >= 500 && isClientsFault(slug));
  expect(others).toEqual(['http_version']);
  expect(slugs.filter((slug) => REFUSALS[slug].status < 500).every(isClientsFault)).toBe(true);
  expect(['', 'toString', 'session'].map(isClientsFault)).toEqual([false, false, false]);
});
