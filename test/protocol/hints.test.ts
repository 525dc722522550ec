import { describe, expect, test } from 'vitest';
import { hintOfBytes, hintOfHead } from '../../src/protocol/hints.ts';
import { RequestHeadParser } from '../../src/protocol/http-head.ts';
import type { RefusalSlug } from '../../src/protocol/refusals.ts';
import { LIMITS, requestText } from './heads.ts';

describe('of bytes that are no head', () => {
  /** The hint with `before` in reads of their own, and what follows in one read, in the middle of a buffer. */
  function hintOf(text: string, before = ''): string | undefined {
    const parser = new RequestHeadParser(LIMITS);
    const first = Buffer.from(before, 'latin1');
    parser.feed(first, 0, first.length);
    const bytes = Buffer.from(`??${text}??`, 'latin1');
    parser.feed(bytes, 2, bytes.length - 2);
    return hintOfBytes(parser, bytes, 2, bytes.length - 2);
  }

  test.each([
    ['a TLS record', '\x16\x03\x01\x02\0\x01', /^looks like TLS/],
    ['its first byte alone', '\x16', /^looks like TLS/],
    ['PROXY v1', 'PROXY TCP4 127.0.0.1 127.0.0.1 5 80\r\n', /^looks like the PROXY/],
    ['PROXY v2', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', /^looks like the PROXY/],
  ])('%s', (_, text, hint) => {
    expect(hintOf(text)).toMatch(hint);
  });

  test.each([
    ['0x16 and another major version', '\x16\x02'],
    ['garbage', '\x01\x02\x03'],
    ['PROXY v2 cut short', '\r\n\r\n\0\r\nQUIT'],
    ['another request of that name', 'PROXY TCP5 \r\n'],
  ])('%s says nothing', (_, text) => {
    expect(hintOf(text)).toBeUndefined();
  });

  test('a record is one at the beginning of a connection only', () => {
    expect(hintOf('\x16\x03\x01', 'GET /')).toBeUndefined();
    expect(hintOf(' TCP6 ::1 ::1 5 80\r\n', 'PROXY')).toMatch(/^looks like the PROXY/);
  });
});

describe('of a head that is refused', () => {
  function hintOf(slug: RefusalSlug, line: string, ...fields: string[]): string | undefined {
    const parser = new RequestHeadParser(LIMITS);
    const bytes = Buffer.from(requestText({ line, without: ['Upgrade:'], fields }), 'latin1');
    parser.feed(bytes, 0, bytes.length);
    if (parser.head === null) throw new Error('no head');
    return hintOfHead(slug, parser.head);
  }

  test.each([
    ['http_version', 'PRI * HTTP/2.0', /HTTP\/2/],
    ['http_version', 'GET / HTTP/1.0', /proxy_http_version/],
    ['upgrade_required', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1', /Socket\.IO/],
    ['method', 'POST /hub/negotiate HTTP/1.1', /SignalR/],
    ['method', 'POST /hub/negotiate?v=1 HTTP/1.1', /SignalR/],
    ['upgrade_required', 'GET /echo/info?t=1 HTTP/1.1', /SockJS/],
    ['method', 'POST /echo/000/abc/xhr_streaming HTTP/1.1', /SockJS/],
    ['upgrade_required', 'GET /echo/iframe-1.html HTTP/1.1', /SockJS/],
  ] as const)('%s, %s', (slug, line, hint) => {
    expect(hintOf(slug, line)).toMatch(hint);
  });

  test.each(['h2c', 'H2'])('Upgrade: %s is HTTP/2', (value) => {
    expect(hintOf('upgrade_required', 'GET / HTTP/1.1', `Upgrade: ${value}`)).toMatch(/HTTP\/2/);
  });

  test.each([
    ['http_version', 'GET / HTTP/1.2'],
    ['upgrade_required', 'GET / HTTP/1.1'],
    ['upgrade_required', 'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1'],
    ['upgrade_required', 'GET /hub/negotiate HTTP/1.1'],
    ['upgrade_required', 'GET /information?x=/info HTTP/1.1'],
    ['no_route', 'GET /echo/info HTTP/1.1'],
  ] as const)('%s, %s says nothing', (slug, line) => {
    expect(hintOf(slug, line)).toBeUndefined();
  });
});
