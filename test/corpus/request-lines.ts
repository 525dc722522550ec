// Request lines: methods, targets of every form, versions, what stands between them, and what stands behind the head.

import { requestText } from '../protocol/heads.ts';
import { type CorpusCase, latin1, variants } from './corpus-case.ts';

const plain = requestText({});

export function requestLines(): CorpusCase[] {
  return [
    ...variants('method', METHODS, (method) => requestText({ line: `${method} /chat HTTP/1.1` })),
    ...variants('version', VERSIONS, (version) => requestText({ line: `GET /chat ${version}` })),
    ...variants('whole request line', LINES, (line) => requestText({ line })),
    ...variants('between method and target', GAPS, (gap) => requestText({ line: `GET${gap}/chat HTTP/1.1` })),
    ...variants('between target and version', GAPS, (gap) => requestText({ line: `GET /chat${gap}HTTP/1.1` })),
    ...variants('behind the version', GAPS, (gap) => requestText({ line: `GET /chat HTTP/1.1${gap}` })),
    ...variants('target', TARGETS, (target) => requestText({ line: `GET ${target} HTTP/1.1` })),
    ...variants('byte in the path', allBytes(), (byte) => requestText({ line: `GET /a${byte}b HTTP/1.1` })),
    ...variants('byte in the query', allBytes(), (byte) => requestText({ line: `GET /a?b${byte}c HTTP/1.1` })),
    ...variants('byte in the method', allBytes(), (byte) => requestText({ line: `GE${byte}T / HTTP/1.1` })),
    ...variants('escape in the path', ESCAPES, (code) => requestText({ line: `GET /a${code}b HTTP/1.1` })),
    ...variants('segment of the path', SEGMENTS, (segment) => requestText({ line: `GET /a/${segment}/b HTTP/1.1` })),
    ...variants('last segment of the path', SEGMENTS, (segment) => requestText({ line: `GET /a/${segment} HTTP/1.1` })),
    ...variants('first segment of the path', SEGMENTS, (segment) => requestText({ line: `GET /${segment} HTTP/1.1` })),
    ...variants('authority of the target', AUTHORITIES, (authority) =>
      requestText({ line: `GET ${authority}/chat HTTP/1.1` }),
    ),
    ...variants('behind the head', BEHIND, (tail) => plain + tail),
    ...prefixes(),
  ];
}

const METHODS = [
  'GET',
  'get',
  'Get',
  'GETT',
  'GE',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PATCH',
  'PRI',
];
METHODS.push(
  'M-SEARCH',
  'SOURCE',
  'ANNOUNCE',
  'MKCOLA',
  'G=":<>(e),[T];?"',
  "GET'",
  'GET\x00',
  '\0GET',
  'G\u00e9T',
  '',
);
METHODS.push('X'.repeat(32), 'X'.repeat(33), `GET${' '.repeat(40)}`, 'GET,GET', 'GET;', '*', '!#$%&*+.^_|~', '0');

const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/3.0',
  'HTTP/9.9',
  'HTTP/11.1',
  'HTTP/1.10',
];
VERSIONS.push(
  'HTTP/1.32',
  'HTTP/01.1',
  'HTTP/1.01',
  'HTTP/1',
  'HTTP/1.',
  'HTTP/.1',
  'HTTP/',
  'HTTP',
  'http/1.1',
  'HTTp/1.1',
);
VERSIONS.push(
  'HTTP/1,1',
  'HTTP/1-1',
  'HTTP/+1.1',
  'HTTP/1.+1',
  'HTTP/-1.1',
  'HTTP/0x1.1',
  'HTTP/1.1x',
  'HTTP/1.1 x',
  'HTTP\\1.1',
);
VERSIONS.push(
  'HTTP//1.1',
  'HTTP /1.1',
  'HTTP/ 1.1',
  'HTTP/1 .1',
  'HTTP/1. 1',
  'HTTP/\r\r1.1',
  'HTTP/1.1\0',
  'HTTP/\xb9.\xb9',
);
VERSIONS.push(
  'IHTTP/1.1',
  'ICE/1.0',
  'RTSP/1.0',
  'HTTPS/1.1',
  'WS/1.1',
  'HTTP/1.1HTTP/1.1',
  'HTTP/1.1 HTTP/1.1',
  'HTTP/1.1,HTTP/1.0',
);

const LINES = [
  '',
  ' ',
  'GET',
  'GET ',
  'GET /chat',
  'GET /chat ',
  'GET HTTP/1.1',
  '/chat HTTP/1.1',
  ' GET /chat HTTP/1.1',
  '\r',
];
LINES.push(
  'GET /chat\nHTTP/1.1',
  'GET\n/chat HTTP/1.1',
  'GET /chat HTTP/1.1 \t',
  'HTTP/1.1 101 Switching Protocols',
  'GET  HTTP/1.1',
);
LINES.push(
  'GET /chat HTTP/1.1: x',
  ': GET /chat HTTP/1.1',
  'Host: x',
  'GET /a b HTTP/1.1',
  'GET /a HTTP/1.1 b HTTP/1.1',
);
LINES.push(
  'GET /chat HTTP/1.1\\r\\nX: y',
  'GET /chat%20HTTP/1.1',
  'GET /chat HTTP/1.1%0d%0aX:y',
  'quit',
  'GET\0/chat\0HTTP/1.1',
);
LINES.push(
  'GET "/chat" HTTP/1.1',
  'GET </chat> HTTP/1.1',
  'GET /chat?HTTP/1.1 HTTP/1.1',
  'PRI * HTTP/2.0',
  'CONNECT a:1 HTTP/1.1',
);

const GAPS = [
  '',
  ' ',
  '  ',
  '\t',
  ' \t',
  '\0',
  '\n',
  '\r',
  '\r\n',
  '\r\n ',
  '\x0b',
  '\x0c',
  '\x1c',
  '\x85',
  '\xa0',
  '+',
  '%20',
  '\xe2\x80\x83',
];

const TARGETS = [
  '/',
  '/chat',
  '/chat/',
  '//',
  '//chat',
  '///',
  '//evil.example/x',
  '/\\evil.example',
  '\\chat',
  '\\\\evil.example\\x',
];
TARGETS.push(
  '/chat?a=b',
  '/chat?',
  '/?',
  '?',
  '?a',
  '/chat??',
  '/chat?a#b',
  '/chat#',
  '#',
  '/#/x',
  '/chat?a?b',
  '/chat?//x',
  '/?/../x',
);
TARGETS.push(
  '*',
  '**',
  '*x',
  '/*',
  '',
  'chat',
  'chat/x',
  './x',
  '../x',
  '.',
  '..',
  '/.',
  '/..',
  '/...',
  '/.chat',
  '/..chat',
  '/chat..',
);
TARGETS.push(
  'chat.example.com',
  'chat.example.com:80',
  'chat.example.com:443',
  ':80',
  '[::1]:80',
  'user@chat.example.com:80',
);
TARGETS.push(
  '/chat%',
  '/chat%2',
  '/chat%zz',
  '/chat%00',
  '/chat%2500',
  '/chat%0d%0aX:%20y',
  '/%u002e%u002e/x',
  '/%c0%ae%c0%ae/x',
);
TARGETS.push(
  '/%ff%fe',
  '/\xff',
  '/\xc3\xa9',
  '/caf%C3%A9',
  '/a;b',
  '/a;b=c/d',
  '/;',
  '/a,b',
  "/a'b",
  '/a(b)',
  '/a|b',
  '/a^b',
  '/[a]',
  '/~a',
);
TARGETS.push(
  '/a:b',
  '/http://evil.example',
  '/@evil.example',
  '/a@b',
  '/$',
  '/a&b',
  '/=',
  '/+',
  '/!',
  '/_',
  '/-',
  '/a//b',
  '/a///',
  '/%2f%2f',
);
TARGETS.push(
  '/chat HTTP/1.1\r\nX-Injected: y\r\nZ:',
  '/chat\tx',
  '/chat\x0bx',
  '!',
  '%2fchat',
  'javascript:x',
  'data:,x',
  'file:///x',
);
TARGETS.push(
  `/${'a'.repeat(8191)}`,
  `/${'a'.repeat(8192)}`,
  `/?${'a'.repeat(8190)}`,
  `/?${'a'.repeat(8191)}`,
  `/${'../'.repeat(2000)}`,
);
TARGETS.push(
  `/${'%2e'.repeat(2000)}`,
  `/${'/'.repeat(8000)}`,
  `/a${';'.repeat(8000)}`,
  `/a${'/.x'.repeat(2600)}`,
  '/__proto__',
  '/constructor?__proto__=x',
);

const ESCAPES = [
  '%2e',
  '%2E',
  '%2f',
  '%2F',
  '%5c',
  '%5C',
  '%00',
  '%01',
  '%0a',
  '%0d',
  '%20',
  '%23',
  '%25',
  '%252e',
  '%252f',
  '%3b',
  '%3f',
  '%7f',
];
ESCAPES.push(
  '%80',
  '%ff',
  '%c0%af',
  '%e0%80%af',
  '%',
  '%%',
  '%2',
  '%2g',
  '%g2',
  '%-1',
  '%+1',
  '% 2',
  '%2%65',
  '%u002f',
  '%x2f',
  '\\x2f',
  '&#47;',
  '%EF%BC%8F',
);

const SEGMENTS = [
  '.',
  '..',
  '...',
  '%2e',
  '%2e%2e',
  '.%2e',
  '%2e.',
  '%2E%2E',
  '..%2f',
  '%2f..',
  '..%5c',
  '%5c..%5c',
  '..;',
  '..;x=y',
  '.;',
  '..%3b',
];
SEGMENTS.push(
  '..%00',
  '..%0d',
  '..%09',
  '..%20',
  '%252e%252e',
  '%c0%ae%c0%ae',
  '.\\.',
  '..\\',
  '\\..',
  '..|',
  '..?',
  '..#',
  ' ..',
  '.. ',
  '..\t',
);
SEGMENTS.push(
  '%2e%2e%2fadmin',
  '..%2e',
  '%2e%2e;',
  '%2f',
  '%5c',
  '%2f%2f',
  '%2fevil.example',
  '%5cevil.example',
  '',
  ';',
  'x..',
  '..x',
  '.x',
  '~',
  '%7e..',
);

const AUTHORITIES = [
  'http://chat.example.com',
  'https://chat.example.com',
  'ws://chat.example.com',
  'wss://chat.example.com',
  'HTTP://CHAT.EXAMPLE.COM',
];
AUTHORITIES.push(
  'http://chat.example.com:80',
  'http://chat.example.com:',
  'https://chat.example.com:443',
  'https://chat.example.com:80',
  'http://chat.example.com:443',
);
AUTHORITIES.push(
  'http://chat.example.com:8080',
  'http://evil.example',
  'http://',
  'http:/',
  'http:',
  'http:///',
  'http://:80',
  'http://:',
  '://chat.example.com',
);
AUTHORITIES.push(
  'ftp://chat.example.com',
  'gopher://chat.example.com',
  'javascript://chat.example.com',
  'http+x://chat.example.com',
  '1http://chat.example.com',
);
AUTHORITIES.push(
  'http://user@chat.example.com',
  'http://user:pw@chat.example.com',
  'http://@chat.example.com',
  'http://chat.example.com@evil.example',
);
AUTHORITIES.push(
  'http://chat.example.com.',
  'http://chat.example.com..',
  'http://.chat.example.com',
  'http://chat%2eexample.com',
  'http://chat.example.com%00.evil',
);
AUTHORITIES.push(
  'http://chat.example.com\\@evil.example',
  'http://chat.example.com#@evil.example',
  'http://chat.example.com?',
  'http://chat.example.com?x',
);
AUTHORITIES.push(
  'http://chat.example.com/',
  'http://chat.example.com/..',
  'http://chat.example.com/%2e%2e',
  'http://[::1]',
  'http://[chat.example.com]',
  'http:\\\\chat.example.com',
);
AUTHORITIES.push(
  'http://chat.example.com:080',
  'http://chat.example.com:0',
  'http://chat.example.com:99999',
  'http://chat.example.com:80:80',
  'http://chat.example.com:+80',
);
AUTHORITIES.push(
  'http://chat.example.com,evil.example',
  'http://chat.example.com;x',
  'http://chat.example.com evil',
  'http://\xe7hat.example.com',
  'http://http://chat.example.com',
);

const SECOND = 'GET /admin HTTP/1.1\r\nHost: chat.example.com\r\n\r\n';
const BEHIND = [
  SECOND,
  plain,
  `\r\n${SECOND}`,
  SECOND.replaceAll('\r\n', '\n'),
  '\r\n',
  '\n',
  '\0',
  'x',
  ' ',
  'hello',
  '0\r\n\r\n',
  `0\r\n\r\n${SECOND}`,
];
BEHIND.push(
  `5\r\nhello\r\n0\r\n\r\n${SECOND}`,
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x00\x00',
  '^n:ds[4U',
  '\x81\x80\0\0\0\0',
  '\x81\x00',
  '\xff'.repeat(64),
);
BEHIND.push(
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'x'.repeat(2000),
);

/** A request that is cut off is no request yet, wherever the cut is. */
function prefixes(): CorpusCase[] {
  return Array.from({ length: plain.length }, (_, length) => ({
    group: 'cut off after',
    variant: String(length),
    bytes: latin1(plain.slice(0, length)),
  }));
}

function allBytes(): string[] {
  return Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
}
