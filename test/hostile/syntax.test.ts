import { describe, expect, test } from 'vitest';
import { HeadStep, RequestHeadParser } from '../../src/protocol/http-head.ts';
import {
  type AcceptedRow,
  acceptanceTests,
  bytesBetween,
  instead,
  type RefusedRow,
  refusalTests,
  requestOf,
  sharedGate,
  withFields,
  withLine,
  without,
  withTarget,
} from './harness.ts';

const gate = sharedGate();
const HEAD_BYTES_MAX = 16_384;
const TARGET_BYTES_MAX = 8_192;
const plain = requestOf();
/** A head that lacks only its empty line. */
const open = plain.slice(0, -2);
const controls = bytesBetween(0x01, 0x1f).filter((char) => !'\t\n\r'.includes(char));

/** The line ends of a plain request, each one in turn spoilt by `spoil`. */
function eachLineEnd(spoil: string): string[] {
  return [...plain.matchAll(/\r\n/g)].map(({ index }) => plain.slice(0, index) + spoil + plain.slice(index + 2));
}

describe('a plain request', () => {
  acceptanceTests(gate, [['H23: a request in one-byte segments is accepted as in one', plain, {}]]);
});

describe('line ends (RFC 9112 2.2)', () => {
  const rows: RefusedRow[] = [
    ['H1: LF alone ends no line', [plain.replaceAll('\r\n', '\n'), ...eachLineEnd('\n')], '400 bare_lf'],
    [
      'H1: LF inside a line',
      [withLine('GE\nT / HTTP/1.1'), withTarget('/a\nb'), withLine('GET / HT\nTP/1.1'), withFields('X: y\nz')],
      '400 bare_lf',
    ],
    [
      'H2: CR without LF, wherever it stands',
      [
        withFields('X: y\rz'),
        withFields('X: y\r'),
        withFields('X\rY: z'),
        withFields('Host: a\rb'),
        withLine('GE\rT / HTTP/1.1'),
        withTarget('/a\rb'),
        withLine('GET / HTTP/1.1\r'),
        `\r${plain}`,
        `\r\r\n${plain}`,
        ...eachLineEnd('\rX'),
      ],
      '400 bare_cr',
    ],
    [
      'H3: CR LF CR and anything but LF is no end of a head',
      ['X', '\r\n', '\0', ' X: y\r\n\r\n'].map((rest) => `${open}\r${rest}`),
      '400 bare_cr',
    ],
  ];
  refusalTests(gate, rows);

  test('H3: CR LF CR alone is not the end either: the backend is dialed on the LF', async () => {
    const client = await gate.connect();
    client.send(`${open}\r`);
    await gate.settled();
    expect([gate.backend.connections, client.unread.length]).toEqual([gate.dials, 0]);
    gate.dials += 1;
    client.send('\n');
    await (await gate.backend.nextConnection()).accept();
    expect((await client.readHead()).status).toBe(101);
    client.destroy();
  });
});

describe('bytes of a field (RFC 9110 5.5)', () => {
  const obsText = bytesBetween(0x80, 0xff).join('');
  const high = ['\x80', '\xa0', '\xff'];
  const rows: RefusedRow[] = [
    [
      'H4: NUL in the method, target, version, a name or a value',
      [
        withLine('G\0T / HTTP/1.1'),
        withTarget('/a\0b'),
        withTarget('/?a\0b'),
        withLine('GET / HTTP/1.\0'),
        withFields('X\0Y: z'),
        withFields('\0: z'),
        withFields('X: a\0b'),
        withFields('Cookie: \0'),
      ],
      '400 ctl',
    ],
    ['H5: control bytes in a value', [...controls, '\x7f'].map((char) => withFields(`X: a${char}b`)), '400 ctl'],
    ['H5: a control byte at either end of a value', [withFields('X: \x01a'), withFields('X: a\x0b')], '400 ctl'],
    ['H6: obs-text in Host', high.map((char) => instead('Host', `a${char}`)), '400 host'],
    ['H6: obs-text in Upgrade', high.map((char) => instead('Upgrade', `websocket${char}`)), '400 obs_text'],
    ['H6: obs-text in Connection', high.map((char) => instead('Connection', `upgrade, ${char}`)), '400 obs_text'],
    ['H6: obs-text in Sec-WebSocket-Key', high.map((char) => instead('Sec-WebSocket-Key', char)), '400 key'],
    [
      'H6: obs-text in other fields of the handshake, and in those that say who asks',
      [
        instead('Sec-WebSocket-Version', '13\xa0'),
        withFields('Sec-WebSocket-Protocol: a\xa0'),
        withFields('Sec-WebSocket-Extensions: a\x85'),
        withFields('sec-websocket-anything: \xff'),
        withFields('Origin: http://\xe9'),
        withFields('Authorization: Basic \xe9'),
      ],
      '400 obs_text',
    ],
    ['H6: obs-text in Content-Length', [withFields('Content-Length: 0\xa0')], '400 content_length'],
    ['H6: obs-text in Transfer-Encoding', [withFields('Transfer-Encoding: \xa0chunked')], '400 transfer_encoding'],
  ];
  refusalTests(gate, rows);

  const accepted: AcceptedRow[] = [
    ['H5: HTAB inside a value is kept', withFields('X: \t a\tb \t'), { passed: ['X: a\tb'] }],
    ['H6: obs-text in an ordinary value keeps its bytes', withFields(`X: ${obsText}`), { passed: [`X: ${obsText}`] }],
    ['H6: only SP and HTAB are trimmed', withFields('X: \t\xa0\x85a\x85\xa0 '), { passed: ['X: \xa0\x85a\x85\xa0'] }],
  ];
  acceptanceTests(gate, accepted);
});

describe('field lines (RFC 9112 5)', () => {
  const notInNames = bytesBetween(0x21, 0xff).filter((char) => !/[!#$%&'*+\-.^_`|~0-9A-Za-z:]/.test(char));
  const rows: RefusedRow[] = [
    [
      'H7: blanks between name and colon',
      [' ', '\t', '\x0b', '\x85', '\xa0', '  '].map((blank) => withFields(`X-A${blank}: y`)),
      '400 header_name',
    ],
    [
      'H7: blanks behind the names that decide',
      ['Host', 'Content-Length', 'Transfer-Encoding', 'Sec-WebSocket-Key'].map((name) => withFields(`${name} : 0`)),
      '400 header_name',
    ],
    [
      'H8: a line that begins with a space or tab, the first one too',
      [
        withFields('X: y', ' folded'),
        withFields('X: y', '\tfolded'),
        withFields(' X: y'),
        withFields('X: y', ' '),
        plain.replace('\r\n', '\r\n '),
        plain.replace('\r\n', '\r\n\t\r\n'),
      ],
      '400 obs_fold',
    ],
    [
      'H9: no name, or no colon',
      [': x', ':', 'no-colon', '::', 'a'].map((line) => withFields(line)),
      '400 header_name',
    ],
    [
      'H10: names with a byte that no token holds',
      ['X[]', 'X(Y)', '\xefX', '"X"', 'X@', 'X/Y', 'X{}'].map((name) => withFields(`${name}: z`)),
      '400 header_name',
    ],
  ];
  refusalTests(gate, rows);

  test('H10: every byte that no token holds is refused', async () => {
    for (const char of notInNames) await gate.refuses(withFields(`X${char}Y: z`), '400 header_name');
  });

  acceptanceTests(gate, [
    ['H7: no blank, or several, behind the colon', withFields('X:y', 'Y: \t z'), { passed: ['X: y', 'Y: z'] }],
    ['H9: an empty value is a value', withFields('X:', 'Y: '), { passed: ['X: ', 'Y: '] }],
    // Other bytes of a token are legal in a name, but reach no backend that could take them for a dash.
    ['H10: a token is a name', withFields("X!#$%&'*+^_`|~.9: z", 'x-9: z'), { passed: ['x-9: z'] }],
  ]);
});

describe('the request line (RFC 9112 3)', () => {
  const rows: RefusedRow[] = [
    [
      'H11: anything but METHOD SP TARGET SP VERSION',
      [
        withLine('GET  / HTTP/1.1'),
        withLine('GET  HTTP/1.1'),
        'GET  ',
        withLine('GET\t/ HTTP/1.1'),
        withLine('GET /  HTTP/1.1'),
        withLine('GET / HTTP/1.1 '),
        withLine('GET / HTTP/1.1\t'),
        withLine(' GET / HTTP/1.1'),
        withLine('GET /'),
        withLine('GET'),
        withLine('GET '),
        withLine('GET / '),
        withLine('GET / HTTP/0.9'),
        withLine('GET / HTTP/'),
        withLine('GET / HTTP/1'),
        withLine('GET / HTTP/1.'),
        withLine('GET / HTTP 1.1'),
        withLine('@GET / HTTP/1.1'),
        `\xef\xbb\xbf${plain}`,
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      ],
      '400 request_line',
    ],
    ['H11: two empty lines before it', [`\r\n\r\n${plain}`], '400 request_line'],
    [
      'H12: HTTP/1.0 with all of an upgrade',
      [withLine('GET / HTTP/1.0'), requestOf({ line: 'GET / HTTP/1.0', omit: ['host'] })],
      '505 http_version',
    ],
    [
      'H13: other versions that are well-formed',
      ['HTTP/2.0', 'HTTP/1.2', 'HTTP/3.0', 'HTTP/9.9'].map((version) => withLine(`GET / ${version}`)),
      '505 http_version',
    ],
    [
      'H13: versions that are not',
      ['HTTP/11.1', 'HTTP/1.32', 'http/1.1', 'Http/1.1', 'HTTP/1,1', 'HTTP/x.1', 'HTTP/-1.1', 'HTTPS/1.1'].map(
        (version) => withLine(`GET / ${version}`),
      ),
      '400 request_line',
    ],
    ['H13: the preface of HTTP/2', ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], '505 http_version'],
    [
      'H14: other methods, and GET in another case',
      ['POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH', 'get', 'Get', 'GETS', 'GE', 'M'.repeat(32)].map((method) =>
        withLine(`${method} / HTTP/1.1`),
      ),
      '405 method',
    ],
    ['H14: a method over 32 bytes', [33, 2048].map((n) => withLine(`${'M'.repeat(n)} / HTTP/1.1`)), '400 request_line'],
    ['H15: CONNECT', [withLine('CONNECT host:443 HTTP/1.1'), withLine('CONNECT / HTTP/1.1')], '405 method'],
  ];
  refusalTests(gate, rows);
  acceptanceTests(gate, [['H11: one empty line before it is ignored', `\r\n${plain}`, {}]]);

  test('H14: TRACE is refused without a byte of what it sent', async () => {
    const client = await gate.connect();
    client.send(requestOf({ line: 'TRACE /secret HTTP/1.1', fields: ['Cookie: secret'] }), 'secret');
    const answer = await client.readUntil(() => client.finSeen, 'FIN');
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\nAllow: GET\r\n/);
    expect(answer.toString('latin1')).not.toContain('secret');
  });

  test('H15: nothing sent behind a CONNECT goes anywhere', async () => {
    await gate.refuses(`${withLine('CONNECT host:443 HTTP/1.1')}${plain}`, '405 method');
  });
});

describe('the target (RFC 9112 3.2)', () => {
  const inPath = bytesBetween(0x21, 0x7e).filter((char) => !'#"<>\\`{}?%'.includes(char));
  const inQuery = bytesBetween(0x21, 0x7e).filter((char) => !'#"<>'.includes(char));
  const never = [...controls, '\t', '\x7f', '\x80', '\xa0', '\xff', '"', '<', '>'];
  const rows: RefusedRow[] = [
    [
      'H17: an authority that is not Host',
      [
        'http://other.test/',
        'http://framegate.test:81/',
        'http://framegate.test.evil/',
        'https://framegate.test:80/',
      ].map(withTarget),
      '400 authority',
    ],
    [
      'H17: user information, no authority, or one that is malformed',
      [
        'http://u@framegate.test/',
        'http://u:p@framegate.test/',
        'http:///',
        'http://framegate.test:0/',
        'ws://a,b/',
      ].map(withTarget),
      '400 authority',
    ],
    [
      'H17: another scheme',
      ['ftp', 'file', 'javascript', 'wsx', 'ht-tp'].map((scheme) => withTarget(`${scheme}://framegate.test/`)),
      '400 authority',
    ],
    [
      'H18: neither a path nor an absolute URL',
      [
        '*',
        'framegate.test:80',
        'admin',
        '?a=b',
        'http:/framegate.test/',
        './a',
        '../a',
        '1http://framegate.test/',
      ].map(withTarget),
      '400 target_form',
    ],
    [
      'H19: # in the target',
      ['/#x', '/a#', '/?a#b', '/a%23#', 'http://framegate.test/#x'].map(withTarget),
      '400 target_char',
    ],
    ['H20: a raw space', ['/a b', '/?a b', '/a b c'].map(withTarget), '400 target_char'],
    ['H20: in the path', [...never, '\\', '`', '{', '}'].map((char) => withTarget(`/a${char}b`)), '400 target_char'],
    ['H20: in the query', never.map((char) => withTarget(`/?a${char}b`)), '400 target_char'],
  ];
  refusalTests(gate, rows);

  const accepted: AcceptedRow[] = [
    [
      'H16: http, as in RFC 9112 3.2.2',
      withTarget('http://framegate.test/a?b=http://c/'),
      { target: '/a?b=http://c/' },
    ],
    ['H16: without a path', withTarget('ws://framegate.test'), { target: '/' }],
    ['H16: with a query only', withTarget('wss://framegate.test?a'), { target: '/?a' }],
    ['H16: the default port of the scheme', withTarget('https://framegate.test:443/a'), { target: '/a' }],
    ['H16: another case, a trailing dot', withTarget('HTTP://FrameGate.Test./A'), { target: '/A' }],
    ['H20: every other byte of a path', withTarget(`/${inPath.join('')}`), { target: `/${inPath.join('')}` }],
    ['H20: every other byte of a query', withTarget(`/?${inQuery.join('')}`), { target: `/?${inQuery.join('')}` }],
    ['H20: a stray % in the query', withTarget('/?%&a=%zz%'), { target: '/?%&a=%zz%' }],
  ];
  acceptanceTests(gate, accepted);
});

describe('Host (RFC 9112 3.2)', () => {
  const host = (...values: string[]): string => instead('Host', ...values);
  const rows: RefusedRow[] = [
    ['H21: missing', [without('Host')], '400 host'],
    ['H21: twice, equal or not', [host('a', 'a'), host('a', 'b'), withFields('host: framegate.test')], '400 host'],
    ['H21: empty, or a list', ['', ' ', 'a, b', 'a,b', 'a b', 'a;b'].map((value) => host(value)), '400 host'],
    ['H21: user information', ['u@a', 'u:p@a', '@a'].map((value) => host(value)), '400 host'],
    [
      'H21: bytes that no host holds',
      ['a/b', 'a?b', 'a#b', 'a%41', 'a\\b', 'a..b', '.a', '.', 'a\0b', '\0', 'a\x01b', 'a\x7f', 'http://a', '*'].map(
        (value) => host(value),
      ),
      '400 host',
    ],
    [
      'H21: ports',
      [':0', ':98777', ':65536', ':80:80', ':1.2', ':-1', ':+80', ':080', ':8o', ': 80'].map((port) =>
        host(`a${port}`),
      ),
      '400 host',
    ],
    ['H21: no name before the port', [host(':80')], '400 host'],
    ['H21: IPv6', ['[::1', '::1', '[::g]', '[fe80::1%25lo]', '[]', '[::1]a', '[1:2]'].map((v) => host(v)), '400 host'],
    ['H21: over 253 bytes', [host(`${'a'.repeat(254)}`)], '400 host'],
  ];
  refusalTests(gate, rows);
  const asSent = (value: string): AcceptedRow => [`H21: ${value.slice(0, 24)} is a host`, host(value), { host: value }];
  const hosts = ['a:65535', 'a:1', 'a:', 'A.Example.', '127.0.0.1:80', '[::1]:80', '[::ffff:1.2.3.4]', 'a_b-c'];
  acceptanceTests(gate, [...hosts, 'a'.repeat(253)].map(asSent));
});

describe('time and size', () => {
  const timedOut = { status: 408, error: 'handshake_timeout' };

  test('H22: a head that is not complete after 10 s gets 408, however its bytes drip in', async () => {
    const client = await gate.connect();
    for (const byte of plain.slice(0, 10)) {
      client.send(byte);
      await gate.settled();
      gate.clock.advance(990);
    }
    await gate.settled();
    expect([client.unread.toString('latin1'), client.finSeen]).toEqual(['', false]);
    gate.clock.advance(150);
    const line = await gate.expectRefused(client, '408 handshake_timeout');
    expect(line.ms).toBeGreaterThanOrEqual(10_000);
  });

  test('H22: the last byte of a head in time is enough', async () => {
    gate.dials += 1;
    const client = await gate.connect();
    client.send(plain.slice(0, -1));
    await gate.settled();
    gate.clock.advance(9_900);
    await gate.settled();
    client.send('\n');
    await (await gate.backend.nextConnection()).accept();
    expect((await client.readHead()).status).toBe(101);
    client.destroy();
  });

  test('H22: who sends no byte gets FIN and no answer', async () => {
    const client = await gate.connect();
    await gate.settled();
    gate.clock.advance(10_100);
    await client.ended;
    expect(client.received.toString('latin1')).toBe('');
    expect(await client.closed).toEqual({ fin: true, error: null });
    const line = await gate.tap.waitFor('handshake.refused', (one) => one.cause === 'no byte');
    expect(line).toMatchObject({ ...timedOut, level: 'info', client: '127.0.0.1' });
  });

  test('H23: a head of 16 KiB in one-byte segments is accepted', async () => {
    const room = HEAD_BYTES_MAX - withFields('X: ').length;
    const value = 'a'.repeat(room);
    await gate.accepts(withFields(`X: ${value}`), { passed: [`X: ${value}`] }, 'bytewise');
  });

  test('H23: a head of 512 KiB in one-byte segments takes a time that grows with it, not with its square', () => {
    const bytes = Buffer.from(withFields(`X: ${'a'.repeat(2 ** 19)}`));
    const parser = new RequestHeadParser({ headBytesMax: 2 ** 20, targetBytesMax: TARGET_BYTES_MAX, fieldsMax: 100 });
    const startedAt = performance.now();
    let step: HeadStep = HeadStep.NeedData;
    for (let i = 0; i < bytes.length; i += 1) {
      step = parser.feed(bytes, i, i + 1);
      // A fiftieth of it is usual; with a square it is ten seconds at least.
      if (i % 4096 === 0) expect(performance.now() - startedAt, `ms after ${i} bytes`).toBeLessThan(5_000);
    }
    expect(step).toBe(HeadStep.Done);
  });

  test('H24: a target over 8 KiB gets 414 on the byte that crosses the cap, before its line ends', async () => {
    const target = `/${'a'.repeat(TARGET_BYTES_MAX - 1)}`;
    await gate.accepts(withTarget(target), { target });
    await gate.refuses(withTarget(`${target}a`), '414 target_too_long');
    await gate.refusesAt(`GET ${target}`, 'a', '414 target_too_long');
    await gate.refusesAt(`GET ${target}`, '?', '414 target_too_long');
    await gate.refuses(withTarget(`/?${'a'.repeat(TARGET_BYTES_MAX)}`), '414 target_too_long', 'bytewise');
  });

  test('H25: a head over 16 KiB gets 431 on the byte that crosses the cap', async () => {
    const fields = (total: number): string => {
      const pad = 'a'.repeat(total - withFields('X: ').length);
      return `X: ${pad}`;
    };
    const largest = fields(HEAD_BYTES_MAX);
    await gate.accepts(withFields(largest), { passed: [largest] });
    await gate.refuses(withFields(fields(HEAD_BYTES_MAX + 1)), '431 head_too_large');
    const prefix = `${open}X: `.padEnd(HEAD_BYTES_MAX, 'a');
    await gate.refusesAt(prefix, 'a', '431 head_too_large');
    await gate.refusesAt(`${open}`.padEnd(HEAD_BYTES_MAX, 'a'), 'a', '431 head_too_large');
    await gate.refuses(withFields(...Array.from({ length: 99 }, () => `X: ${'a'.repeat(200)}`)), '431 head_too_large');
  });

  test('H26: the field after the hundredth gets 431 on its first byte', async () => {
    const lines = Array.from({ length: 95 }, (_, i) => `X-${i}: y`);
    await gate.accepts(withFields(...lines), { passed: lines });
    await gate.refuses(withFields(...lines, 'X-95: y'), '431 too_many_fields');
    const prefix = withFields(...lines).slice(0, -2);
    await gate.refusesAt(prefix, 'X', '431 too_many_fields');
  });
});

describe('names with a meaning elsewhere', () => {
  const names = ['constructor', 'hasOwnProperty', 'toString', 'valueOf', '__proto__'];
  const lines = names.map((name) => `${name}: x`);
  // Underscores are no part of a name that reaches a backend.
  const passed = lines.slice(0, -1);
  const accepted: AcceptedRow[] = [
    ['H27: as fields', withFields(...lines), { passed }],
    ['H27: as fields, twice', withFields(...lines, ...lines), { passed: [...passed, ...passed] }],
    [
      'H27: in the target',
      withTarget('/__proto__?__proto__=1&constructor'),
      { target: '/__proto__?__proto__=1&constructor' },
    ],
    [
      'H27: as subprotocols',
      withFields(`Sec-WebSocket-Protocol: ${names.join(', ')}`),
      { protocols: names.join(', ') },
    ],
    ['H27: as extensions', withFields(`Sec-WebSocket-Extensions: ${names.join(', ')}`), {}],
    ['H27: as parameters', withFields('Sec-WebSocket-Extensions: x; __proto__=1; constructor'), {}],
    ['H27: as hosts', instead('Host', '__proto__'), { host: '__proto__' }],
    ['H27: as connection options', instead('Connection', 'upgrade, __proto__, constructor'), {}],
  ];
  acceptanceTests(gate, accepted);
});

describe('fields that may stand once (RFC 6455 11.3, RFC 9110 5.3)', () => {
  const rows: RefusedRow[] = [
    [
      'H28: a second copy, equal or not, next to the first or not, in any case',
      [
        withFields('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='),
        withFields('sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA=='),
        withFields('Sec-WebSocket-Version: 13'),
        withFields('SEC-WEBSOCKET-VERSION: 8'),
        withFields('Authorization: Basic YTpi', 'Authorization: Basic YTpi'),
        withFields('Authorization: Basic YTpi', 'X: y', 'authorization: Bearer x'),
        withFields('Origin: http://a', 'Origin: http://a'),
        withFields('Origin: http://a', 'X: y', 'ORIGIN: null'),
        withFields('Origin:', 'Origin:'),
      ],
      '400 dup_field',
    ],
  ];
  refusalTests(gate, rows);
  const once = ['Authorization: Basic YTpi', 'Origin: http://a'];
  acceptanceTests(gate, [
    ['H28: one of each goes on', withFields(...once), { passed: once }],
    [
      'H28: several Upgrade or Connection lines are one list',
      requestOf({ omit: ['upgrade', 'connection'], fields: listLines() }),
      {},
    ],
  ]);
});

function listLines(): string[] {
  return ['Upgrade: h2c', 'Upgrade: websocket', 'Connection: keep-alive', 'Connection: Upgrade'];
}
