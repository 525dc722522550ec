import { describe, expect, test } from 'vitest';
import { HeadStep, ResponseHeadParser } from '../../src/protocol/http-head.ts';
import { acceptFor, buildClientSwitch, judgeUpgradeResponse } from '../../src/protocol/upgrade-response.ts';
import { everySplit } from '../support/every-split.ts';
import { ACCEPT, ANSWER, answered, feedAll, KEY, parseResponse } from './heads.ts';

const SWITCH = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${ACCEPT}`];
const OFFER = {
  key: KEY,
  protocols: ['chat', 'v2'],
  extensions: ['permessage-deflate; client_max_window_bits'],
  relax: [],
};

function responseText(line: string, fields: readonly string[]): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n`;
}

const switched = (without: string, ...fields: string[]): string =>
  responseText('HTTP/1.1 101 Switching Protocols', [...SWITCH.filter((line) => !line.startsWith(without)), ...fields]);

function cause(text: string): string {
  const verdict = judgeUpgradeResponse(answered(text), OFFER);
  return verdict.ok ? 'ok' : verdict.cause;
}

const violation = (text: string): string => {
  const parsed = parseResponse(text);
  return 'violation' in parsed ? parsed.violation : 'more' in parsed ? 'more' : `status ${parsed.head.status}`;
};

test('1.3: Sec-WebSocket-Accept of the example key', () => {
  expect(acceptFor(KEY)).toBe(ACCEPT);
});

describe('the judge of a 101 (RFC 6455 4.1)', () => {
  test('a good one: what was agreed, and the other end-to-end fields in order', () => {
    const text = switched(
      'none',
      'Set-Cookie: a=\xe9',
      'Sec-WebSocket-Protocol: v2',
      'Sec-WebSocket-Extensions: permessage-deflate;client_max_window_bits=12',
      'Keep-Alive: 5',
      'Connection: X-Hop',
      'X-Hop: 1',
      'Server: s',
      'set-cookie: b',
    );
    const verdict = judgeUpgradeResponse(answered(text), OFFER);
    if (!verdict.ok) throw new Error(verdict.cause);
    expect([verdict.protocol, verdict.extensions, verdict.deflate]).toEqual([
      'v2',
      'permessage-deflate;client_max_window_bits=12',
      true,
    ]);
    expect(verdict.fields.map((field) => `${field.name}: ${field.value}`)).toEqual([
      'Set-Cookie: a=\xe9',
      'Server: s',
      'set-cookie: b',
    ]);
  });

  test('nothing agreed', () => {
    const verdict = judgeUpgradeResponse(answered(switched('none')), OFFER);
    expect(verdict).toEqual({ ok: true, protocol: null, extensions: null, deflate: false, fields: [], relaxed: [] });
  });

  test.each([100, 102, 103, 199, 200, 204, 299, 301, 404])(
    'B1: %s with the fields of a 101 opens nothing',
    (status) => {
      expect(cause(responseText(`HTTP/1.1 ${status} OK`, SWITCH))).toBe(`status ${status}`);
    },
  );

  test('B3: Upgrade, the Connection token and Accept are required', () => {
    expect(cause(switched('Upgrade'))).toBe('101 without Upgrade: websocket');
    expect(cause(switched('Upgrade', 'Upgrade: h2c'))).toBe('101 without Upgrade: websocket');
    expect(cause(switched('Upgrade', 'Upgrade: websocket, h2c'))).toBe('101 with Upgrade: websocket, h2c');
    expect(cause(switched('none', 'Upgrade: h2c'))).toBe('101 with Upgrade: websocket and Upgrade: h2c');
    expect(cause(switched('none', `Upgrade: ${'x'.repeat(500)}`))).toHaveLength(200);
    expect(cause(switched('none', 'Upgrade: websocket'))).toBe('101 with Upgrade: websocket and Upgrade: websocket');
    expect(cause(switched('Upgrade', 'UPGRADE: WebSocket'))).toBe('ok');
    expect(cause(switched('Connection'))).toBe('101 without Connection: Upgrade');
    expect(cause(switched('Connection', 'Connection: xupgrade'))).toBe('101 without Connection: Upgrade');
    expect(cause(switched('Connection', 'Connection: keep-alive', 'Connection: upgrade'))).toBe('ok');
    expect(cause(switched('Sec-WebSocket-Accept'))).toBe('101 without Sec-WebSocket-Accept');
  });

  test('B4: Accept is exactly the one of our key', () => {
    const wrong = 'wrong Sec-WebSocket-Accept';
    for (const value of [
      '',
      `${ACCEPT}=`,
      ` ${ACCEPT} x`,
      ACCEPT.toLowerCase(),
      `${ACCEPT}, ${ACCEPT}`,
      acceptFor(`${'A'.repeat(22)}==`),
    ]) {
      expect(cause(switched('Sec-WebSocket-Accept', `Sec-WebSocket-Accept: ${value}`))).toBe(wrong);
    }
    expect(cause(switched('none', `Sec-WebSocket-Accept: ${ACCEPT}`))).toBe(wrong);
    expect(cause(switched('Sec-WebSocket-Accept', `sec-websocket-accept: \t${ACCEPT} `))).toBe('ok');
  });

  test('B5: only a subprotocol that was offered, and only one', () => {
    const not = 'subprotocol not offered';
    for (const value of ['other', 'Chat', 'chat, v2', ',', 'chat;', '__proto__', 'chat, chat', 'chat, other']) {
      expect(cause(switched('none', `Sec-WebSocket-Protocol: ${value}`))).toBe(not);
    }
    expect(cause(switched('none', 'Sec-WebSocket-Protocol: chat', 'Sec-WebSocket-Protocol: chat'))).toBe(not);
    expect(cause(switched('none', 'Sec-WebSocket-Protocol: chat'))).toBe('ok');
  });

  test('an empty subprotocol is none, and null elements beside one are ignored', () => {
    const chosen = (...lines: string[]) => {
      const verdict = judgeUpgradeResponse(answered(switched('none', ...lines)), OFFER);
      return verdict.ok ? verdict.protocol : verdict.cause;
    };
    expect(chosen('Sec-WebSocket-Protocol:')).toBeNull();
    expect(chosen('Sec-WebSocket-Protocol: chat,')).toBe('chat');
    expect(chosen('Sec-WebSocket-Protocol: , ,chat\t')).toBe('chat');
    expect(chosen('Sec-WebSocket-Protocol:', 'Sec-WebSocket-Protocol: chat')).toBe('chat');
  });

  test('B5: only an extension that was offered', () => {
    expect(cause(switched('none', 'Sec-WebSocket-Extensions: foo'))).toBe('extension not offered');
    expect(cause(switched('none', 'Sec-WebSocket-Extensions: permessage-deflate; x'))).toBe(
      'invalid permessage-deflate parameters',
    );
    const nothing = { ...OFFER, extensions: [] };
    const verdict = judgeUpgradeResponse(
      answered(switched('none', 'Sec-WebSocket-Extensions: permessage-deflate')),
      nothing,
    );
    expect(verdict).toEqual({ ok: false, cause: 'extension not offered' });
  });

  test('B9: a 101 in HTTP/1.0 is none', () => {
    expect(cause(responseText('HTTP/1.0 101 Switching Protocols', SWITCH))).toBe('101 in HTTP/1.0');
  });

  test('B11: Content-Length and Transfer-Encoding of a 101 are not passed on', () => {
    const text = switched('none', 'Content-Length: 5', 'Transfer-Encoding: chunked', 'X: y');
    const verdict = judgeUpgradeResponse(answered(text), OFFER);
    expect(verdict.ok && verdict.fields.map((field) => field.name)).toEqual(['X']);
  });
});

describe('syntax of a response head', () => {
  test('B6, B7: frames behind the 101 are left where they are, at every cut', () => {
    const frames = Buffer.from('810548656c6c6f', 'hex');
    everySplit(
      Buffer.from(switched('none')),
      (pieces, tail) => {
        const { parsed, rest } = feedAll(new ResponseHeadParser(ANSWER), pieces);
        if (!('head' in parsed) || parsed.head.status !== 101 || !rest.equals(tail)) throw new Error('not left alone');
      },
      { tail: frames },
    );
  });

  const longest = (name: string, size: number) => `${name}: ${'x'.repeat(size - name.length - 2)}`;

  test('B8: a head of 16 KiB passes, in one line or in many, one byte more does not', () => {
    const rest = 16 * 1024 - 'HTTP/1.1 101 OK\r\n\r\n'.length - 2;
    expect(violation(responseText('HTTP/1.1 101 OK', [longest('X', rest)]))).toBe('status 101');
    expect(violation(responseText('HTTP/1.1 101 OK', [longest('X', rest + 1)]))).toBe('head_too_large');
    const reason = 16 * 1024 - 'HTTP/1.1 101 \r\n\r\n'.length;
    expect(violation(responseText(`HTTP/1.1 101 ${'x'.repeat(reason)}`, []))).toBe('status 101');
    expect(violation(responseText(`HTTP/1.1 101 ${'x'.repeat(reason + 1)}`, []))).toBe('head_too_large');
    expect(violation(`HTTP/1.1 101 OK\r\n${'X'.repeat(16 * 1024)}`)).toBe('head_too_large');
    const fields = (count: number) => Array.from({ length: count }, () => 'A:b');
    expect(violation(responseText('HTTP/1.1 101 OK', fields(3273)))).toBe('status 101');
    expect(violation(responseText('HTTP/1.1 101 OK', fields(3274)))).toBe('head_too_large');
  });

  test('B8: another cap holds in its place', () => {
    const text = responseText('HTTP/1.1 101 OK', [longest('X', 100)]);
    const parsed = (headBytesMax: number) => parseResponse(text, { ...ANSWER, headBytesMax });
    expect(parsed(text.length)).toHaveProperty('head');
    expect(parsed(text.length - 1)).toMatchObject({ violation: 'head_too_large' });
  });

  test('B8: a head that never ends is refused at the cap, in little memory', () => {
    const parser = new ResponseHeadParser(ANSWER);
    const chunk = Buffer.from(`${'X: y\r\n'.repeat(10)}`);
    const start = Buffer.from('HTTP/1.1 101 OK\r\n');
    let step = parser.feed(start, 0, start.length);
    for (let i = 0; i < 1000 && step === HeadStep.NeedData; i += 1) step = parser.feed(chunk, 0, chunk.length);
    expect([step, parser.violation]).toEqual([HeadStep.Violation, 'head_too_large']);
    expect(parser.bytesSeen).toBeLessThanOrEqual(ANSWER.headBytesMax);
  });

  test.each([
    ['HTTP/1.1 101X', 'status_line'],
    ['HTTP/1.1 101X OK', 'status_line'],
    ['HTTP/1.1  101 OK', 'status_line'],
    ['HTTP/1.1 10 OK', 'status_line'],
    ['HTTP/1.1 1010 OK', 'status_line'],
    ['HTTP/1.1 001 OK', 'status_line'],
    ['HTTP/1.1 600 OK', 'status_line'],
    ['HTTP/1.1 +01 OK', 'status_line'],
    ['HTTP/1.2 101 OK', 'status_line'],
    ['HTTP/2.0 101 OK', 'status_line'],
    ['HTTP/1.1\t101 OK', 'status_line'],
    ['http/1.1 101 OK', 'status_line'],
    ['HTTP/1.1', 'status_line'],
    ['HTTP/1.1 ', 'status_line'],
    ['ICY 200 OK', 'status_line'],
    ['HTTP/1.1 101 O\0K', 'status_line'],
    ['HTTP/1.1 101 O\x1b[K', 'status_line'],
    ['HTTP/1.1 101 O\rK', 'bare_cr'],
    ['HTTP/1.1 101 O\nK', 'bare_lf'],
    ['HTTP/1.1 1\n01', 'bare_lf'],
  ])('B9: the status line %j is %s', (line, slug) => {
    expect(violation(responseText(line, SWITCH))).toBe(slug);
  });

  test.each([
    ['X: a\0', 'ctl'],
    ['X: a\x01b', 'ctl'],
    ['X: a\x7f', 'ctl'],
    ['X: a\nb', 'bare_lf'],
    ['X: a\rb', 'bare_cr'],
    [' folded', 'obs_fold'],
    ['X: a\r\n\tfolded', 'obs_fold'],
    ['X : a', 'header_name'],
    ['no colon', 'header_name'],
    [': a', 'header_name'],
    ['X\xe9: a', 'header_name'],
  ])('B9: the field %j is %s', (field, slug) => {
    expect(violation(responseText('HTTP/1.1 101 OK', [field, ...SWITCH]))).toBe(slug);
  });

  test('B9: what is legal passes: obs-text, no reason, no space before no reason', () => {
    expect(violation(responseText('HTTP/1.1 404 Pas trouv\xe9', []))).toBe('status 404');
    expect(violation(responseText('HTTP/1.1 404 ', []))).toBe('status 404');
    expect(violation(responseText('HTTP/1.1 404', []))).toBe('status 404');
    expect(violation(responseText('HTTP/1.0 404 Not Found', ['X: \xff']))).toBe('status 404');
  });

  test('B12: each interim head ends where the next begins', () => {
    const interim = responseText('HTTP/1.1 103 Early Hints', ['Link: </a>']);
    const bytes = Buffer.from(interim.repeat(8) + switched('none'));
    let at = 0;
    const statuses: number[] = [];
    while (at < bytes.length) {
      const parser = new ResponseHeadParser(ANSWER);
      expect(parser.feed(bytes, at, bytes.length)).toBe(HeadStep.Done);
      statuses.push(parser.head?.status ?? 0);
      at = parser.position;
    }
    expect(statuses).toEqual([...Array(8).fill(103), 101]);
  });

  test.each(['\r\n', ' ', '\n', 'x', '\x81\x05hello', '\x16\x03\x01', '\0'])(
    'B15: %j before the status line',
    (junk) => {
      expect(violation(junk + switched('none'))).toMatch(/^(?:status_line|bare_lf|bare_cr)$/);
    },
  );
});

describe('the 101 of the client', () => {
  test('ours first, then the fields of the backend as they came', () => {
    const { fields } = answered(responseText('HTTP/1.1 101 X', ['Set-Cookie: a=\xe9', 'set-cookie:']));
    const bytes = buildClientSwitch({ key: KEY, protocol: 'chat', extensions: 'permessage-deflate', fields });
    expect(bytes.toString('latin1')).toBe(
      responseText('HTTP/1.1 101 Switching Protocols', [
        ...SWITCH,
        'Sec-WebSocket-Protocol: chat',
        'Sec-WebSocket-Extensions: permessage-deflate',
        'Set-Cookie: a=\xe9',
        'set-cookie: ',
      ]),
    );
  });

  test('nothing agreed, nothing said', () => {
    const bytes = buildClientSwitch({ key: KEY, protocol: null, extensions: null, fields: [] });
    expect(bytes.toString()).toBe(responseText('HTTP/1.1 101 Switching Protocols', SWITCH));
  });

  test('no value can break a line', () => {
    const base = { key: KEY, protocol: null, extensions: null, fields: [] };
    for (const bad of ['a\r\nX: y', 'a\n', '\u010d\u010a', 'a\0']) {
      expect(() => buildClientSwitch({ ...base, protocol: bad })).toThrow();
      expect(() => buildClientSwitch({ ...base, extensions: bad })).toThrow();
      expect(() => buildClientSwitch({ ...base, fields: [{ name: 'X', lower: 'x', value: bad }] })).toThrow();
    }
  });
});
