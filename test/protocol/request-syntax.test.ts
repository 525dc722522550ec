import { describe, expect, test } from 'vitest';
import { RequestHeadParser } from '../../src/protocol/http-head.ts';
import { HANDSHAKE, LIMITS, outcome, parseRequest, requestText } from './heads.ts';

const withField = (line: string): string => outcome(requestText({ fields: [line] }));
const withLine = (line: string): string => outcome(requestText({ line }));
const bytesBetween = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));

test('a handshake as browsers send it is read field by field', () => {
  const parsed = parseRequest(requestText({ line: 'GET /chat?a=b HTTP/1.1', fields: ['cookie:\t a=b ;c \t', 'X:'] }));
  expect(parsed).toEqual({
    head: {
      method: 'GET',
      target: '/chat?a=b',
      version: '1.1',
      fields: [
        { name: 'Host', lower: 'host', value: 'chat.example.com' },
        { name: 'Upgrade', lower: 'upgrade', value: 'websocket' },
        { name: 'Connection', lower: 'connection', value: 'Upgrade' },
        { name: 'Sec-WebSocket-Key', lower: 'sec-websocket-key', value: 'dGhlIHNhbXBsZSBub25jZQ==' },
        { name: 'Sec-WebSocket-Version', lower: 'sec-websocket-version', value: '13' },
        { name: 'cookie', lower: 'cookie', value: 'a=b ;c' },
        { name: 'X', lower: 'x', value: '' },
      ],
    },
  });
});

describe('line ends (RFC 9112 2.2)', () => {
  test('H1: LF alone ends no line, wherever it stands', () => {
    const text = requestText({});
    expect(outcome(text.replaceAll('\r\n', '\n'))).toBe('bare_lf');
    const ends = [...text.matchAll(/\r\n/g)].map((match) => match.index);
    for (const end of ends) expect(outcome(text.slice(0, end) + text.slice(end + 1))).toBe('bare_lf');
    for (const line of [
      'GE\nT / HTTP/1.1',
      'GET /a\nb HTTP/1.1',
      'GET / HT\nTP/1.1',
      '\nGET / HTTP/1.1',
      'GET\n/ HTTP/1.1',
    ]) {
      expect(withLine(line)).toBe('bare_lf');
    }
    expect(withField('X\nY: z')).toBe('bare_lf');
    expect(withField('X: y\nz')).toBe('bare_lf');
  });

  test('H2: CR without LF is refused anywhere in the head', () => {
    for (const line of [
      'GE\rT / HTTP/1.1',
      'GET\r / HTTP/1.1',
      'GET /a\rb HTTP/1.1',
      'GET / HT\rTP/1.1',
      'GET / HTTP/1.1\r',
    ]) {
      expect(withLine(line)).toBe('bare_cr');
    }
    expect(withLine('\rGET / HTTP/1.1')).toBe('bare_cr');
    expect(withField('X\rY: z')).toBe('bare_cr');
    expect(withField('X: y\rz')).toBe('bare_cr');
    expect(withField('Host: a\rb')).toBe('bare_cr');
    expect(withField('X: y\r')).toBe('bare_cr');
  });

  test('H3: CR LF CR and anything but LF is no end of a head', () => {
    const open = requestText({}).slice(0, -2);
    for (const rest of ['\rX', '\r\r\n', '\r\0', '\r X: y\r\n\r\n']) expect(outcome(open + rest)).toBe('bare_cr');
    expect(outcome(`${open}\r`)).toBe('more');
    expect(outcome(`${open}\r\n`)).toBe('ok');
  });
});

describe('bytes (RFC 9110 5.5)', () => {
  test('H4: NUL is refused in method, target, name and value', () => {
    expect(withLine('G\0T / HTTP/1.1')).toBe('ctl');
    expect(withLine('GET /a\0b HTTP/1.1')).toBe('ctl');
    expect(withLine('GET /?a\0b HTTP/1.1')).toBe('ctl');
    expect(withLine('GET / HTTP/1.\0')).toBe('ctl');
    expect(withField('X\0: y')).toBe('ctl');
    expect(withField('\0: y')).toBe('ctl');
    expect(withField('X: y\0')).toBe('ctl');
    expect(withField('Cookie: \0')).toBe('ctl');
  });

  test('H5: control bytes are refused in a value, HTAB is not', () => {
    const controls = bytesBetween(0x01, 0x1f).filter((char) => !'\t\r\n'.includes(char));
    for (const control of [...controls, '\x7f']) expect(withField(`X: a${control}b`)).toBe('ctl');
    expect(withField('X: a\tb')).toBe('ok');
    expect(withField('X: a\x20~\x21b')).toBe('ok');
  });

  test('H6: obs-text passes in an ordinary value and keeps its bytes', () => {
    const obsText = bytesBetween(0x80, 0xff).join('');
    const parsed = parseRequest(requestText({ fields: [`X: ${obsText}`, 'Y: \xa0a\x85'] }));
    if (!('head' in parsed)) throw new Error('refused');
    expect(parsed.head.fields.at(-2)?.value).toBe(obsText);
    expect(parsed.head.fields.at(-1)?.value).toBe('\xa0a\x85');
  });

  test.each([
    ['Host', 'host'],
    ['Upgrade', 'obs_text'],
    ['CONNECTION', 'obs_text'],
    ['Sec-WebSocket-Protocol', 'obs_text'],
    ['Sec-WebSocket-Extensions', 'obs_text'],
    ['Sec-WebSocket-Whatever', 'obs_text'],
    ['Content-Length', 'content_length'],
    ['Transfer-Encoding', 'transfer_encoding'],
    ['Origin', 'obs_text'],
    ['authorization', 'obs_text'],
  ])('H6: obs-text is refused in %s', (name, slug) => {
    for (const char of ['\x80', '\xa0', '\xff']) {
      expect(outcome(requestText({ without: ['Host'], fields: [`${name}: a${char}`] }))).toBe(slug);
    }
  });

  test('H6: obs-text is refused in Sec-WebSocket-Key and -Version', () => {
    const wrong = (name: string) => outcome(requestText({ without: [name], fields: [`${name}: 13\xa0`] }));
    expect(wrong('Sec-WebSocket-Key')).toBe('key');
    expect(wrong('Sec-WebSocket-Version')).toBe('obs_text');
  });
});

describe('field names (RFC 9112 5.1)', () => {
  test('H7: whitespace before the colon is refused', () => {
    for (const char of [' ', '\t', '\x0b', '\x85', '\xa0']) expect(withField(`X-A${char}: y`)).toBe('header_name');
  });

  test('H8: a line that begins with a space or tab is refused, the first one too', () => {
    for (const char of [' ', '\t']) {
      expect(withField(`${char}folded`)).toBe('obs_fold');
      expect(outcome(`GET / HTTP/1.1\r\n${char}Host: a\r\n\r\n`)).toBe('obs_fold');
      expect(withField(`X: y\r\n${char}\r\nZ: z`)).toBe('obs_fold');
    }
  });

  test('H9: an empty name and a line without a colon are refused', () => {
    for (const line of [': x', ':', 'no-colon', '::', 'a']) expect(withField(line)).toBe('header_name');
  });

  test('H10: a byte that no token holds is refused in a name', () => {
    const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;
    for (const char of bytesBetween(0x01, 0xff)) {
      if ('\r\n\t :'.includes(char)) continue;
      expect(withField(`X${char}Y: z`)).toBe(token.test(char) ? 'ok' : 'header_name');
    }
    for (const name of ['X[]', 'X(Y)', '\xefX', '"X"', '@']) expect(withField(`${name}: z`)).toBe('header_name');
  });
});

describe('request line (RFC 9112 3)', () => {
  test.each([
    ['two spaces', 'GET  / HTTP/1.1'],
    ['two spaces before the version', 'GET /  HTTP/1.1'],
    ['a tab', 'GET\t/ HTTP/1.1'],
    ['a tab after the space', 'GET / \tHTTP/1.1'],
    ['no version', 'GET /'],
    ['no version after a space', 'GET / '],
    ['no target', 'GET HTTP/1.1'],
    ['HTTP/0.9', 'GET / HTTP/0.9'],
    ['a trailing space', 'GET / HTTP/1.1 '],
    ['a leading space', ' GET / HTTP/1.1'],
    ['a junk prefix', '\x16\x03\x01GET / HTTP/1.1'],
    ['a quoted method', '"GET" / HTTP/1.1'],
    ['a method alone', 'GET'],
  ])('H11: %s', (_, line) => {
    expect(withLine(line)).toBe('request_line');
  });

  test('H11: one empty line before the request line is ignored, two are not', () => {
    expect(outcome(`\r\n${requestText({})}`)).toBe('ok');
    expect(outcome(`\r\n\r\n${requestText({})}`)).toBe('request_line');
    expect(outcome(`\r\n\n${requestText({})}`)).toBe('bare_lf');
    expect(outcome(`\r\r\n${requestText({})}`)).toBe('bare_cr');
  });

  test('H12: HTTP/1.0 never becomes a WebSocket', () => {
    expect(withLine('GET /chat HTTP/1.0')).toBe('http_version');
  });

  test('H13: a well-formed other version is 505, a malformed one 400', () => {
    for (const version of ['HTTP/2.0', 'HTTP/1.2', 'HTTP/1.0', 'HTTP/9.9', 'HTTP/3.1']) {
      expect(withLine(`GET /chat ${version}`)).toBe('http_version');
    }
    for (const version of [
      'HTTP/11.1',
      'HTTP/1.32',
      'http/1.1',
      'HTTP/1',
      'HTTP/1.',
      'HTTP/.1',
      'HTTP 1.1',
      'HTTPS/1.1',
      'HTTP/1.x',
      'HTTP/0.0',
    ]) {
      expect(withLine(`GET /chat ${version}`)).toBe('request_line');
    }
    expect(outcome('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.slice(0, 18))).toBe('http_version');
    expect(withLine('PRI * HTTP/1.1')).toBe('method');
  });

  test.each(['POST', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'get', 'Get', 'GETT', 'G', 'a'.repeat(32)])(
    'H14: the method %s is 405',
    (method) => {
      expect(withLine(`${method} /chat HTTP/1.1`)).toBe('method');
    },
  );

  test('H14: a method above 32 bytes is 400, before its end is seen', () => {
    expect(outcome('a'.repeat(32))).toBe('more');
    expect(outcome('a'.repeat(33))).toBe('request_line');
    expect(withLine(`${'A'.repeat(2048)} / HTTP/1.1`)).toBe('request_line');
  });

  test('H15: CONNECT host:443 is 405', () => {
    expect(withLine('CONNECT chat.example.com:443 HTTP/1.1')).toBe('method');
  });
});

describe('target bytes (RFC 9112 3.2)', () => {
  test('H19: # is refused in the path and in the query', () => {
    for (const target of ['/a#b', '/#', '/a?b#c', '#']) expect(withLine(`GET ${target} HTTP/1.1`)).toBe('target_char');
  });

  test('H20: each byte of a path and of a query either passes or is target_char', () => {
    const never = '#"<>';
    const notInPath = '\\`{}';
    for (const char of bytesBetween(0x01, 0xff)) {
      if ('\r\n ?'.includes(char)) continue;
      const isVisible = char > ' ' && char < '\x7f' && !never.includes(char);
      const path = char === '%' ? '%41' : char;
      expect(withLine(`GET /a${path}b HTTP/1.1`)).toBe(isVisible && !notInPath.includes(char) ? 'ok' : 'target_char');
      expect(withLine(`GET /a?${char}b HTTP/1.1`)).toBe(isVisible ? 'ok' : 'target_char');
    }
    expect(withLine('GET /a b HTTP/1.1')).toBe('target_char');
    expect(withLine('GET /?a b HTTP/1.1')).toBe('target_char');
    expect(withLine('GET /a??b HTTP/1.1')).toBe('ok');
  });

  test('H20: what passes is kept byte for byte', () => {
    const target = '/a|b^[c]%41%2f;x=1?q={"}"%&%zz\\`'.replaceAll('"', "'");
    const parsed = parseRequest(requestText({ line: `GET ${target} HTTP/1.1` }));
    expect('head' in parsed && parsed.head.target).toBe(target);
  });
});

describe('caps', () => {
  const small = { headBytesMax: 512, targetBytesMax: 64, fieldsMax: 6 };

  test('H24: 414 at the first byte of the target above the cap', () => {
    expect(outcome(`GET /${'a'.repeat(63)}`, small)).toBe('more');
    expect(outcome(`GET /${'a'.repeat(64)}`, small)).toBe('target_too_long');
    expect(outcome(requestText({ line: `GET /${'a'.repeat(63)} HTTP/1.1` }), small)).toBe('ok');
    expect(outcome(requestText({ line: `GET /?${'a'.repeat(62)} HTTP/1.1` }), small)).toBe('ok');
    expect(outcome(`GET /?${'a'.repeat(63)}`, small)).toBe('target_too_long');
    expect(outcome(`GET /${'a'.repeat(63)}?`, small)).toBe('target_too_long');
    expect(outcome(`GET /${'a'.repeat(63)}#`, small)).toBe('target_char');
    expect(outcome(`GET /${'a'.repeat(8191)} `)).toBe('more');
    expect(outcome(`GET /${'a'.repeat(8192)}`)).toBe('target_too_long');
  });

  test('H25: 431 at the first byte of the head above the cap', () => {
    const text = requestText({ fields: ['X: '] });
    const pad = (total: number) => text.replace('X: ', `X: ${'x'.repeat(total - text.length)}`);
    expect(outcome(pad(512), small)).toBe('ok');
    expect(outcome(pad(513), small)).toBe('head_too_large');
    expect(parseRequest(pad(600), small)).toEqual({ violation: 'head_too_large', at: 512 });
    expect(outcome(pad(16 * 1024))).toBe('ok');
    expect(outcome(pad(16 * 1024 + 1))).toBe('head_too_large');
    expect(outcome(`GET / HTTP/1.1\r\n${'X'.repeat(20_000)}`)).toBe('head_too_large');
    expect(outcome(`GET / HTTP/1.1\r\nX:${' '.repeat(20_000)}`)).toBe('head_too_large');
  });

  test('H26: 431 at the first byte of a field above the count', () => {
    expect(outcome(requestText({ fields: ['A: b'] }), small)).toBe('ok');
    expect(outcome(requestText({ fields: ['A: b', 'C: d'] }), small)).toBe('too_many_fields');
    expect(outcome(`GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(6)}C`, small)).toBe('too_many_fields');
    expect(outcome(`GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(6)} C`, small)).toBe('obs_fold');
    const filler = (count: number) => Array.from({ length: count - HANDSHAKE.length }, (_, i) => `X-${i}: y`);
    expect(outcome(requestText({ fields: filler(100) }))).toBe('ok');
    expect(outcome(requestText({ fields: filler(101) }))).toBe('too_many_fields');
  });

  test('H23: a head in one-byte pieces costs one copy of each byte and a few doublings', () => {
    const text = requestText({ fields: [`X: ${'x'.repeat(15_000)}`] });
    const bytes = Buffer.from(text, 'latin1');
    let copied = 0;
    const original = Buffer.prototype.copy;
    Buffer.prototype.copy = function counted(this: Buffer, ...args: Parameters<typeof original>): number {
      const size = original.apply(this, args);
      copied += size;
      return size;
    };
    try {
      const parser = new RequestHeadParser(LIMITS);
      for (let i = 0; i < bytes.length; i += 1) parser.feed(bytes, i, i + 1);
      expect(parser.head?.fields.at(-1)?.value.length).toBe(15_000);
    } finally {
      Buffer.prototype.copy = original;
    }
    expect(copied).toBeLessThan(3 * bytes.length);
  });
});

describe('fields as data', () => {
  test('H27: names of object prototypes are ordinary fields', () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
    const parsed = parseRequest(requestText({ fields: names.map((name) => `${name}: x`) }));
    if (!('head' in parsed)) throw new Error('refused');
    expect(parsed.head.fields.slice(-4).map((field) => field.name)).toEqual(names);
    expect(
      outcome(requestText({ line: 'GET /?__proto__=x HTTP/1.1', fields: names.map((name) => `${name}: x`) })),
    ).toBe('ok');
    expect(withField('Sec-WebSocket-Protocol: __proto__, constructor, toString')).toBe('ok');
    expect(withField('Sec-WebSocket-Extensions: __proto__; constructor=toString')).toBe('ok');
  });

  test('H28: a second copy of a single field is refused, equal or not', () => {
    expect(withField('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')).toBe('dup_field');
    expect(withField('sec-websocket-key: other')).toBe('dup_field');
    expect(withField('Sec-WebSocket-Version: 13')).toBe('dup_field');
    expect(withField('Authorization: a\r\nX: y\r\nAUTHORIZATION: a')).toBe('dup_field');
    expect(withField('Origin: https://a\r\nOrigin: https://b')).toBe('dup_field');
    expect(withField('Origin: https://a\r\nAuthorization: b')).toBe('ok');
    expect(withField('Cookie: a\r\nCookie: a')).toBe('ok');
  });
});

test('a refused or unfinished head still tells what was read of it', () => {
  const parser = new RequestHeadParser(LIMITS);
  const bytes = Buffer.from('GET /chat?x HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nX : y\r\n', 'latin1');
  parser.feed(bytes, 0, bytes.length);
  expect([parser.violation, parser.method, parser.target]).toEqual(['header_name', 'GET', '/chat?x']);
  expect(parser.fields.map((field) => field.value)).toEqual(['a', 'b']);
  const early = new RequestHeadParser(LIMITS);
  const target = Buffer.from(`GET /${'a'.repeat(400)}#`);
  early.feed(target, 0, target.length);
  expect([early.violation, early.target.length]).toEqual(['target_char', 256]);
});
