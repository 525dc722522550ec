import { describe, expect, test } from 'vitest';
import { buildBackendRequest, type ForwardOptions, namesInstance } from '../../src/protocol/backend-request.ts';
import { accepted, KEY, requestText } from './heads.ts';

function forwarded(fields: readonly string[], options: Partial<ForwardOptions> = {}, without: string[] = []): string[] {
  const request = accepted(requestText({ fields, without }));
  const bytes = buildBackendRequest({
    request,
    target: '/ws?a=b',
    hostField: 'chat.example.com',
    protocols: [],
    extensions: [],
    clientAddress: '192.0.2.7',
    peerAddress: '192.0.2.7',
    peerTrusted: false,
    proto: 'http',
    source: 'x-forwarded-for',
    sendForwarded: false,
    listenerPort: 8080,
    requestId: 'r1',
    sessionId: null,
    instanceId: 'i1',
    key: KEY,
    changes: null,
    hiddenCookie: null,
    ...options,
  });
  const text = bytes.toString('latin1');
  expect(text.endsWith('\r\n\r\n')).toBe(true);
  return text.slice(0, -4).split('\r\n');
}

const named = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));

const OURS = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Version: 13',
  'X-Real-IP: 192.0.2.7',
  'X-Forwarded-For: 192.0.2.7',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: chat.example.com',
  'X-Forwarded-Port: 8080',
  'X-Request-ID: r1',
  'Via: 1.1 i1',
];

test('a plain handshake: request line, Host, then ours', () => {
  expect(forwarded([])).toEqual(['GET /ws?a=b HTTP/1.1', 'Host: chat.example.com', ...OURS]);
});

test('fields of the client keep order, case, bytes and duplicates', () => {
  const theirs = ['cookie: a=b', 'ORIGIN: https://a', 'X: \xe9\xa0\x85', 'Cookie: c', 'Authorization: Bearer x', 'X:'];
  const kept = theirs.map((line) => (line === 'X:' ? 'X: ' : line));
  expect(forwarded(theirs)).toEqual(['GET /ws?a=b HTTP/1.1', 'Host: chat.example.com', ...kept, ...OURS]);
});

test('Sec-WebSocket-Protocol and -Extensions are what the options say, not what the client sent', () => {
  const sent = ['Sec-WebSocket-Protocol: a, b, c', 'Sec-WebSocket-Extensions: foo, permessage-deflate'];
  expect(named(forwarded(sent), 'sec-websocket-protocol')).toEqual([]);
  expect(named(forwarded(sent), 'sec-websocket-extensions')).toEqual([]);
  const lines = forwarded(sent, {
    protocols: ['b', 'c'],
    extensions: ['permessage-deflate;\tx', 'permessage-deflate'],
  });
  expect(named(lines, 'sec-websocket-protocol')).toEqual(['Sec-WebSocket-Protocol: b, c']);
  expect(named(lines, 'sec-websocket-extensions')).toEqual([
    'Sec-WebSocket-Extensions: permessage-deflate;\tx, permessage-deflate',
  ]);
});

test('U3: the backend sees exactly Upgrade: websocket, and no HTTP2-Settings', () => {
  const lines = forwarded(['Upgrade: h2c, websocket', 'HTTP2-Settings: AAMAAABk'], {}, ['Upgrade']);
  expect(named(lines, 'upgrade')).toEqual(['Upgrade: websocket']);
  expect(named(lines, 'http2-settings')).toEqual([]);
});

test('U6: Content-Length: 0 is not forwarded', () => {
  expect(named(forwarded(['Content-Length: 0']), 'content-length')).toEqual([]);
});

test('U16: nominated fields of the client go, everything that we add arrives', () => {
  const fields = ['Connection: upgrade, x-user, X-Other, te', 'X-User: root', 'x-other: a', 'X-Keep: y'];
  for (const peerTrusted of [false, true]) {
    const lines = forwarded(fields, { peerTrusted }, ['Connection']);
    expect(lines).toEqual(['GET /ws?a=b HTTP/1.1', 'Host: chat.example.com', 'X-Keep: y', ...OURS]);
  }
});

describe('X1: what an untrusted peer says about the client is replaced', () => {
  test('X-Forwarded-*, X-Real-IP, Forwarded, X-Request-ID', () => {
    const lines = forwarded([
      'X-Forwarded-For: 10.0.0.1',
      'x-forwarded-for: 10.0.0.2',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Port: 1',
      'X-Real-IP: 10.0.0.1',
      'Forwarded: for=10.0.0.1',
      'X-Request-ID: theirs',
    ]);
    expect(lines).toEqual(['GET /ws?a=b HTTP/1.1', 'Host: chat.example.com', ...OURS]);
  });

  test('a client over TLS and a client on a unix socket', () => {
    const secure = forwarded([], { proto: 'https', listenerPort: 443 });
    expect(named(secure, 'x-forwarded-proto')).toEqual(['X-Forwarded-Proto: https']);
    expect(named(secure, 'x-forwarded-port')).toEqual(['X-Forwarded-Port: 443']);
    const local = forwarded(['X-Forwarded-For: 10.0.0.1'], { clientAddress: '', peerAddress: '', listenerPort: 0 });
    expect(local.filter((line) => /^X-(?:Real-IP|Forwarded-For|Forwarded-Port)/.test(line))).toEqual([]);
  });
});

describe('X2: a trusted peer is believed', () => {
  const trusted = { peerTrusted: true, peerAddress: '10.9.9.9', clientAddress: '192.0.2.7' };

  test('X-Forwarded-For is appended to, over all lines, garbage and all', () => {
    const lines = forwarded(
      ['X-Forwarded-For: unknown, 192.0.2.7', 'X-Forwarded-For:', 'x-forwarded-for: \xe9'],
      trusted,
    );
    expect(named(lines, 'x-forwarded-for')).toEqual(['X-Forwarded-For: unknown, 192.0.2.7, \xe9, 10.9.9.9']);
    expect(named(forwarded([], trusted), 'x-forwarded-for')).toEqual(['X-Forwarded-For: 10.9.9.9']);
  });

  test('the other X-Forwarded-* are kept where they stand, missing ones are added', () => {
    const sent = ['x-forwarded-proto: https', 'X-Forwarded-Prefix: /a', 'X-Forwarded-Host: a'];
    const lines = forwarded(sent.slice(0, 2), { ...trusted, proto: null });
    expect(lines.slice(2, 4)).toEqual(sent.slice(0, 2));
    expect(named(lines, 'x-forwarded-proto')).toHaveLength(1);
    expect(named(lines, 'x-forwarded-host')).toEqual(['X-Forwarded-Host: chat.example.com']);
    expect(named(lines, 'x-real-ip')).toEqual(['X-Real-IP: 192.0.2.7']);
  });
});

describe('X11: the chain that was not read is made anew', () => {
  const trusted = { peerTrusted: true, peerAddress: '10.9.9.9', clientAddress: '192.0.2.7' };
  const sent = ['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6', 'CF-Connecting-IP: 192.0.2.7'];

  test('X-Forwarded-For has the client, then the peer', () => {
    for (const source of ['forwarded', 'cf-connecting-ip']) {
      const lines = forwarded(sent, { ...trusted, source });
      expect(named(lines, 'x-forwarded-for')).toEqual(['X-Forwarded-For: 192.0.2.7, 10.9.9.9']);
      expect(named(lines, 'forwarded')).toEqual([]);
      const alone = forwarded(sent, { ...trusted, source, clientAddress: '10.9.9.9' });
      expect(named(alone, 'x-forwarded-for')).toEqual(['X-Forwarded-For: 10.9.9.9']);
      const local = forwarded(sent, { ...trusted, source, peerAddress: '' });
      expect(named(local, 'x-forwarded-for')).toEqual(['X-Forwarded-For: 192.0.2.7']);
    }
  });

  test('the one field goes on where it named the client, and only there', () => {
    const of = (options: Partial<ForwardOptions>) =>
      named(forwarded(['X-Mine: 192.0.2.7'], { source: 'x-mine', ...options }), 'x-mine');
    expect(of(trusted)).toEqual(['X-Mine: 192.0.2.7']);
    expect(of({ ...trusted, clientAddress: '10.9.9.9' })).toEqual([]);
    expect(of({})).toEqual([]);
  });

  test('X-Forwarded-Proto is what was decided, whatever was sent', () => {
    for (const peerTrusted of [false, true]) {
      const lines = forwarded(['X-Forwarded-Proto: junk', 'x-forwarded-proto: https'], { peerTrusted, proto: 'http' });
      expect(named(lines, 'x-forwarded-proto')).toEqual(['X-Forwarded-Proto: http']);
    }
  });
});

describe('X12: Forwarded towards backends', () => {
  const on = { sendForwarded: true } as const;
  const trusted = { ...on, peerTrusted: true, peerAddress: '10.9.9.9', clientAddress: '192.0.2.7' };
  const of = (fields: readonly string[], options: Partial<ForwardOptions>) =>
    named(forwarded(fields, options), 'forwarded').map((line) => line.replace('Forwarded: ', ''));

  test('is made of what is known; nothing of a client passes on in it', () => {
    const evil = ['Forwarded: for=6.6.6.6;by="', 'X-Forwarded-For: 6.6.6.6'];
    expect(of(evil, on)).toEqual(['for=192.0.2.7;host=chat.example.com;proto=http']);
    expect(of(evil, {})).toEqual([]);
    expect(of(evil, trusted)).toEqual(['for=192.0.2.7;host=chat.example.com;proto=http, for=10.9.9.9']);
    const v6 = { ...trusted, clientAddress: '2001:db8::1', peerAddress: '', proto: 'https' };
    expect(of(evil, v6)).toEqual(['for="[2001:db8::1]";host=chat.example.com;proto=https, for=unknown']);
  });

  test('the chain of a trusted peer goes on, as far from its right end as it is sound', () => {
    const read = { ...trusted, source: 'forwarded' };
    const ours = 'for=10.9.9.9;host=chat.example.com;proto=http';
    expect(of(['Forwarded: for=192.0.2.7;secret=x, For="[::1]:80"'], read)).toEqual([
      `for=192.0.2.7;secret=x, For="[::1]:80", ${ours}`,
    ]);
    expect(of(['Forwarded: for="6.6.6.6', 'Forwarded: for=192.0.2.7'], read)).toEqual([`for=192.0.2.7, ${ours}`]);
    expect(of(['Forwarded: for="'], { ...read, clientAddress: '10.9.9.9' })).toEqual([ours]);
    expect(of(['X-Forwarded-Proto: HTTPS', 'Forwarded: for=_a'], { ...read, proto: null })).toEqual([
      'for=_a, for=10.9.9.9;host=chat.example.com;proto=https',
    ]);
  });
});

describe('X3: second spellings and other claims of proxies', () => {
  test('a name with a byte outside [A-Za-z0-9-] never reaches a backend', () => {
    const names = ['X_Forwarded_For', 'X.Authenticated.User', '__proto__', 'X!', 'X~', 'Sec_WebSocket_Key'];
    const sent = names.map((name) => `${name}: x`);
    for (const peerTrusted of [false, true]) {
      const lines = forwarded(sent, { peerTrusted });
      for (const name of names) expect(named(lines, name)).toEqual([]);
    }
    expect(named(forwarded(['X-1-a: x']), 'x-1-a')).toEqual(['X-1-a: x']);
  });

  test.each([
    'X-Forwarded-Prefix',
    'X-Forwarded-Uri',
    'X-Forwarded-Method',
    'X-Forwarded-Server',
    'X-Forwarded-User',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-HTTP-Method-Override',
    'True-Client-IP',
    'X-Scheme',
    'CF-Connecting-IP',
    'CF-Connecting-IPv6',
    'Fastly-Client-IP',
    'Fly-Client-IP',
    'X-Azure-ClientIP',
    'X-Azure-SocketIP',
    'X-Envoy-External-Address',
    'X-Original-Forwarded-For',
    'CloudFront-Viewer-Address',
    'X-Vercel-Forwarded-For',
    'Client-IP',
    'Remote-User',
    'X-Remote-User',
    'X-Remote-Extra-Scopes',
    'X-Auth-Request-Email',
    'X-SSL-Client-Verify',
    'Client-Cert',
  ])('%s goes from an untrusted peer and stays from a trusted one', (name) => {
    expect(named(forwarded([`${name}: x`]), name)).toEqual([]);
    expect(named(forwarded([`${name}: x`], { peerTrusted: true }), name)).toEqual([`${name}: x`]);
  });
});

test.each([
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'Proxy-Authorization',
  'Proxy-Authenticate',
  'TE',
  'Trailer',
  'HTTP2-Settings',
])('X7: %s belongs to one hop (RFC 9110 7.6.1)', (name) => {
  const lines = forwarded([`${name}: secret-of-this-hop`]);
  expect(lines.filter((line) => line.includes('secret-of-this-hop'))).toEqual([]);
});

describe('Via (RFC 9110 7.6.3)', () => {
  test('X7: the Via of the client stays, ours is the last', () => {
    const lines = forwarded(['Via: 1.0 a, 1.1 b (comment)', 'via: HTTP/2 c']);
    expect(named(lines, 'via')).toEqual(['Via: 1.0 a, 1.1 b (comment)', 'via: HTTP/2 c', 'Via: 1.1 i1']);
  });

  test('E34: our own instance is found in any line and entry, and nothing else is', () => {
    const names = (...values: string[]) =>
      namesInstance(accepted(requestText({ fields: values.map((value) => `Via: ${value}`) })).head, 'i1');
    expect(names('1.1 i1')).toBe(true);
    expect(names('1.0 a, HTTP/1.1  i1 (x), 1.1 b')).toBe(true);
    expect(names('1.1 a', '1.1\ti1')).toBe(true);
    expect(names()).toBe(false);
    expect(names('1.1 i12', 'i1', '1.1 a i1', '1.1 i1x', ', ,', '')).toBe(false);
    expect(names(' ,'.repeat(2000))).toBe(false);
    const request = forwarded([]).join('\r\n');
    expect(request).toContain('Via: 1.1 i1');
  });
});

describe('our own values cannot break a line', () => {
  test.each(['a\r\nX: y', 'a\nb', 'a\0', '\u010d\u010a', 'é'])('%j is refused wherever we put it', (bad) => {
    const keys = ['target', 'hostField', 'clientAddress', 'peerAddress', 'requestId', 'instanceId', 'key'] as const;
    for (const key of keys) {
      // Latin1 letters are field content, and an address is joined to a list of the peer's.
      if (key === 'peerAddress' && bad === 'é') continue;
      expect(() => forwarded([], { [key]: bad })).toThrow();
    }
    expect(() => forwarded([], { protocols: [bad] })).toThrow();
  });

  test('a target holds no space', () => {
    expect(() => forwarded([], { target: '/a b' })).toThrow();
    expect(() => forwarded([], { target: '' })).toThrow();
    for (const target of ['//evil.example/x', '//', 'x', '*'])
      expect(() => forwarded([], { target })).toThrow('exactly one slash');
  });
});
