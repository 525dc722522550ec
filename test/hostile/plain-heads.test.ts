import { describe, expect, test } from 'vitest';
import { valuesOf } from '../reference/grammar.ts';
import type { PlainMessage } from '../reference/plain-request.ts';
import { RawClient } from '../support/raw-client.ts';
import { chunks, PLACES, plain, type RefusedPlain, refusedTests, sharedPlainGate } from './plain-gate.ts';

const HEAD_MAX = 2048;
const TARGET_MAX = 1024;
const FIELDS_MAX = 20;

const gate = sharedPlainGate((url) => ({
  listeners: [{ name: 'test', address: '127.0.0.1:0', health_path: '/health', paths: { leading_slashes: 'merge' } }],
  limits: { max_head_size: `${HEAD_MAX}B`, max_target_size: `${TARGET_MAX}B`, max_header_fields: FIELDS_MAX },
  routes: [{ name: 'both', match: { path: '/*' }, upstream: 'builtin:echo', http: url }],
}));

const has = (message: PlainMessage, name: string): string[] => valuesOf(message.fields, name);
const within = (...fields: string[]): string => plain({ fields });
const post = (...fields: string[]): string => plain({ line: 'POST /both HTTP/1.1', fields, body: 'hello' });

describe('what frames a body (RFC 9112 6)', () => {
  const encoded = (...values: string[]): string[] => values.map((value) => post(`Transfer-Encoding: ${value}`));
  const rows: RefusedPlain[] = [
    [
      'H51: Content-Length with Transfer-Encoding, in either order',
      [
        post('Content-Length: 5', 'Transfer-Encoding: chunked'),
        post('Transfer-Encoding: chunked', 'Content-Length: 0'),
      ],
      '400 transfer_encoding',
    ],
    [
      'H52: two Content-Lengths, or one that is not one decimal number',
      [
        ...[post('Content-Length: 5', 'Content-Length: 5'), post('Content-Length: 5', 'content-length: 4')],
        ...[
          '5, 5',
          '+5',
          '-5',
          '0x5',
          '5 5',
          '05',
          '',
          '5;',
          '5.0',
          '1e1',
          '9007199254740992',
          '18446744073709551621',
        ].map((value) => post(`Content-Length: ${value}`)),
      ],
      '400 content_length',
    ],
    ['H52: a Content-Length with obs-text', [post('Content-Length: 5\xa0')], '400 content_length'],
    [
      'H53: a Transfer-Encoding that is not chunked alone',
      [
        ...encoded(
          'xchunked',
          'chunked, chunked',
          'gzip, chunked',
          'chunked, gzip',
          'gzip',
          'identity',
          ',chunked',
          '',
        ),
        ...encoded('chunked,', 'chunked;q=1', '"chunked"', 'chunked chunked', 'chun ked', 'chunked\xa0', '\x85chunked'),
        post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
        post('Transfer-Encoding: chunked', 'transfer-encoding: identity'),
      ],
      '400 transfer_encoding',
    ],
    [
      'H53: blanks before its colon',
      [post('Transfer-Encoding : chunked'), post('Transfer-Encoding\t: chunked')],
      '400 header_name',
    ],
    [
      'H53: control bytes around it',
      [...encoded('\x0bchunked', 'chunked\x0c'), post('Transfer-Encoding: \x01chunked')],
      '400 ctl',
    ],
    [
      'H54: Transfer-Encoding in HTTP/1.0',
      [plain({ line: 'POST /both HTTP/1.0', fields: ['Transfer-Encoding: chunked'], body: '0\r\n\r\n' })],
      '400 transfer_encoding',
    ],
  ];
  refusedTests(gate, rows);

  test.each(['DELETE', 'OPTIONS', 'GET', 'POST', 'PATCH'])(
    'H50: %s with a request in its chunks is one request',
    async (method) => {
      const inner = plain({ line: 'GET /evil HTTP/1.1' });
      const body = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
      const request = plain({ line: `${method} /both HTTP/1.1`, fields: ['Transfer-Encoding: chunked'], body });
      await gate.passes(request, (message) => {
        expect([message.method, message.framing, message.body.toString('latin1')]).toEqual([method, 'chunked', inner]);
      });
    },
  );

  test('H50: a length frames it as well, blanks and case of a coding count for nothing', async () => {
    const seen = (message: PlainMessage) => [message.method, message.framing, message.body.toString()];
    const body = plain({ line: 'DELETE /both HTTP/1.1', fields: ['Content-Length: \t5 '], body: 'GET /' });
    await gate.passes(body, (message) => expect(seen(message)).toEqual(['DELETE', 'length', 'GET /']));
    await gate.passes(post('Transfer-Encoding: \t cHunKed\t ').replace('hello', '5\r\nhello\r\n0\r\n\r\n'), (message) =>
      expect(seen(message)).toEqual(['POST', 'chunked', 'hello']),
    );
  });
});

describe('the head of a later request is judged as that of the first', () => {
  const fill = (name: string, size: number): string => `${name}: ${'x'.repeat(size - name.length - 4)}`;
  /** Exactly so many bytes. */
  const headOf = (size: number): string => within(fill('X', size - within().length - 0));
  const rows: RefusedPlain[] = [
    [
      'H62: a folded line',
      [within('X: y', ' z'), within('X:', '\tz'), within('X: \t', ' Content-Length: 5')],
      '400 obs_fold',
    ],
    [
      'H62: CR alone',
      [within('X: y\rz'), within('X: y\r'), `${plain().slice(0, -2)}\rX`, `\r\r\n${plain()}`],
      '400 bare_cr',
    ],
    ['H62: LF alone', [within('X: y\nz'), plain().replaceAll('\r\n', '\n'), `\n${plain()}`], '400 bare_lf'],
    ['H62: NUL', [within('X: y\0z'), within('X\0: y'), plain({ line: 'GET /\0 HTTP/1.1' })], '400 ctl'],
    ['H62: a control byte', [within('X: \x01'), within('X: y\x7f')], '400 ctl'],
    [
      'H62: a request line with anything more or less',
      [
        ...['GET  /both HTTP/1.1', 'GET /both  HTTP/1.1', 'GET /both HTTP/1.1 ', 'GET /both', 'GET /both HTTP/0.9'],
        ...['GET /both http/1.1', 'GET /both HTTP/1.10', ' GET /both HTTP/1.1', '?'],
      ].map((line) => plain({ line })),
      '400 request_line',
    ],
    ['H62: two empty lines before it', [`\r\n\r\n${plain()}`], '400 request_line'],
    ['H62: obs-text in the target', [plain({ line: 'GET /\xe9 HTTP/1.1' })], '400 target_char'],
    [
      'H62: another version',
      [plain({ line: 'GET /both HTTP/1.2' }), plain({ line: 'GET /both HTTP/2.0' })],
      '505 http_version',
    ],
    [
      'H60: a field twice that may stand once',
      [within('Authorization: a', 'Authorization: a'), within('Origin: null', 'Origin: null')],
      '400 dup_field',
    ],
    [
      'H60: Host missing, twice, or none',
      [plain({ host: null }), within('Host: a'), plain({ host: 'a b' })],
      '400 host',
    ],
    [
      'H67: a target of one byte too many',
      [plain({ line: `GET /${'a'.repeat(TARGET_MAX)} HTTP/1.1` })],
      '414 target_too_long',
    ],
    [
      'H67: a head of one byte too many, blanks that nobody keeps too',
      [headOf(HEAD_MAX + 1), within(`X:${' '.repeat(HEAD_MAX)}y`), within(fill('X'.repeat(HEAD_MAX), HEAD_MAX + 9))],
      '431 head_too_large',
    ],
    ['H67: one field too many', [within(...Array(FIELDS_MAX).fill('X: y'))], '431 too_many_fields'],
    [
      'H68: methods that nobody is served, or that no server knows in this case',
      [
        ...['CONNECT a:80', 'CONNECT /both', 'TRACE /both', 'get /both', 'Get /both', 'FETCH /both', 'GETX /both'].map(
          (text) => plain({ line: `${text} HTTP/1.1` }),
        ),
        plain({ line: 'FETCH /both HTTP/1.1', fields: ['Content-Length: 5'], body: 'hello' }),
      ],
      '405 method_refused',
    ],
    [
      'H59: asterisk-form, a word, host and port',
      ['OPTIONS *', 'GET *', 'GET both', 'GET a:80'].map((text) => plain({ line: `${text} HTTP/1.1` })),
      '400 target_form',
    ],
    [
      'H59: an absolute target of another host, with user information, or of another scheme',
      ['http://b/both', 'http://a@a/both', 'http://a:81/both', 'ftp://a/both', 'file:///both'].map((target) =>
        plain({ line: `GET ${target} HTTP/1.1` }),
      ),
      '400 authority',
    ],
    [
      'H66: dot segments, escaped or not',
      ['/..', '/../both', '/a/../b', '/a/%2e%2E/b', '/a/.%2e', '/a/..;x/b', '/a/%2e', '/a/..%2fb', '/a/..%5cb'].map(
        (path) => plain({ line: `GET ${path} HTTP/1.1` }),
      ),
      '400 dot_segment',
    ],
    [
      'H66: NUL and broken escapes',
      ['/%00', '/%', '/%zz', '/%2'].map((path) => plain({ line: `GET ${path} HTTP/1.1` })),
      '400 encoded_path',
    ],
  ];
  refusedTests(gate, rows);

  test('H67: heads, targets and counts of fields at their caps pass', async () => {
    const target = `/${'a'.repeat(TARGET_MAX - 1)}`;
    for (const request of [
      plain({ line: `GET ${target} HTTP/1.1` }),
      headOf(HEAD_MAX),
      within(...Array(FIELDS_MAX - 1).fill('X: y')),
    ])
      await gate.passes(request, (message) => expect(message.method).toBe('GET'));
  });

  test('H59: an absolute target of its Host goes on as a path', async () => {
    for (const target of ['http://a/both?x', 'HTTP://A:80/both?x', 'http://a?x'])
      await gate.passes(plain({ line: `GET ${target} HTTP/1.1` }), (message) =>
        expect(message.target).toBe(target === 'http://a?x' ? '/?x' : '/both?x'),
      );
  });

  test('H61: names with other than letters, digits and dashes do not go on', async () => {
    const names = ['X_Real_IP', 'X.Real.IP', 'Content_Length', 'Transfer.Encoding', "X'", 'X~', 'Content-Length_'];
    await gate.passes(within(...names.map((name) => `${name}: 5`), 'X-Own: y'), (message) => {
      expect([has(message, 'x-own'), message.framing]).toEqual([['y'], 'none']);
      for (const name of names) expect(has(message, name.toLowerCase()), name).toEqual([]);
    });
  });

  test('H62: one empty line before it is read past', async () => {
    await gate.passes(`\r\n${plain()}`, (message) => expect(message.target).toBe('/both'));
  });

  test('H70: what looks like another host goes on as a path, merged where the listener says so', async () => {
    for (const [sent, got] of [
      ['//evil/x', '/evil/x'],
      ['///evil', '/evil'],
      ['/a//b', '/a//b'],
      ['/@evil', '/@evil'],
      ['/%2f%2fevil', '/%2f%2fevil'],
    ])
      await gate.passes(plain({ line: `GET ${sent} HTTP/1.1` }), (message) => expect(message.target).toBe(got));
  });

  test('H69: the health path is answered by us, whatever stands in front of it', async () => {
    for (const place of PLACES) {
      const { answer, seen } = await gate.ask(plain({ line: 'GET /health HTTP/1.1' }), place);
      expect([place, answer, seen]).toEqual([place, '200', []]);
    }
  });
});

describe('fields of one hop (RFC 9110 7.6.1)', () => {
  const nominating = (name: string): string => within(`Connection: close, ${name}`, `${name}: 1`);
  refusedTests(gate, [
    [
      'H56: Connection names what is for the backend, or what proxies add',
      [
        ...[
          'X-Forwarded-For',
          'X-Real-IP',
          'X-Request-ID',
          'Via',
          'Cookie',
          'Authorization',
          'Content-Length',
          'Origin',
        ],
        ...['X-Forwarded-Host', 'Forwarded', 'X-Remote-User', 'x-framegate-session', 'Sec-WebSocket-Key'],
      ].map(nominating),
      '400 connection_option',
    ],
    ['H56: Host too', [within('Connection: host')], '400 connection_option'],
    [
      'H56: Connection is no list of tokens',
      [within('Connection: a;b'), within('Connection: "close"')],
      '400 connection_token',
    ],
    ['H56: obs-text in Connection', [within('Connection: close\xa0')], '400 obs_text'],
  ]);

  test('H56: what else it names stays here, Transfer-Encoding too, and the body is framed all the same', async () => {
    const request = chunks(
      '5\r\nhello\r\n0\r\n\r\n',
      'Connection: X-Own, transfer-encoding, te',
      'X-Own: y',
      'TE: trailers',
    );
    await gate.passes(request, (message) => {
      expect([message.framing, message.body.toString(), has(message, 'connection')]).toEqual([
        'chunked',
        'hello',
        ['close'],
      ]);
      expect([...has(message, 'x-own'), ...has(message, 'te')]).toEqual([]);
    });
  });

  test('H57: an Upgrade of something else is not taken, with a body or without', async () => {
    const fields = [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c, TLS/1.3',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    ];
    const check = (message: PlainMessage) => {
      expect(message.fields.map(([name]) => name).filter((name) => /upgrade|http2/i.test(name))).toEqual([]);
      expect(has(message, 'connection')).toEqual(['close']);
    };
    await gate.passes(within(...fields), check);
    await gate.passes(post(...fields, 'Content-Length: 5'), (message) => {
      check(message);
      expect(message.body.toString()).toBe('hello');
    });
  });
});

describe('behind a refusal', () => {
  test('H71: nothing reaches a backend, in one write or in two, behind whatever request', async () => {
    const before = gate.backend.connections;
    for (const bad of [
      post('Content-Length: 5', 'Transfer-Encoding: chunked'),
      within('Connection: host'),
      within('X\r\n'),
    ]) {
      const client = await RawClient.connect(gate.port);
      client.send(`${bad}${plain({ line: 'GET /evil HTTP/1.1' })}`);
      expect((await client.readResponse()).status).toBe(400);
      client.send(plain({ line: 'GET /evil HTTP/1.1' }));
      await client.closed;
    }
    expect(gate.backend.connections - before).toBe(0);
  });

  test('H71: pipelined requests are served in their order, one after the other, up to the refused one', async () => {
    const before = gate.backend.connections;
    const client = await RawClient.connect(gate.port);
    const paths = Array.from({ length: 40 }, (_, n) => `/n${n}`);
    const good = paths.map((path) => plain({ line: `GET ${path} HTTP/1.1` })).join('');
    client.send(`${good}${within('X: \0')}${plain({ line: 'GET /evil HTTP/1.1' })}`);
    for (const path of paths) expect((await client.readResponse()).status, path).toBe(200);
    expect((await client.readResponse()).json().error).toBe('ctl');
    await client.closed;
    expect(gate.backend.messagesFrom(before).map(({ target }) => target)).toEqual(paths);
  });
});
