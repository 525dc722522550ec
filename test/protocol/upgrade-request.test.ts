import { describe, expect, test } from 'vitest';
import { parseHost } from '../../src/protocol/host.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { accepted, KEY, outcome, requestText } from './heads.ts';

const withField = (line: string): string => outcome(requestText({ fields: [line] }));
const instead = (name: string, ...fields: string[]): string => outcome(requestText({ without: [name], fields }));
const withLine = (line: string, host?: string): string =>
  host === undefined
    ? outcome(requestText({ line }))
    : outcome(requestText({ line, without: ['Host'], fields: [`Host: ${host}`] }));

test('a handshake is taken apart once', () => {
  const request = accepted(
    requestText({
      line: 'GET /a%2Fb?x=%&y HTTP/1.1',
      without: ['Host'],
      fields: ['Host: Chat.Example.COM.:8080', 'Origin: https://a.example', 'Sec-WebSocket-Protocol: b, a'],
    }),
  );
  expect({ ...request, head: null }).toEqual({
    head: null,
    host: 'Chat.Example.COM.:8080',
    hostname: 'chat.example.com',
    path: '/a%2Fb',
    query: '?x=%&y',
    decodedPath: '/a/b',
    key: KEY,
    protocols: ['b', 'a'],
    deflateOffers: [],
    origin: 'https://a.example',
    nominated: new Set(),
    relaxed: [],
  });
});

describe('order of the checks: method, version, target form, Host, upgrade fields', () => {
  test('the first of several faults decides', () => {
    const bare = (line: string, ...fields: string[]) => outcome(`${[line, ...fields].join('\r\n')}\r\n\r\n`);
    expect(bare('POST * HTTP/1.0')).toBe('method');
    expect(bare('GET * HTTP/1.0')).toBe('http_version');
    expect(bare('GET * HTTP/1.1')).toBe('target_form');
    expect(bare('GET /a/../b HTTP/1.1')).toBe('dot_segment');
    expect(bare('GET / HTTP/1.1')).toBe('host');
    expect(bare('GET / HTTP/1.1', 'Host: a')).toBe('upgrade_required');
    expect(bare('GET / HTTP/1.1', 'Host: a', 'Upgrade: websocket')).toBe('version');
    expect(bare('GET / HTTP/1.1', 'Host: a', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')).toBe(
      'connection_token',
    );
    expect(instead('Sec-WebSocket-Key', 'Content-Length: 5')).toBe('key');
    expect(withField('Content-Length: 5\r\nExpect: 100-continue')).toBe('body');
  });

  test('a refusal tells the Host, path and Origin for the log', () => {
    const fields = [
      { name: 'Host', lower: 'host', value: 'a' },
      { name: 'Origin', lower: 'origin', value: 'b' },
    ];
    const head = { method: 'GET', target: '/x?token=y', version: '1.1', fields };
    const verdict = { ok: false, slug: 'upgrade_required', host: 'a', path: '/x', origin: 'b' };
    expect(judgeUpgradeRequest(head)).toEqual(verdict);
    const empty = { ok: false, slug: 'method', host: '', path: '/', origin: '' };
    expect(judgeUpgradeRequest({ method: 'PUT', target: '/', version: '1.1', fields: [] })).toEqual(empty);
  });
});

describe('target form (RFC 9112 3.2)', () => {
  test.each([
    ['http://chat.example.com/chat?x', 'chat.example.com'],
    ['WS://CHAT.example.com/chat?x', 'chat.Example.com.'],
    ['wss://chat.example.com:443/chat?x', 'chat.example.com'],
    ['http://chat.example.com/chat?x', 'chat.example.com:80'],
    ['https://chat.example.com:8443/chat?x', 'chat.example.com:8443'],
    ['http://[::1]:8080/chat?x', '[::1]:8080'],
  ])('H16: %s with Host %s is stripped to its path', (target, host) => {
    const request = accepted(
      requestText({ line: `GET ${target} HTTP/1.1`, without: ['Host'], fields: [`Host: ${host}`] }),
    );
    expect([request.path, request.query, request.host]).toEqual(['/chat', '?x', host]);
  });

  test('H16: an absolute target without a path means /', () => {
    const request = accepted(requestText({ line: 'GET http://chat.example.com?a HTTP/1.1' }));
    expect([request.path, request.query]).toEqual(['/', '?a']);
  });

  test.each([
    'http://other.example.com/',
    'http://chat.example.com:81/',
    'https://chat.example.com:80/',
    'http://user@chat.example.com/',
    'http://user:pw@chat.example.com/',
    'ftp://chat.example.com/',
    'file:///etc/passwd',
    'http:///chat',
    'http://chat.example.com:x/',
    'http://evil@/',
  ])('H17: %s is not the authority of Host', (target) => {
    expect(withLine(`GET ${target} HTTP/1.1`)).toBe('authority');
  });

  test.each(['*', 'chat.example.com:80', 'admin', 'http:/chat', 'javascript:alert(1)', '?x', '.', '%2F'])(
    'H18: %s is no target of GET',
    (target) => {
      expect(withLine(`GET ${target} HTTP/1.1`)).toBe('target_form');
    },
  );

  test('H11: an empty target is refused at its first byte, whatever follows', () => {
    for (const line of ['GET  ', 'GET  HTTP/1.1', 'GET  /', 'GET  / HTTP/1.1', 'GET   ']) {
      expect(outcome(line)).toBe('request_line');
    }
    expect(outcome('GET ')).toBe('more');
  });

  test('P3: what a URL parser would take for another host is refused', () => {
    expect(withLine('GET //evil.com/x HTTP/1.1')).toBe('double_slash');
    expect(withLine('GET /\\evil HTTP/1.1')).toBe('target_char');
    expect(withLine('GET /\t/evil HTTP/1.1')).toBe('target_char');
    expect(withLine('GET http://chat.example.com//evil.com HTTP/1.1')).toBe('double_slash');
  });

  test('P1, P2: paths are judged, the query never', () => {
    expect(withLine('GET /public/../admin HTTP/1.1')).toBe('dot_segment');
    expect(withLine('GET /%2e%2E/ HTTP/1.1')).toBe('dot_segment');
    expect(withLine('GET http://chat.example.com/a/.. HTTP/1.1')).toBe('dot_segment');
    expect(withLine('GET /%00 HTTP/1.1')).toBe('encoded_path');
    expect(withLine('GET /a?/../%00%zz% HTTP/1.1')).toBe('ok');
    expect(withLine('GET /cool/https%3A%2F%2Fa/ws HTTP/1.1')).toBe('ok');
  });
});

describe('Host (RFC 9112 3.2)', () => {
  test('H21: missing, twice, empty', () => {
    expect(instead('Host')).toBe('host');
    expect(withField('Host: chat.example.com')).toBe('host');
    expect(instead('Host', 'Host:')).toBe('host');
    expect(instead('Host', 'Host: \t ')).toBe('host');
    expect(instead('Host', 'Host: a\0b')).toBe('host');
    expect(instead('Host', 'Host: a\x01')).toBe('host');
  });

  test.each([
    'a, b',
    'a,b',
    'user@a',
    'user:pw@a',
    'a b',
    'a/b',
    'a\\b',
    'a?b',
    'a#b',
    'a%41',
    "a'b",
    'a;b',
    'a*b',
    '..',
    '.',
    '.a',
    'a..b',
    'a..',
    ':80',
    'a:0',
    'a:00',
    'a:080',
    'a:65536',
    'a:98777',
    'a:80:80',
    'a:1.2',
    'a:-1',
    'a:+1',
    'a:x',
    'a:8 0',
    '[::1',
    '::1',
    '[]',
    '[::1]x',
    '[::1]:0',
    '[::1%25eth0]',
    '[fe80::1%eth0]',
    '[v1.a]',
    '[:::]',
    '[1::2::3]',
    '[1:2:3:4:5:6:7]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1:2:3:4:5:6:7::8:9]',
    '[12345::]',
    '[::1.2.3]',
    '[::1.2.3.256]',
    '[1.2.3.4::]',
    '[127.0.0.1]',
    `${'a'.repeat(254)}`,
  ])('H21: %j is refused', (host) => {
    expect(parseHost(host)).toBeNull();
    expect(instead('Host', `Host: ${host}`)).toBe('host');
  });

  test.each([
    ['a', 'a', null],
    ['A.Example', 'a.example', null],
    ['a.example.', 'a.example', null],
    ['a.example.:80', 'a.example', 80],
    ['a:1', 'a', 1],
    ['a:65535', 'a', 65_535],
    ['a:', 'a', null],
    ['my_service:9001', 'my_service', 9001],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', null],
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['[::1]', '[::1]', null],
    ['[2001:DB8::1]:8080', '[2001:db8::1]', 8080],
    ['[::ffff:1.2.3.4]', '[::ffff:1.2.3.4]', null],
    ['[1:2:3:4:5:6:7:8]', '[1:2:3:4:5:6:7:8]', null],
    ['[1:2:3:4:5:6:7::]', '[1:2:3:4:5:6:7::]', null],
    ['[::]', '[::]', null],
    ['a'.repeat(253), 'a'.repeat(253), null],
  ])('P6: %s is the host %s, port %s', (host, hostname, port) => {
    expect(parseHost(host)).toEqual({ hostname, port });
    const request = accepted(requestText({ without: ['Host'], fields: [`Host: ${host}`] }));
    expect([request.host, request.hostname]).toEqual([host, hostname]);
  });
});

describe('upgrade fields (RFC 6455 4.2.1)', () => {
  test.each(['', 'h2c', 'websockets', 'web socket', 'xwebsocket', 'websocket/13', '"websocket"', 'TLS/1.0'])(
    'U1: Upgrade: %j has no websocket token',
    (value) => {
      expect(instead('Upgrade', `Upgrade: ${value}`)).toBe('upgrade_required');
    },
  );

  test('U1: no Upgrade at all', () => {
    expect(instead('Upgrade')).toBe('upgrade_required');
  });

  test.each(['xupgrade', 'up-grade', 'upgrades', '', 'close', 'keep-alive', 'upgrade;x', 'up grade'])(
    'U2: Connection: %j has no upgrade token',
    (value) => {
      expect(instead('Connection', `Connection: ${value}`)).toBe('connection_token');
    },
  );

  const notTokens = ['foo bar', '@', '"x"', 'a;b', 'a=b', '(x)', 'a:b', 'authorization;x', 'authorization x'];

  test.each([...notTokens, 'a/b'])('RFC 9110 7.6.1: Connection with the option %j is no list of tokens', (option) => {
    for (const value of [`upgrade, ${option}`, `${option},upgrade`]) {
      expect(instead('Connection', `Connection: ${value}`)).toBe('connection_token');
    }
    expect(instead('Connection', 'Connection: upgrade', `Connection: ${option}`)).toBe('connection_token');
  });

  test.each([...notTokens, 'a/b/c', '/a', 'a/', 'a /1'])('RFC 9110 7.8: Upgrade with %j is no list', (protocol) => {
    for (const value of [`websocket, ${protocol}`, `${protocol},websocket`]) {
      expect(instead('Upgrade', `Upgrade: ${value}`)).toBe('upgrade_required');
    }
  });

  test('RFC 9110 7.8: protocols with a version may stand next to websocket', () => {
    expect(instead('Upgrade', 'Upgrade: TLS/1.2, websocket, IRC/6.9,')).toBe('ok');
  });

  test('U2: no Connection at all; a token in any case and on any line counts', () => {
    expect(instead('Connection')).toBe('connection_token');
    for (const value of ['Upgrade', 'upgrade', 'UPGRADE', 'keep-alive, Upgrade', ',,upgrade ,\t', 'close,upgrade']) {
      expect(instead('Connection', `Connection: ${value}`)).toBe('ok');
    }
    expect(instead('Connection', 'Connection: keep-alive', 'X: y', 'Connection: Upgrade')).toBe('ok');
  });

  test('U3: a list with websocket proceeds, h2c alone does not', () => {
    for (const value of ['websocket, h2c', 'h2c, WebSocket', 'h2c,,websocket']) {
      expect(instead('Upgrade', `Upgrade: ${value}`)).toBe('ok');
    }
    expect(instead('Upgrade', 'Upgrade: h2c', 'Upgrade: websocket')).toBe('ok');
    expect(instead('Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__')).toBe('upgrade_required');
  });

  test.each(['', '12', '14', '013', '13, 8', '13;x', '13.0', '8', '1 3', '+13', '0x0d'])(
    'U4: Sec-WebSocket-Version: %j (RFC 6455 4.4)',
    (value) => {
      expect(instead('Sec-WebSocket-Version', `Sec-WebSocket-Version: ${value}`)).toBe('version');
    },
  );

  test('U4: Sec-WebSocket-Version absent', () => {
    expect(instead('Sec-WebSocket-Version')).toBe('version');
  });

  test.each([
    ['empty', ''],
    ['15 bytes', Buffer.alloc(15).toString('base64')],
    ['17 bytes', Buffer.alloc(17).toString('base64')],
    ['no padding', 'A'.repeat(22)],
    ['one padding byte', `${'A'.repeat(22)}=`],
    ['a bad alphabet', `${'A'.repeat(21)}-==`],
    ['an underscore', `${'A'.repeat(21)}_==`],
    ['a space inside', `${'A'.repeat(10)} ${'A'.repeat(11)}==`],
    ['something behind it', `${'A'.repeat(22)}==x`],
    ['a list', `${'A'.repeat(22)}==, ${'A'.repeat(22)}==`],
  ])('U5: a key that is %s', (_, value) => {
    expect(instead('Sec-WebSocket-Key', `Sec-WebSocket-Key: ${value}`)).toBe('key');
  });

  test('U5: a key of 16 bytes, and none at all', () => {
    expect(instead('Sec-WebSocket-Key')).toBe('key');
    expect(instead('Sec-WebSocket-Key', `Sec-WebSocket-Key: \t${'+/0aZ9'.repeat(3)}AAAA== `)).toBe('ok');
  });

  test('U16: nominated fields are collected, but not those that belong to one hop anyway', () => {
    const lines = ['Connection: upgrade, close, X-User', 'Connection: te, keep-alive, __proto__'];
    const request = accepted(requestText({ without: ['Connection'], fields: lines }));
    expect([...request.nominated]).toEqual(['close', 'x-user', '__proto__']);
  });

  test.each([
    ...['Authorization', 'cookie', 'Origin', 'host', 'Sec-WebSocket-Key', 'sec-websocket-protocol', 'content-length'],
    ...['X-Forwarded-For', 'x-real-ip', 'X-Request-ID', 'Via', 'User-Agent', 'Expect', 'CF-Connecting-IP', 'Forwarded'],
  ])('U16: Connection must not name %s', (name) => {
    expect(instead('Connection', `Connection: Upgrade, ${name}`)).toBe('connection_option');
    expect(instead('Connection', `Connection: ${name}`, 'Connection: x, upgrade')).toBe('connection_option');
  });
});

describe('no body (RFC 6455 4.1, RFC 9112 6)', () => {
  test('U6: a length above 0 is refused, 0 is not', () => {
    expect(withField('Content-Length: 5')).toBe('body');
    expect(withField('Content-Length: 1')).toBe('body');
    expect(withField('Content-Length: 9007199254740991')).toBe('body');
    expect(withField('Content-Length: 0')).toBe('ok');
  });

  test.each(['chunked', 'identity', ',chunked', ' chunked', 'xchunked', '\xa0chunked', 'gzip, chunked', '', 'CHUNKED'])(
    'U7: Transfer-Encoding: %j is refused, with and without a length',
    (value) => {
      expect(withField(`Transfer-Encoding: ${value}`)).toBe('transfer_encoding');
      expect(withField(`Content-Length: 5\r\nTransfer-Encoding: ${value}`)).toBe('transfer_encoding');
      expect(withField(`Transfer-Encoding: chunked\r\nTransfer-Encoding: ${value}`)).toBe('transfer_encoding');
    },
  );

  test.each([
    '+1',
    '-1',
    '0x10',
    '1_0',
    '1,1',
    '',
    ' ',
    '010',
    '00',
    '18446744073709551616',
    '9007199254740992',
    '1.0',
    '1e1',
    '0 0',
  ])('U8: Content-Length: %j is no number', (value) => {
    expect(withField(`Content-Length: ${value}`)).toBe('content_length');
  });

  test('U8: Content-Length twice', () => {
    expect(withField('Content-Length: 0\r\nContent-Length: 0')).toBe('content_length');
    expect(withField('Content-Length: 0\r\nContent-Length: 5')).toBe('content_length');
  });

  test('U9: Expect is refused with 417', () => {
    expect(withField('Expect: 100-continue')).toBe('expect');
    expect(withField('Expect:')).toBe('expect');
  });
});

describe('Sec-WebSocket-Protocol (RFC 6455 11.3.4)', () => {
  const tokens = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`).join(',');

  test('U14: tokens in order, over several lines', () => {
    const lines = ['Sec-WebSocket-Protocol: chat, constructor', 'Sec-WebSocket-Protocol:\tv2.json,__proto__'];
    expect(accepted(requestText({ fields: lines })).protocols).toEqual(['chat', 'constructor', 'v2.json', '__proto__']);
    expect(withField('Sec-WebSocket-Protocol: a, A')).toBe('ok');
  });

  test('U14: at most 32 tokens', () => {
    expect(withField(`Sec-WebSocket-Protocol: ${tokens(32)}`)).toBe('ok');
    expect(withField(`Sec-WebSocket-Protocol: ${tokens(33)}`)).toBe('subprotocol');
    expect(withField(`Sec-WebSocket-Protocol: ${tokens(32)}\r\nSec-WebSocket-Protocol: x`)).toBe('subprotocol');
    expect(withField(`Sec-WebSocket-Protocol: ${tokens(2500)}`)).toBe('subprotocol');
  });

  test('U14: null elements are ignored; an empty field offers nothing', () => {
    const offered = (...values: string[]) =>
      accepted(requestText({ fields: values.map((value) => `Sec-WebSocket-Protocol: ${value}`) })).protocols;
    expect(offered('ocpp1.6,')).toEqual(['ocpp1.6']);
    expect(offered(',a', 'b,,c ,\t')).toEqual(['a', 'b', 'c']);
    expect(offered('')).toEqual([]);
    expect(offered('', 'a')).toEqual(['a']);
    expect(offered(',', 'a')).toEqual(['a']);
  });

  test.each([',', ',,', ' ,\t, ', 'a b', 'a;b', '"a"', 'a/b', 'a,b,a', 'a@b', 'a=b'])(
    'U14: %j is no list of distinct tokens',
    (value) => {
      expect(withField(`Sec-WebSocket-Protocol: ${value}`)).toBe('subprotocol');
    },
  );

  test('U14: 8 KiB of spaces and commas', () => {
    for (const unit of [',', ' ,', '\t, ', ' ']) {
      const value = unit.repeat(Math.floor(8192 / unit.length));
      // Blanks alone divide nothing; commas do.
      expect(withField(`Sec-WebSocket-Protocol: a${value}b`)).toBe(unit === ' ' ? 'subprotocol' : 'ok');
      expect(withField(`Sec-WebSocket-Protocol: ${value}`)).toBe(unit === ' ' ? 'ok' : 'subprotocol');
    }
  });
});
