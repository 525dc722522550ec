import { describe, expect, test } from 'vitest';
import { valuesOf } from '../reference/grammar.ts';
import { readPlain } from '../reference/plain-request.ts';
import { startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { exampleKey } from '../support/wire.ts';
import { bytesBetween } from './harness.ts';
import { chunks, PLACES, plain, type RefusedPlain, refusedTests, sharedPlainGate } from './plain-gate.ts';

const HEAD_MAX = 2048;
const gate = sharedPlainGate((url) => ({
  limits: { max_head_size: `${HEAD_MAX}B`, max_header_fields: 20 },
  routes: [{ name: 'both', match: { path: '/*' }, upstream: 'builtin:echo', http: url }],
}));

/** What is wrong shows when the backend may have got a part: never a whole request, and nothing behind it. */
async function breaks(request: string, refusal: string): Promise<void> {
  for (const place of PLACES) {
    const before = gate.backend.connections + (place.startsWith('later') ? 1 : 0);
    const { answer, client } = await gate.ask(request, place, false);
    expect([place, answer]).toEqual([place, refusal]);
    await client.closed;
    const seen = gate.backend.received.slice(before).map((bytes) => [readPlain(bytes).kind, String(bytes)]);
    for (const [kind, text] of seen) expect([kind, text], request).toEqual(['more', expect.not.stringMatching('evil')]);
  }
}

function brokenTests(rows: readonly RefusedPlain[]): void {
  for (const [name, requests, refusal] of rows) {
    test(name, async () => {
      for (const request of requests) await breaks(request, refusal);
    });
  }
}

const EVIL = 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = '0\r\n\r\n';

describe('chunks (RFC 9112 7.1)', () => {
  brokenTests([
    [
      'H63: a size that is not hex digits and nothing else',
      ['0x5', '+5', '-5', ' 5', '5 ', '5\t', '', 'g', '5 5', '5,', '\x005', '5\xa0', '_5', '5h'].map((size) =>
        chunks(`${size}\r\nhello\r\n${LAST}`),
      ),
      '400 http_syntax',
    ],
    [
      'H63: a size that overflows, or has more digits than a length',
      ['fffffffffffffff5', '10000000000000005', '00000000000005', `${'0'.repeat(400)}5`].map((size) =>
        chunks(`${size}\r\nhello\r\n${LAST}`),
      ),
      '400 http_syntax',
    ],
    [
      'H63: a chunk or its size that ends in anything but CR LF',
      [
        ...['5\nhello\r\n', '5\r\rhello\r\n', '5\rhello\r\n', '5\r\nhello\n', '5\r\nhello\r', '5\r\nhello\n\n'],
        ...['5\r\nhello', '5\r\nhello!\r\n', '5\r\nhello\0\r\n', '5\n\nhello\r\n'],
      ].map((text) => chunks(`${text}${LAST}${EVIL}`)),
      '400 http_syntax',
    ],
    [
      'H64: an extension with what may end a line elsewhere',
      ['5;a\nb\r\n', '5;a\rb\r\n', '5;\0\r\n', '5;\x0b\r\n', '5;a\xa0\r\n', '5;\n'].map((line) =>
        chunks(`${line}hello\r\n${LAST}`),
      ),
      '400 http_syntax',
    ],
    [
      'H64: extensions of more bytes than a head',
      [chunks(`5;${'a'.repeat(HEAD_MAX + 1)}\r\nhello\r\n${LAST}`)],
      '400 http_syntax',
    ],
    [
      'H65: a trailer that is no field',
      ['a', ': x', 'a b: c'].map((line) => chunks(`0\r\n${line}\r\n\r\n${EVIL}`)),
      '400 header_name',
    ],
    ['H65: trailers with LF alone', [chunks(`0\r\na: b\n\n${EVIL}`), chunks(`0\r\n\n${EVIL}`)], '400 bare_lf'],
    [
      'H65: more trailers than a head may have fields',
      [chunks(`0\r\n${'a: b\r\n'.repeat(21)}\r\n`)],
      '431 too_many_fields',
    ],
    [
      'H65: more trailers than a head may have bytes',
      [chunks(`0\r\na: ${'b'.repeat(HEAD_MAX)}\r\n\r\n`)],
      '431 head_too_large',
    ],
  ]);

  test('H63: sizes in any case, with zeros in front, of one byte and of many', async () => {
    const text = `A\r\n0123456789\r\n01\r\nx\r\n000000000000b\r\nhello\r\nGET \r\n${LAST}`;
    await gate.passes(chunks(text), ({ framing, body }) =>
      expect([framing, body.toString()]).toEqual(['chunked', '0123456789xhello\r\nGET ']),
    );
  });

  test('H64: extensions end here, up to as many bytes as a head may have', async () => {
    const request = chunks(`5;a=b;c="d"\r\nhello\r\n0;${'a'.repeat(HEAD_MAX - 10)}\r\n\r\n`);
    const before = gate.backend.connections;
    await gate.passes(request, ({ body }) => expect(body.toString()).toBe('hello'));
    expect(Buffer.concat(gate.backend.received.slice(before)).includes(';')).toBe(false);
  });

  test('H65: trailers end here, those that frame a body or say who asks too', async () => {
    const trailers = [
      'Content-Length: 3',
      'Transfer-Encoding: gzip',
      'Host: evil',
      'X-Real-IP: 1.1.1.1',
      'Cookie: a=b',
    ];
    const before = gate.backend.connections;
    await gate.passes(chunks(`5\r\nhello\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n`), (message) => {
      expect([message.framing, message.body.toString()]).toEqual(['chunked', 'hello']);
      expect([...valuesOf(message.fields, 'content-length'), ...valuesOf(message.fields, 'cookie')]).toEqual([]);
    });
    expect(Buffer.concat(gate.backend.received.slice(before)).includes('evil')).toBe(false);
  });

  test('H65: as many trailers as a head may have fields', async () => {
    await gate.passes(chunks(`0\r\n${'a: b\r\n'.repeat(20)}\r\n`), ({ body }) => expect(body.length).toBe(0));
  });
});

describe('an upgrade among plain requests', () => {
  const upgrade = (fields: readonly string[], body = ''): string =>
    plain({
      fields: [...fields, `Sec-WebSocket-Key: ${exampleKey}`, 'Sec-WebSocket-Version: 13'],
      body,
    });
  const legal = ['Upgrade: websocket', 'Connection: Upgrade'];

  refusedTests(gate, [
    ['H55: one with a body by its length', [upgrade([...legal, `Content-Length: ${EVIL.length}`], EVIL)], '400 body'],
    [
      'H55: one with a body in chunks',
      [upgrade([...legal, 'Transfer-Encoding: chunked'], LAST + EVIL)],
      '400 transfer_encoding',
    ],
    [
      'H58: one without Connection, or whose Connection does not say so',
      [upgrade(['Upgrade: websocket']), upgrade(['Upgrade: WebSocket', 'Connection: close'])],
      '400 connection_token',
    ],
    [
      'H58: one whose Upgrade names websocket as no protocol',
      [
        ...['websocket;x', '"websocket"', 'websocket/', '/websocket', 'websocket x', 'h2c websocket', 'websocket/13/x'],
        ...['=websocket', 'a;websocket', '(websocket)', 'websocket/13'],
      ].map((value) => upgrade([`Upgrade: ${value}`, 'Connection: Upgrade'])),
      '426 upgrade_required',
    ],
    ['H58: one with obs-text', [upgrade(['Upgrade: websocket\xa0', 'Connection: Upgrade'])], '400 obs_text'],
    ['H58: one by another method', [upgrade(legal).replace('GET', 'POST')], '405 method'],
    ['H58: one by HTTP/1.0', [upgrade(legal).replace('HTTP/1.1', 'HTTP/1.0')], '505 http_version'],
  ]);

  test('H58: whoever reads Upgrade as a list finds what we found in it', async () => {
    for (const fields of [
      ['Upgrade: WebSocket', 'Connection: keep-alive, upgrade'],
      ['Upgrade: h2c, websocket', 'Connection: Upgrade'],
      ['Upgrade: h2c', 'Upgrade: websocket', 'Connection: close', 'Connection: Upgrade'],
      ['Upgrade: ,websocket,', 'Connection: Upgrade'],
    ])
      for (const place of PLACES) {
        const { answer, seen, client } = await gate.ask(upgrade(fields), place);
        expect([place, fields, answer, seen]).toEqual([place, fields, '101', []]);
        client.destroy();
      }
  });

  test('H58: a word that only holds the name is another protocol, and none is asked for', async () => {
    for (const value of ['websockets', 'xwebsocket', 'web-socket', 'websocket2', 'x-websocket', 'websocket.x', ''])
      await gate.passes(plain({ fields: [`Upgrade: ${value}`, 'Connection: Upgrade'] }), (message) =>
        expect(valuesOf(message.fields, 'upgrade')).toEqual([]),
      );
  });
});

test('H72: values keep their bytes, though the bodies are late, both ways', async () => {
  const backend = await RawBackend.listen();
  const { port } = await startProxy({ routes: [{ name: 'both', match: { path: '/*' }, http: backend.url }] });
  const high = bytesBetween(0x80, 0xff).join('');
  for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const client = await RawClient.connect(port);
    client.send(plain({ line: 'POST /both HTTP/1.1', fields: [`X-High: ${high}`, framing] }));
    const server = await backend.nextConnection();
    expect((await server.readHead()).field('x-high')).toBe(high);
    server.send(`HTTP/1.1 200 OK\r\nX-High: ${high}\r\n${framing}\r\n\r\n`);
    expect((await client.readHead()).field('x-high')).toBe(high);
  }
});
