import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { buildRelayedRefusal, REFUSAL_BODY_MAX, relayedRefusalFields } from '../../src/protocol/refusal-body.ts';
import { BodyStep, ResponseBody } from '../../src/protocol/response-body.ts';
import { everySplit, placed } from '../support/every-split.ts';
import { answered } from './heads.ts';

interface Outcome {
  readonly result: string;
  readonly violation: string | null;
  readonly dropped: boolean;
}

const head = (fields: readonly string[], line = 'HTTP/1.1 403 Nope') =>
  answered(`${[line, ...fields].join('\r\n')}\r\n\r\n`);

function feedBody(body: ResponseBody, pieces: readonly Buffer[], close: boolean): Outcome {
  let step: BodyStep = body.feed(Buffer.alloc(0), 0, 0);
  for (const piece of pieces) {
    if (step !== BodyStep.NeedData) break;
    const { bytes, start, end } = placed(piece);
    step = body.feed(bytes, start, end);
    bytes.fill(0x5a);
  }
  if (close && step === BodyStep.NeedData) step = body.end();
  assert.equal(body.feed(Buffer.from('x'), 0, step === BodyStep.NeedData ? 0 : 1), step);
  const { violation, dropped } = body;
  const result = step === BodyStep.Done ? body.bytes().toString('latin1') : step === BodyStep.NeedData ? 'more' : '502';
  return { result, violation, dropped };
}

/** What a body comes to in every cut, with something behind it when it has an end of its own. */
function decode(fields: readonly string[], wire: string, options: { close?: boolean; line?: string } = {}): Outcome {
  const { close = false, line } = options;
  const bytes = Buffer.from(wire, 'latin1');
  const make = () => new ResponseBody(head(fields, line), REFUSAL_BODY_MAX);
  const whole = feedBody(make(), [bytes], close);
  const stride = bytes.length > 2000 ? Math.ceil(bytes.length / 20) : 1;
  const tail = close || whole.result === 'more' ? Buffer.alloc(0) : undefined;
  everySplit(bytes, (pieces) => assert.deepEqual(feedBody(make(), pieces, close), whole), {
    stride,
    ...(tail === undefined ? {} : { tail }),
  });
  return whole;
}

const CHUNKED = ['Transfer-Encoding: chunked'];
const ok = (result: string, dropped = false): Outcome => ({ result, violation: null, dropped });
const bad = (violation: string): Outcome => ({ result: '502', violation, dropped: false });

describe('B2: the body of a refusal (RFC 9112 6.3)', () => {
  test('by Content-Length', () => {
    expect(decode(['Content-Length: 5'], 'hello')).toEqual(ok('hello'));
    expect(decode(['Content-Length: 5'], 'hell')).toEqual(ok('more'));
    expect(decode(['Content-Length: 5'], 'hell', { close: true })).toEqual(ok('', true));
    expect(decode(['Content-Length: 0'], '')).toEqual(ok(''));
    expect(decode(['Content-Length: 5', 'Content-Length: 5'], 'hello')).toEqual(ok('hello'));
    expect(decode(['Content-Length: 5, 5 ,5'], 'hello')).toEqual(ok('hello'));
  });

  test('by chunks, with extensions and trailers read past', () => {
    expect(decode(CHUNKED, '5\r\nhello\r\n0\r\n\r\n')).toEqual(ok('hello'));
    expect(
      decode(['transfer-encoding: Chunked'], '5;a="b"\r\nhello\r\n00A\r\n0123456789\r\n0;x\r\nX: y\r\nZ: z\r\n\r\n'),
    ).toEqual(ok('hello0123456789'));
    expect(decode(CHUNKED, '0\r\n\r\n')).toEqual(ok(''));
    expect(decode(CHUNKED, '5\r\nhello\r\n0\r\n')).toEqual(ok('more'));
    expect(decode(CHUNKED, '5\r\nhello\r\n0\r\n', { close: true })).toEqual(ok('', true));
    expect(decode(CHUNKED, '5\r\nhel', { close: true })).toEqual(ok('', true));
    expect(decode(CHUNKED, '', { close: true })).toEqual(ok('', true));
  });

  test.each([
    ['a length', ['Content-Length: 5'], 'hello'],
    ['chunks', CHUNKED, '5\r\nhello\r\n0\r\nX: y\r\n\r\n'],
    ['none', ['Content-Length: 0'], ''],
  ])('ends where it ends, and says where that is: %s', (_how, fields, wire) => {
    const bytes = Buffer.from(`${wire}HTTP/1.1 200 OK`);
    everySplit(bytes, (pieces) => {
      const body = new ResponseBody(head(fields), REFUSAL_BODY_MAX);
      let taken = 0;
      for (const { bytes: piece, start, end } of pieces.map(placed)) {
        const step = body.feed(piece, start, end);
        taken += body.position - start;
        if (step === BodyStep.Done) break;
      }
      assert.deepEqual([taken, body.isDelimited], [wire.length, true]);
    });
  });

  test('until close', () => {
    expect(decode([], 'hello', { close: true })).toEqual(ok('hello'));
    expect(decode([], '', { close: true, line: 'HTTP/1.0 500 X' })).toEqual(ok(''));
    expect(decode([], 'hello')).toEqual(ok('more'));
  });

  test('none after 304, whatever it announces', () => {
    expect(decode(['Content-Length: 5'], '', { line: 'HTTP/1.1 304 X' })).toEqual(ok(''));
    expect(decode([], '', { line: 'HTTP/1.1 304 X' })).toEqual(ok(''));
  });

  test('64 KiB are kept, one byte more drops the whole body at once', () => {
    const full = 'x'.repeat(REFUSAL_BODY_MAX);
    expect(decode([`Content-Length: ${full.length}`], full)).toEqual(ok(full));
    expect(decode([`Content-Length: ${full.length + 1}`], '')).toEqual(ok('', true));
    expect(decode(['Content-Length: 999999999999999'], '')).toEqual(ok('', true));
    expect(decode([], full, { close: true })).toEqual(ok(full));
    expect(decode([], `${full}x`)).toEqual(ok('', true));
    expect(decode(CHUNKED, `10000\r\n${full}\r\n0\r\n\r\n`)).toEqual(ok(full));
    expect(decode(CHUNKED, '10001')).toEqual(ok('', true));
    expect(decode(CHUNKED, `8000\r\n${full.slice(0, 0x8000)}\r\n8001`)).toEqual(ok('', true));
  });
});

describe('B10: framing that two readers could understand differently is 502', () => {
  test.each([
    [['Transfer-Encoding: chunked', 'Content-Length: 5'], 'Transfer-Encoding with Content-Length'],
    [['Content-Length: 5', 'Content-Length: 6'], 'different Content-Lengths'],
    [['Content-Length: 5, 6'], 'different Content-Lengths'],
    [['Content-Length: 5', 'Content-Length: 05'], 'different Content-Lengths'],
    [['Content-Length: 5,'], 'bad Content-Length'],
    [['Content-Length: 5', 'Content-Length: x'], 'bad Content-Length'],
    [['Content-Length: +5'], 'bad Content-Length'],
    [['Content-Length: -1'], 'bad Content-Length'],
    [['Content-Length: 0x5'], 'bad Content-Length'],
    [['Content-Length:'], 'bad Content-Length'],
    [['Content-Length: 1234567890123456'], 'bad Content-Length'],
    [['Transfer-Encoding: gzip'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: gzip, chunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: identity'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding:'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: xchunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: \xa0chunked'], 'unknown Transfer-Encoding'],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 'unknown Transfer-Encoding'],
  ])('%j', (fields, violation) => {
    expect(decode(fields, '5\r\nhello\r\n0\r\n\r\n')).toEqual(bad(violation));
  });

  test('chunked in HTTP/1.0', () => {
    expect(decode(CHUNKED, '', { line: 'HTTP/1.0 403 X' })).toEqual(bad('chunked in HTTP/1.0'));
  });

  test.each([
    'x\r\n',
    '\r\n',
    ';a\r\n',
    ' 5\r\n',
    '5 \r\n',
    '+5\r\n',
    '-5\r\n',
    '0x5\r\n',
    '5\n',
    '5\rx',
    '5;a\nb',
    '5;a\0',
    '00000005\r\n',
    '5\r\nhelloX',
    '5\r\nhello\n',
    '5\r\nhello\rX',
    '0\r\n\n',
    '0\r\n\rX',
    '0\r\nX: y\n',
    `5;${'a'.repeat(17_000)}`,
    `0\r\n${'X: y\r\n'.repeat(4000)}`,
  ])('bad chunk %j', (wire) => {
    expect(decode(CHUNKED, wire)).toEqual(bad('bad chunk'));
  });
});

describe('B2: the response made of it', () => {
  const relayed = (line: string, fields: readonly string[], body = '') => {
    const { status } = head(fields, line);
    const bytes = buildRelayedRefusal({
      status,
      fields: relayedRefusalFields(head(fields, line)),
      body: Buffer.from(body, 'latin1'),
    });
    return bytes.toString('latin1');
  };

  test('standard phrase, end-to-end fields in order, our framing', () => {
    const text = relayed(
      'HTTP/1.1 401 \x9bevil phrase',
      [
        'WWW-Authenticate: Bearer',
        'Set-Cookie: a=\xe9',
        'Transfer-Encoding: chunked',
        'Connection: X-Hop, keep-alive',
        'X-Hop: y',
        'Keep-Alive: 5',
        'Upgrade: h2c',
        'Proxy-Authenticate: Basic',
        'set-cookie: b',
        'Retry-After: 7',
        'Location: /x',
        'Content-Type: text/plain',
      ],
      'nope\xff',
    );
    expect(text).toBe(
      [
        'HTTP/1.1 401 Unauthorized',
        'WWW-Authenticate: Bearer',
        'Set-Cookie: a=\xe9',
        'set-cookie: b',
        'Retry-After: 7',
        'Location: /x',
        'Content-Type: text/plain',
        'Content-Length: 5',
        'Connection: close',
        '',
        'nope\xff',
      ].join('\r\n'),
    );
  });

  test.each([
    [301, 'Moved Permanently'],
    [400, 'Bad Request'],
    [403, 'Forbidden'],
    [404, 'Not Found'],
    [429, 'Too Many Requests'],
    [500, 'Internal Server Error'],
    [503, 'Service Unavailable'],
    [499, 'Unassigned'],
  ])('%s is %s', (status, phrase) => {
    expect(relayed(`HTTP/1.1 ${status} X`, ['Content-Length: 99'])).toBe(
      `HTTP/1.1 ${status} ${phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
  });

  test('RFC 9110 15.5.22: a 426 says what to upgrade to, in a field of ours', () => {
    expect(relayed('HTTP/1.1 426 X', ['Upgrade: h2c', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'])).toBe(
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\nUpgrade: websocket\r\n' +
        'Connection: Upgrade, close\r\n\r\n',
    );
  });

  test('RFC 7838 3: Alt-Svc does not go on, in no answer', () => {
    expect(relayed('HTTP/1.1 401 X', ['alt-svc: h3=":443"', 'Alt-Svc: clear', 'X: y'])).not.toMatch(/alt-svc/i);
  });

  test('a 304 states no length, and what lost its body no coding', () => {
    expect(relayed('HTTP/1.1 304 X', ['ETag: "x"'])).toBe(
      'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nConnection: close\r\n\r\n',
    );
    expect(relayed('HTTP/1.1 403 X', ['Content-Encoding: gzip'])).not.toContain('gzip');
    expect(relayed('HTTP/1.1 403 X', ['Content-Encoding: gzip'], 'x')).toContain('Content-Encoding: gzip');
  });
});
