import { describe, expect, test } from 'vitest';
import type { BackendConnection } from '../support/raw-backend.ts';
import { binary, closeFrame, closeOf, Opcode, parseFrames, ping, text } from '../support/wire.ts';
import {
  type AcceptedRow,
  acceptanceTests,
  expectEnd,
  instead,
  type RefusedRow,
  refusalTests,
  requestOf,
  sharedGate,
  startGate,
  withFields,
  without,
} from './harness.ts';

const gate = sharedGate((url) => ({
  routes: [
    { name: 'all', upstream: url },
    { name: 'plain', match: { path: '/plain/*' }, upstream: url, compression: 'off' },
    { name: 'listed', match: { path: '/listed/*' }, upstream: url, subprotocols: ['chat', 'constructor'] },
    // No file of this name can exist, since its folder is a device.
    { name: 'dead', match: { path: '/dead/*' }, upstream: 'ws+unix:/dev/null/socket' },
  ],
}));
const plain = requestOf();
const masked = { mask: true };

describe('Upgrade and Connection (RFC 6455 4.2.1)', () => {
  const rows: RefusedRow[] = [
    [
      'U1: no Upgrade, or no token websocket in it',
      [
        without('Upgrade'),
        ...['', 'websocketx', 'xwebsocket', 'web socket', 'websocket/13', 'websocket;a', '"websocket"', 'h2c, tls'].map(
          (value) => instead('Upgrade', value),
        ),
      ],
      '426 upgrade_required',
    ],
    [
      'U2: no token upgrade in Connection',
      [
        without('Connection'),
        ...['', 'xupgrade', 'up-grade', 'upgraded', 'upgrade;q=1', 'keep-alive, close', '"upgrade"', 'up grade'].map(
          (value) => instead('Connection', value),
        ),
      ],
      '400 connection_token',
    ],
    [
      'U3: h2c alone',
      [
        instead('Upgrade', 'h2c'),
        requestOf({
          omit: ['upgrade', 'connection'],
          fields: ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'],
        }),
      ],
      '426 upgrade_required',
    ],
    [
      'U4: another version, several, or none',
      [
        without('Sec-WebSocket-Version'),
        ...['12', '14', '8', '013', '13, 8', '8, 13', '13;x', '', '13 13', '1 3', '+13', '13.0'].map((value) =>
          instead('Sec-WebSocket-Version', value),
        ),
      ],
      '426 version',
    ],
    [
      'U5: a key that is not 16 bytes in base64, or none',
      [
        without('Sec-WebSocket-Key'),
        ...[15, 17, 0].map((n) => instead('Sec-WebSocket-Key', Buffer.alloc(n, 1).toString('base64'))),
        ...[
          'dGhlIHNhbXBsZSBub25jZQ',
          'dGhlIHNhbXBsZSBub25jZQ=',
          'dGhlIHNhbXBsZSBub25jZQ===',
          'dGhlIHNhbXBsZSBub25jZ===',
          'dGhlIHNhbXBs-SBub25jZ_==',
          'dGhlIHNhbXBs SBub25jZQ==',
          'dGhlIHNhbXBsZSBub25jZQ==, x',
          '=GhlIHNhbXBsZSBub25jZQ==',
        ].map((value) => instead('Sec-WebSocket-Key', value)),
      ],
      '400 key',
    ],
  ];
  refusalTests(gate, rows);

  const settings = ['Connection: upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'];
  const accepted: AcceptedRow[] = [
    ['U1: websocket in any case', instead('Upgrade', 'WebSocket'), {}],
    ['U2: upgrade in any case, among others', instead('Connection', 'keep-alive ,\tUPGRADE,,'), {}],
    ['U3: websocket next to h2c', instead('Upgrade', 'websocket, h2c'), {}],
    [
      'U3: HTTP2-Settings never goes on',
      requestOf({ omit: ['upgrade', 'connection'], fields: ['Upgrade: h2c, websocket', ...settings] }),
      {},
    ],
    ['U3: nor if Connection does not name it', withFields(settings[1] ?? ''), {}],
    ['U4: 13 with blanks around it', instead('Sec-WebSocket-Version', '\t 13 '), {}],
    ['U5: a key with blanks around it', instead('Sec-WebSocket-Key', '  dGhlIHNhbXBsZSBub25jZQ==\t'), {}],
  ];
  acceptanceTests(gate, accepted);
});

describe('a handshake has no body (RFC 9112 6)', () => {
  const codings = [
    'chunked',
    'identity',
    ',chunked',
    ' chunked',
    'xchunked',
    '\xa0chunked',
    'gzip, chunked',
    'CHUNKED',
    '',
  ];
  const rows: RefusedRow[] = [
    [
      'U6: a Content-Length that announces a body, sent or not',
      [
        withFields('Content-Length: 5'),
        `${withFields('Content-Length: 5')}hello`,
        withFields('Content-Length: 9007199254740991'),
      ],
      '400 body',
    ],
    [
      'U7: any Transfer-Encoding, with Content-Length or without',
      [
        ...codings.map((coding) => withFields(`Transfer-Encoding: ${coding}`)),
        withFields('Transfer-Encoding: chunked', 'Transfer-Encoding: identity'),
        withFields('Content-Length: 0', 'Transfer-Encoding: chunked'),
        `${withFields('Content-Length: 5', 'transfer-encoding: chunked')}0\r\n\r\n`,
        withFields('Connection: transfer-encoding', 'Transfer-Encoding: chunked'),
      ],
      '400 transfer_encoding',
    ],
    [
      'U8: a Content-Length that is not one decimal number',
      [
        ...['+1', '-1', '-0', '0x10', '1_0', '1,1', '0,0', '', ' ', '010', '00', '5 5', '1e1', '5.0'].map((value) =>
          withFields(`Content-Length: ${value}`),
        ),
        withFields('Content-Length: 9007199254740992'),
        withFields('Content-Length: 18446744073709551616'),
        withFields('Content-Length: 0', 'Content-Length: 0'),
        withFields('Content-Length: 0', 'content-length: 5'),
      ],
      '400 content_length',
    ],
    [
      'U9: Expect, and no 100 is sent',
      [withFields('Expect: 100-continue'), withFields('expect: 100-CONTINUE'), withFields('Expect: x')],
      '417 expect',
    ],
  ];
  refusalTests(gate, rows);
  acceptanceTests(gate, [
    ['U6: a Content-Length of 0 does not go on', withFields('Content-Length: 0', 'X: y'), { passed: ['X: y'] }],
  ]);
});

describe('bytes behind the request', () => {
  const early = Buffer.concat([text('one', masked), ping('two', masked), binary(Buffer.alloc(70_000, 7), masked)]);

  test('U10: glued frames reach the backend after its 101, in order, and not before', async () => {
    for (const glued of [early.subarray(0, 20), early, early.subarray(0, 5)]) {
      const { client, server } = await gate.reaches(Buffer.concat([Buffer.from(plain), glued]));
      await gate.settled();
      expect(server.unread.length, 'bytes before the 101').toBe(0);
      await server.accept();
      client.send(early.subarray(glued.length));
      const frames = await server.nextFrames(3);
      expect(Buffer.concat(frames.map((frame) => frame.bytes)).equals(early)).toBe(true);
      expect((await client.readHead()).status).toBe(101);
      client.destroy();
    }
  });

  test('U10: a request and frames cut at every byte give the same bytes at the backend', async () => {
    const all = Buffer.concat([Buffer.from(plain), text('one', masked), closeFrame(1000, 'two', masked)]);
    const { client, server } = await gate.reaches(all, {}, 'bytewise');
    await server.accept();
    expect(parseFrames(await server.readBytes(all.length - plain.length)).map((frame) => frame.opcode)).toEqual([
      Opcode.Text,
      Opcode.Close,
    ]);
    client.destroy();
  });

  test('U11: a backend that refuses got one request, the client gets one answer', async () => {
    for (const status of ['426 Upgrade Required', '401 Unauthorized', '404 Not Found']) {
      const { client, server } = await gate.reaches(plain + withFields('X: second'));
      const fields = 'WWW-Authenticate: Basic realm="x"\r\nContent-Length: 4';
      server.send(`HTTP/1.1 ${status}\r\n${fields}\r\n\r\nbusyHTTP/1.1 101 x\r\n\r\n`);
      const answer = await client.readResponse();
      const hop = status.startsWith('426') ? 'Upgrade: websocket\r\nConnection: Upgrade, close' : 'Connection: close';
      expect(answer.head.raw).toBe(
        `HTTP/1.1 ${status}\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 4\r\n${hop}\r\n\r\n`,
      );
      expect(answer.body.toString()).toBe('busy');
      await expectEnd(client);
      await expectOnlyHead(server);
      const line = await gate.tap.waitFor('handshake.refused', (one) => one.cause === `status ${status.slice(0, 3)}`);
      expect(line).toMatchObject({
        status: Number(status.slice(0, 3)),
        error: 'backend_refused',
        route: 'all',
        tries: 1,
        discarded_early_bytes: withFields('X: second').length,
      });
    }
  });

  test('U11: a backend that cannot be reached: one answer, the second request is dropped', async () => {
    const line = await gate.refuses(requestOf({ line: 'GET /dead/ HTTP/1.1' }) + plain, '502 backend_unreachable');
    expect(line).toMatchObject({ route: 'dead', tries: 1, discarded_early_bytes: plain.length });
  });

  test('U12: a second request is frames to us: its first byte has a reserved bit set', async () => {
    const { client, server } = await gate.reaches(plain + plain);
    await server.accept();
    expect((await client.readHead()).status).toBe(101);
    expect(closeOf(await server.nextFrame()).code).toBe(1001);
    server.send(closeFrame(1001));
    expect(closeOf(await client.nextFrame())).toEqual({ code: 1002, reason: 'reserved bit set' });
    await client.ended;
    client.end();
    server.end();
    await Promise.all([client.closed, server.closed]);
    expect(client.unread.length + server.unread.length).toBe(0);
  });

  test('U17: nothing is answered after a refusal, on the same connection', async () => {
    await gate.refuses(without('Upgrade') + plain, '426 upgrade_required');
    await gate.refuses(`${instead('Host', 'a b')}${plain}${plain}`, '400 host');
    const client = await gate.connect();
    client.send(instead('Connection', 'keep-alive'));
    await client.readResponse();
    client.send(plain);
    await gate.settled();
    expect(gate.backend.connections).toBe(gate.dials);
    await expectEnd(client);
  });
});

async function expectOnlyHead(server: BackendConnection): Promise<void> {
  server.end();
  await server.closed;
  const { raw } = await server.request();
  expect(server.received.toString('latin1')).toBe(raw);
}

describe('early bytes over the cap', () => {
  const piece = binary(Buffer.alloc(65_536 - 8), masked);
  const pieces = 256;

  test('U13: the client is not read above 64 KiB, memory stays flat, and nothing is lost', async () => {
    const { client, server } = await gate.reaches(plain);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < pieces; i += 1) client.send(piece);
    for (let i = 0; i < 5; i += 1) await gate.settled();
    // 16 MiB were sent, all from one buffer: what grew is held by the proxy.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    expect(client.socket.writableLength, 'bytes that not even the kernel took').toBeGreaterThan(2 ** 20);
    expect(server.unread.length).toBe(0);
    server.keep(false);
    const headBytes = server.bytesReceived;
    await server.accept();
    await server.receivedBytes(headBytes + pieces * piece.length);
    expect((await client.readHead()).status).toBe(101);
    client.destroy();
  });

  test('U13: connect still runs while the client is not read', async () => {
    // The backend takes the connection and is silent where TLS begins.
    const own = await startGate((url) => ({ routes: [{ name: 'test', upstream: url.replace('ws:', 'wss:') }] }));
    own.dials += 1;
    const client = await own.connect();
    client.send(plain, Buffer.alloc(200 * 1024));
    const server = await own.backend.nextConnection();
    await own.settled();
    own.clock.advance(5_100);
    expect(await own.expectRefused(client, '504 backend_timeout')).toMatchObject({ cause: 'ETIMEDOUT' });
    expect((await server.closed).fin).toBe(true);
    expect(server.received.toString('latin1'), 'no early byte').not.toContain('\0'.repeat(1024));
  });

  test('U13: upgrade still runs while the client is not read', async () => {
    const { client, server } = await gate.reaches(plain);
    client.send(Buffer.alloc(200 * 1024));
    await gate.settled();
    gate.clock.advance(10_100);
    const line = await gate.expectRefused(client, '504 backend_timeout');
    expect(line).toMatchObject({ cause: 'upgrade', route: 'all' });
    expect(Number(line.discarded_early_bytes)).toBeGreaterThanOrEqual(65_536);
    expect(Number(line.discarded_early_bytes)).toBeLessThan(2 * 65_536);
    expect(await server.closed).toMatchObject({ fin: true });
  });

  test('U13: open still runs while the client is not read', async () => {
    const own = await startGate((url) => ({
      routes: [{ name: 'test', upstream: url, timeouts: { open: '3s' }, limits: { max_early_bytes: '1KiB' } }],
    }));
    const { client, server } = await own.reaches(plain);
    client.send(Buffer.alloc(100 * 1024));
    await own.settled();
    own.clock.advance(3_100);
    expect(await own.expectRefused(client, '504 backend_timeout')).toMatchObject({ cause: 'open' });
    expect(await server.closed).toMatchObject({ fin: true });
  });
});

describe('subprotocols (RFC 6455 11.3.4)', () => {
  const offer = (value: string): string => withFields(`Sec-WebSocket-Protocol: ${value}`);
  const listed = (value: string): string =>
    requestOf({ line: 'GET /listed/ HTTP/1.1', fields: [`Sec-WebSocket-Protocol: ${value}`] });
  const tokens = (n: number): string => Array.from({ length: n }, (_, i) => `p${i}`).join(', ');
  const rows: RefusedRow[] = [
    [
      'U14: lists of blanks and commas, at their full size',
      [
        offer(','.repeat(8192)),
        offer(','),
        offer(' ,'.repeat(4096)),
        offer(`a${' '.repeat(8192)}b`),
        withFields('Sec-WebSocket-Protocol:', 'Sec-WebSocket-Protocol: ,'),
      ],
      '400 subprotocol',
    ],
    ['U14: more than 32 tokens', [offer(tokens(33)), offer('a,'.repeat(5000))], '400 subprotocol'],
    [
      'U14: more than 32 tokens in two lines',
      [withFields(`Sec-WebSocket-Protocol: ${tokens(32)}`, 'Sec-WebSocket-Protocol: x')],
      '400 subprotocol',
    ],
    ['U14: what is no token', ['a b', 'a/b', '"a"', 'a;b', '@', 'a,;'].map(offer), '400 subprotocol'],
    [
      'U14: the same token twice',
      [offer('a, b, a'), withFields('Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: a')],
      '400 subprotocol',
    ],
    ['U14: none that the route lists', [listed('a, b'), listed('Chat')], '400 subprotocol'],
  ];
  refusalTests(gate, rows);
  const target = '/listed/';
  const accepted: AcceptedRow[] = [
    ['U14: null elements are ignored', offer(`ocpp1.6,${' ,'.repeat(4000)}`), { protocols: 'ocpp1.6' }],
    ['U14: the first and the middle ones too', offer(',a,,b'), { protocols: 'a, b' }],
    ['U14: an empty field offers nothing', offer(''), {}],
    ['U14: blanks offer nothing', offer(' '.repeat(8192)), {}],
    ['U14: 32 tokens', offer(tokens(32)), { protocols: tokens(32) }],
    [
      'U14: two lines are one list',
      withFields('Sec-WebSocket-Protocol: a,b', 'sec-websocket-protocol: c'),
      { protocols: 'a, b, c' },
    ],
    [
      'U14: constructor and __proto__ are tokens',
      offer('constructor,__proto__'),
      { protocols: 'constructor, __proto__' },
    ],
    [
      'U14: only listed ones go on, in the order of the offer',
      listed('x, constructor, chat, __proto__'),
      { target, protocols: 'constructor, chat' },
    ],
  ];
  acceptanceTests(gate, accepted);
});

describe('credentials among the subprotocols', () => {
  const bearer = 'base64url.bearer.authorization.k8s.io.';
  const own = sharedGate((url) => ({
    routes: [{ name: 'k8s', upstream: url, subprotocols: ['v4.channel.k8s.io', `${bearer}*`, 'base64url.*'] }],
    log: { level: 'debug', session_open: 'info' },
  }));
  const offer = (value: string): string => withFields(`Sec-WebSocket-Protocol: ${value}`);

  acceptanceTests(own, [
    [
      'U40: a beginning that the route lists lets through what begins so, as it came',
      offer(`${bearer}c2VjcmV0, other.token.c2VjcmV0, v4.channel.k8s.io, V4.channel.k8s.io`),
      { protocols: `${bearer}c2VjcmV0, v4.channel.k8s.io` },
    ],
  ]);

  refusalTests(own, [
    ['U40: another beginning', [offer('base64.c2VjcmV0'), offer('xbase64url.c2VjcmV0')], '400 subprotocol'],
  ]);

  test('U40: what is removed is told by number, what stays by the entry that lists it', async () => {
    const request = offer(`${bearer}c2VjcmV0, other.token.c2VjcmV0, v4.channel.k8s.io, next.c2VjcmV0`);
    await own.accepts(request, { protocols: `${bearer}c2VjcmV0, v4.channel.k8s.io` });
    const line = own.tap.lines.filter(({ event }) => event === 'subprotocols.removed').at(-1);
    expect(line).toMatchObject({
      level: 'debug',
      route: 'k8s',
      client: '127.0.0.1',
      removed: 2,
      kept: [`${bearer}*`, 'v4.channel.k8s.io'],
    });
    const opened = own.tap.lines.filter(({ event }) => event === 'session.open').at(-1);
    expect(opened).toMatchObject({ subprotocol: `${bearer}*`, request_id: line?.request_id });
    expect(JSON.stringify(own.tap.lines)).not.toContain('c2VjcmV0');
  });
});

describe('extensions (RFC 6455 9.1, RFC 7692)', () => {
  const offer = (value: string): string => withFields(`Sec-WebSocket-Extensions: ${value}`);
  const many = (n: number): string => Array.from({ length: n }, () => 'permessage-deflate').join(', ');
  const rows: RefusedRow[] = [
    [
      'U15: malformed',
      [
        ...[
          ',',
          ' , ,',
          'a;',
          'a; b = = c',
          'a;;b',
          'a b',
          'a=b',
          'a; b=',
          'a; b="',
          'a; b=""',
          'a; b="c d"',
          'a; "b"',
          'a/b',
        ].map(offer),
        offer('permessage-deflate; client_max_window_bits="15'),
        offer(','.repeat(8192)),
        offer(`a${';'.repeat(8192)}`),
      ],
      '400 extensions',
    ],
    [
      'U15: more than 32 offers',
      [offer(many(33)), withFields(`Sec-WebSocket-Extensions: ${many(32)}`, 'Sec-WebSocket-Extensions: x')],
      '400 extensions',
    ],
  ];
  refusalTests(gate, rows);
  const offers = 'permessage-deflate; server_max_window_bits="10"; client_max_window_bits, permessage-deflate';
  const blanks = 'permessage-deflate; client_max_window_bits = 15';
  const off = { line: 'GET /plain/ HTTP/1.1', fields: [`Sec-WebSocket-Extensions: ${offers}`] };
  const accepted: AcceptedRow[] = [
    ['U15: deflate offers go on verbatim, in order', offer(offers), { extensions: offers }],
    ['U15: other extensions do not', offer(`x-webkit-deflate-frame, ${offers}, x; y="z"`), { extensions: offers }],
    ['U15: null elements are ignored', offer(`,${','.repeat(4000)}${offers} ,`), { extensions: offers }],
    ['U15: an empty field offers nothing', offer(''), {}],
    ['U15: blanks offer nothing', offer(' '.repeat(8192)), {}],
    ['U15: blanks around = pass as sent', offer(blanks), { extensions: blanks }],
    ['U15: only others: no offer at all', offer('x, constructor; __proto__'), {}],
    [
      'U15: several lines are one list',
      withFields('Sec-WebSocket-Extensions: x', 'sec-websocket-extensions: permessage-deflate'),
      { extensions: 'permessage-deflate' },
    ],
    ['U15: 32 offers', offer(many(32)), { extensions: many(32) }],
    ['U15: with compression off none goes on', requestOf(off), { target: '/plain/' }],
  ];
  acceptanceTests(gate, accepted);
});

describe('fields that Connection names (RFC 9110 7.6.1)', () => {
  const nominate = (names: string, ...fields: string[]): string =>
    requestOf({ omit: ['connection'], fields: [`Connection: upgrade, ${names}`, ...fields] });
  const ours = ['host', 'Sec-WebSocket-Key', 'sec-websocket-version', 'sec-websocket-protocol', 'sec-websocket-x'];
  const added = ['x-forwarded-for', 'X-Forwarded-Proto', 'x-forwarded-host', 'x-real-ip', 'x-request-id', 'via'];
  refusalTests(gate, [
    [
      'U16: Authorization cannot be taken away',
      [nominate('authorization', 'Authorization: Basic YTpi'), nominate('X, AUTHORIZATION')],
      '400 connection_option',
    ],
    [
      'U16: nor can what else a check goes by',
      [
        nominate('cookie, origin', 'Cookie: a=b', 'Origin: https://evil.example'),
        nominate('Origin'),
        nominate('COOKIE'),
      ],
      '400 connection_option',
    ],
    ['U16: nor what the handshake needs', ours.map((name) => nominate(name)), '400 connection_option'],
    ['U16: nor what is added here', added.map((name) => nominate(name)), '400 connection_option'],
    [
      'U16: nor what is removed here from those who are not trusted',
      ['CF-Connecting-IP', 'x-forwarded-anything', 'Forwarded', 'Remote-User'].map((name) => nominate(name)),
      '400 connection_option',
    ],
  ]);
  acceptanceTests(gate, [
    [
      'U16: the other fields that it names go',
      nominate('x-user, Close, te, keep-alive, __proto__', 'X-User: a', 'Cookie: b', 'Z: c', 'x-USER: d'),
      { passed: ['Cookie: b', 'Z: c'] },
    ],
  ]);
});
