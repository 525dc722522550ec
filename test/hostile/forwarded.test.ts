import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { type AcceptedRow, acceptanceTests, expectEnd, requestOf, sharedGate, withFields } from './harness.ts';

const claims = [
  'X-Forwarded-For: 6.6.6.6',
  // Another address than the socket's at each end.
  'x-forwarded-for: 10.0.0.1, 127.0.0.1, 10.0.0.2',
  'X-Real-IP: 6.6.6.6',
  'Forwarded: for=6.6.6.6;proto=https;host=evil',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Server: evil',
  'X-Forwarded-Prefix: /admin',
  'X-Forwarded-Anything: x',
  'X-Forwarded: x',
  'X-Request-ID: mine',
];
const networkClaims = [
  ...['CF-Connecting-IP', 'cf-connecting-ipv6', 'True-Client-IP', 'Fastly-Client-IP', 'X-Envoy-External-Address'],
  ...['X-Azure-ClientIP', 'X-Azure-SocketIP', 'X-Client-IP', 'X-Cluster-Client-IP', 'X-Original-Forwarded-For'],
  ...['Fly-Client-IP', 'Client-IP', 'X-Vercel-Forwarded-For', 'Remote-User', 'X-Remote-User', 'X-Remote-Extra-Id'],
  ...['X-Auth-Request-User', 'X-SSL-Client-Verify', 'Client-Cert', 'X-MS-Client-Principal', 'X-Forwarded-User'],
].map((name) => `${name}: 6.6.6.6`);
const hopByHop = [
  'Proxy-Authorization: Basic YTpi',
  'Proxy-Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'TE: trailers',
  'Trailer: X-Sum',
  'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
  'Proxy-Authenticate: Basic',
];

describe('a peer that is not trusted', () => {
  const gate = sharedGate();
  const endToEnd = [
    'Cookie: a=b',
    'Cookie: c',
    'ORIGIN: http://a',
    'Authorization: Basic YTpi',
    'X-User: 1',
    'referer: r',
  ];
  acceptanceTests(gate, [
    [
      'X1: what it says of itself is replaced by what the socket says',
      withFields(...claims, 'X: y'),
      { passed: ['X: y'] },
    ],
    [
      'X1: its spellings with another dash do not go on',
      withFields('X_Forwarded_For: 6.6.6.6', 'X.Real.IP: 6.6.6.6'),
      {},
    ],
    [
      'U30: what only a proxy can know of a client does not go on',
      withFields(...networkClaims, 'X-User: y', 'CF-Ray: z'),
      { passed: ['X-User: y', 'CF-Ray: z'] },
    ],
    ['X7: fields of one hop do not go on', withFields(...hopByHop, 'X: y'), { passed: ['X: y'] }],
    ['X7: all others do, in order, with case and copies', withFields(...endToEnd), { passed: endToEnd }],
    [
      'X7: Via of others stays, ours comes last',
      withFields('Via: 1.0 a, 1.1 b (c)'),
      { passed: ['Via: 1.0 a, 1.1 b (c)'] },
    ],
  ]);

  test('X1: the log tells the address of the socket', async () => {
    const line = await gate.refuses(withFields(...claims, 'Expect: x'), '417 expect');
    expect(line).toMatchObject({ client: '127.0.0.1' });
    expect(Object.keys(line)).not.toContain('peer');
    expect(line.request_id).not.toBe('mine');
  });

  test('X7: our own name in Via is a loop', async () => {
    const { request } = await gate.accepts(requestOf());
    const [, instance = ''] = /^1\.1 ([0-9a-f]{16})$/.exec(request.field('via') ?? '') ?? [];
    for (const via of [instance, `${instance} (x)`]) {
      await gate.refuses(withFields(`Via: 1.1 ${via}`), '508 loop');
      await gate.refuses(withFields('Via: 1.0 a', `via: 1.1 b,\tHTTP/1.1 ${via} , 1.1 c`), '508 loop');
    }
    for (const via of [`1.1 x${instance}`, `1.1 ${instance}0`, `1.1 x (${instance})`, instance]) {
      await gate.accepts(withFields(`Via: ${via}`), { passed: [`Via: ${via}`] });
    }
  });
});

describe('a trusted proxy', () => {
  const gate = sharedGate((url) => ({
    trusted_proxies: ['127.0.0.0/8', '10.0.0.0/8', 'fd00::/8'],
    routes: [{ name: 'test', upstream: url }],
  }));
  const own = ['X-Forwarded-Proto: http', 'X-Forwarded-Host: framegate.test'];
  /** Who the client is by an X-Forwarded-For of these lines, which goes on with the peer behind it. */
  const isClient = (realIp: string, ...values: string[]): AcceptedRow => {
    // Not trim(): it takes 0xA0 for a blank.
    const sent = values.map((value) => value.replace(/^[ \t]+|[ \t]+$/g, '')).filter((value) => value !== '');
    const forwardedFor = [...sent, '127.0.0.1'].join(', ');
    const name = `X2: ${realIp} by ${JSON.stringify(values).slice(0, 60)}`;
    return [name, withFields(...values.map((value) => `X-Forwarded-For: ${value}`)), { realIp, forwardedFor }];
  };
  const thousand = Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  acceptanceTests(gate, [
    isClient('9.9.9.9', '9.9.9.9'),
    isClient('9.9.9.9', '8.8.8.8, 9.9.9.9'),
    isClient('9.9.9.9', '8.8.8.8, 9.9.9.9, 10.0.0.1,10.0.0.2'),
    isClient('9.9.9.9', '8.8.8.8', '9.9.9.9, 10.0.0.1', '10.0.0.2'),
    isClient('10.0.0.1', '10.0.0.1'),
    isClient('127.0.0.1', 'unknown'),
    isClient('10.0.0.1', '9.9.9.9, _obf, 10.0.0.1'),
    isClient('127.0.0.1', '9.9.9.9, garbage here'),
    isClient('127.0.0.1', '1.2.3.4.5'),
    isClient('127.0.0.1', '999.1.1.1'),
    isClient('127.0.0.1', '\xa09.9.9.9'),
    isClient('127.0.0.1', '__proto__'),
    isClient('9.9.9.9', '9.9.9.9:1234'),
    isClient('2001:db8::1', '[2001:DB8::1]:1234'),
    isClient('2001:db8::1', '2001:db8:0:0:0:0:0:1, fd00::1'),
    isClient('fe80::1', 'fe80::1%eth0'),
    // No zone to Node, but a name of an interface.
    isClient('fe80::1', 'fe80::1%br_lan'),
    isClient('9.9.9.9', '::ffff:9.9.9.9'),
    isClient('127.0.0.1', '[::1'),
    isClient('127.0.0.1', ':'.repeat(4000)),
    isClient('9.9.9.9', ' ,, 9.9.9.9 ,,'),
    isClient('127.0.0.1', ''),
    // Of a thousand trusted hops only the last 32 are looked at.
    isClient('10.0.3.200', thousand.join(', ')),
  ]);

  const proto = [
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: site.test',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Prefix: /a',
  ];
  acceptanceTests(gate, [
    [
      'X2: its other claims and its request id are kept',
      withFields(...proto, 'X-Request-ID: from-them.1'),
      {
        passed: proto,
        forwardedLines: ['X-Forwarded-For: 127.0.0.1', 'X-Request-ID: from-them.1'],
      },
    ],
    [
      'X2: what it does not claim is added',
      withFields('X-Forwarded-Port: 443'),
      {
        passed: ['X-Forwarded-Port: 443'],
        forwardedLines: ['X-Forwarded-For: 127.0.0.1', ...own, 'X-Request-ID: <id>'],
      },
    ],
    [
      'U30: what it says of the client in the fields of its kind is kept',
      withFields(...networkClaims),
      { passed: networkClaims },
    ],
    ['X2: a request id of other than visible bytes is replaced', withFields('X-Request-ID: a\xa0b'), {}],
    ['X2: a request id over 128 bytes is replaced', withFields(`X-Request-ID: ${'a'.repeat(129)}`), {}],
    ['X2: an empty request id is replaced', withFields('X-Request-ID:'), {}],
    ['X2: X-Real-IP is ours all the same', withFields('X-Real-IP: 6.6.6.6'), {}],
  ]);

  test('X2: the log tells the client, the peer and the request id', async () => {
    const id = 'a'.repeat(128);
    const line = await gate.refuses(
      withFields('X-Forwarded-For: 9.9.9.9', `X-Request-ID: ${id}`, 'Expect: x'),
      '417 expect',
    );
    expect(line).toMatchObject({ client: '9.9.9.9', peer: '127.0.0.1', request_id: id });
  });
});

/** Lines of the chains that a backend gets, on a listener without a port of its own name. */
const chains = (...lines: readonly string[]): readonly string[] => [...lines, 'X-Request-ID: <id>'];
const HERE = ['X-Forwarded-Proto: http', 'X-Forwarded-Host: framegate.test', 'X-Forwarded-Port: <port>'];

describe('a proxy that names its client in Forwarded', () => {
  const gate = sharedGate((url) => ({
    trusted_proxies: ['127.0.0.0/8', '10.0.0.0/8'],
    client_ip_from: 'forwarded',
    send_forwarded: 'on',
    routes: [{ name: 'test', upstream: url }],
  }));
  const ours = 'for=127.0.0.1;host=framegate.test;proto=http';
  const isClient = (realIp: string, value: string, sent: string): AcceptedRow => {
    const forwardedFor = realIp === '127.0.0.1' ? '127.0.0.1' : `${realIp}, 127.0.0.1`;
    const forwardedLines = chains(`X-Forwarded-For: ${forwardedFor}`, ...HERE, `Forwarded: ${sent}`);
    const name = `X9: ${realIp} by ${JSON.stringify(value).slice(0, 60)}`;
    return [name, withFields('X-Forwarded-For: 6.6.6.6', `Forwarded: ${value}`), { realIp, forwardedLines }];
  };
  acceptanceTests(gate, [
    isClient('9.9.9.9', 'for=9.9.9.9', `for=9.9.9.9, ${ours}`),
    isClient(
      '9.9.9.9',
      'for=8.8.8.8, for="9.9.9.9:80", for=10.0.0.1',
      `for=8.8.8.8, for="9.9.9.9:80", for=10.0.0.1, ${ours}`,
    ),
    isClient('10.0.0.1', 'for=9.9.9.9, for=_obf, for=10.0.0.1', `for=9.9.9.9, for=_obf, for=10.0.0.1, ${ours}`),
    isClient('9.9.9.9', 'for="8.8.8.8, for=9.9.9.9', `for=9.9.9.9, ${ours}`),
    isClient('9.9.9.9', 'for=9.9.9.9, for=10.0.0.1;host="a,b"', `for=9.9.9.9, for=10.0.0.1;host="a,b", ${ours}`),
    isClient('127.0.0.1', 'for=8.8.8.8;for=9.9.9.9', ours),
    isClient('127.0.0.1', `${'"'.repeat(2_000)}`, ours),
    [
      'X12: an open quote does not go on',
      withFields('Forwarded: for="8.8.8.8', 'Forwarded: for=9.9.9.9'),
      {
        realIp: '9.9.9.9',
        forwardedLines: chains('X-Forwarded-For: 9.9.9.9, 127.0.0.1', ...HERE, `Forwarded: for=9.9.9.9, ${ours}`),
      },
    ],
    [
      'X12: what it does not say is made of what is known',
      withFields('X-Forwarded-For: 6.6.6.6'),
      { forwardedLines: chains('X-Forwarded-For: 127.0.0.1', ...HERE, `Forwarded: ${ours}`) },
    ],
  ]);
});

describe('a proxy that names its client in one field', () => {
  const gate = sharedGate((url) => ({
    trusted_proxies: ['127.0.0.0/8'],
    client_ip_from: 'X-Mine',
    routes: [{ name: 'test', upstream: url }],
  }));
  const by = (name: string, realIp: string, forwardedFor: string, ...fields: readonly string[]): AcceptedRow => [
    `X10: ${name}`,
    withFields(...fields, 'X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6'),
    { realIp, forwardedFor, passed: realIp === '127.0.0.1' ? [] : [...fields] },
  ];
  acceptanceTests(gate, [
    by('its address is the client', '9.9.9.9', '9.9.9.9, 127.0.0.1', 'X-Mine: 9.9.9.9'),
    by('without it the peer is, whatever else is said', '127.0.0.1', '127.0.0.1'),
    by('twice it is nobody', '127.0.0.1', '127.0.0.1', 'X-Mine: 9.9.9.9', 'x-mine: 9.9.9.9'),
    by('a list is none', '127.0.0.1', '127.0.0.1', 'X-Mine: 8.8.8.8, 9.9.9.9'),
    by('nor is a name', '127.0.0.1', '127.0.0.1', 'X-Mine: unknown'),
  ]);
});

describe('a listener with a list of its own', () => {
  const gate = sharedGate((url) => ({
    listeners: [{ name: 'test', address: '127.0.0.1:0', trusted_proxies: ['127.0.0.0/8'], forwarded_proto: 'https' }],
    trusted_proxies: ['192.0.2.0/24'],
    routes: [{ name: 'test', upstream: url }],
  }));
  const there = ['X-Forwarded-Proto: https', ...HERE.slice(1)];
  acceptanceTests(gate, [
    [
      'X13: believes whom it lists, and says the scheme that it was given',
      withFields('X-Forwarded-For: 9.9.9.9', 'X-Forwarded-Proto: http'),
      { realIp: '9.9.9.9', forwardedLines: chains('X-Forwarded-For: 9.9.9.9, 127.0.0.1', ...there) },
    ],
  ]);
});

describe('a listener that believes nobody, whatever the global list says', () => {
  const gate = sharedGate((url) => ({
    listeners: [{ name: 'test', address: '127.0.0.1:0', trusted_proxies: [], client_ip_from: 'x-mine' }],
    trusted_proxies: ['127.0.0.0/8'],
    send_forwarded: 'on',
    routes: [{ name: 'test', upstream: url }],
  }));
  const forwardedLines = chains(
    'X-Forwarded-For: 127.0.0.1',
    ...HERE,
    'Forwarded: for=127.0.0.1;host=framegate.test;proto=http',
  );
  acceptanceTests(gate, [
    [
      'X13: replaces all that a peer of the global list claims',
      withFields(...claims, 'X-Mine: 6.6.6.6'),
      { forwardedLines },
    ],
  ]);
});

describe('what a trusted proxy says of the scheme', () => {
  const gate = sharedGate((url) => ({
    trusted_proxies: ['127.0.0.0/8'],
    routes: [{ name: 'test', upstream: url }],
  }));
  acceptanceTests(gate, [
    ['X11: junk is replaced', withFields('X-Forwarded-Proto: https, http'), {}],
    ['X11: of two nobody knows which is meant', withFields('X-Forwarded-Proto: https', 'X-Forwarded-Proto: http'), {}],
    [
      'X11: wss stays',
      withFields('X-Forwarded-Proto: wss'),
      {
        passed: ['X-Forwarded-Proto: wss'],
        forwardedLines: chains('X-Forwarded-For: 127.0.0.1', ...HERE.slice(1)),
      },
    ],
    ['X11: a chain that is not read does not pass', withFields('Forwarded: for=6.6.6.6'), {}],
  ]);
});

test('E34: a proxy whose backend is itself answers 508 in the second round, on one connection each', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  const socket = path.join(folder, 'loop.sock');
  const running = await startProxy({
    listeners: [{ name: 'loop', address: `unix:${socket}` }],
    routes: [{ name: 'loop', upstream: `ws+unix:${socket}` }],
    log: { session_open: 'info' },
  });
  const client = await RawClient.connect(socket);
  client.send(upgradeRequest());
  const answer = await client.readResponse();
  const id = expectInnerRefusal(answer.body);
  expect([answer.status, answer.head.field('connection')]).toEqual([508, 'close']);
  await expectEnd(client);
  const lines = running.logsOf('handshake.refused');
  expect(lines.map((line) => [line.status, line.error, line.cause])).toEqual([
    [508, 'loop', undefined],
    [508, 'backend_refused', 'status 508'],
  ]);
  expect(lines[0]?.request_id).toBe(id);
  expect(running.logsOf('session.open')).toEqual([]);
});

/** The body of a refusal, relayed as that of any backend. */
function expectInnerRefusal(body: Buffer): string {
  const parsed: unknown = JSON.parse(body.toString());
  expect(parsed).toEqual({ status: 508, error: 'loop', request_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
  return String(Reflect.get(Object(parsed), 'request_id'));
}
