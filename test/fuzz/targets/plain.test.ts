import { describe, expect, test } from 'vitest';
import { judgePlainTalk, type PlainTranscript } from '../model/plain-judge.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const sentAs = (path: string, more = '', body = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nX-Fuzz: ${path}\r\n${more}\r\n${body}`;
const seenAs = (path: string, more = '', body = ''): Buffer =>
  bytes(sentAs(path, `X-Real-IP: 127.0.1.1\r\n${more}Connection: close\r\n`, body));
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const BAD = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}';

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const good: PlainTranscript = {
  sent: bytes(`${sentAs('/1')}${sentAs('/2', CHUNKED, '2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n')}GET  / HTTP/1.1\r\n\r\n`),
  goodFirst: 2,
  received: bytes(`${OK}${OK}${BAD}`),
  backends: [seenAs('/1'), seenAs('/2', CHUNKED, '3\r\nabc\r\n0\r\n\r\n')],
};
const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = good.backends;

describe('the judge of plain requests', () => {
  test('takes what is in order', () => {
    judgePlainTalk(good);
  });

  const rows: readonly (readonly [what: string, change: Partial<PlainTranscript>])[] = [
    ['one that was not sent', { backends: [first, second, seenAs('/evil')], received: bytes(OK + OK + OK) }],
    ['one that is missing', { backends: [first], received: bytes(OK + BAD) }],
    ['another order', { backends: [second, first] }],
    ['another body', { backends: [first, seenAs('/2', CHUNKED, '3\r\nabd\r\n0\r\n\r\n')] }],
    ['another framing', { backends: [first, seenAs('/2', 'Content-Length: 3\r\n', 'abc')] }],
    ['two framings', { backends: [first, seenAs('/2', `${CHUNKED}Content-Length: 3\r\n`, '0\r\n\r\n')] }],
    ['bytes behind a request', { backends: [seenAs('/1', '', 'GET'), second] }],
    ['a part of a request that is not the last', { backends: [first.subarray(0, 20), first, second] }],
    ['a field less', { backends: [bytes(String(first).replace('X-Fuzz', 'X-Other')), second] }],
    ['an Upgrade', { backends: [seenAs('/1', 'Upgrade: h2c\r\n'), second] }],
    ['an answer behind a refusal', { received: bytes(OK + BAD + OK) }],
    ['an answer too many', { received: bytes(OK + OK + OK) }],
    ['what is no answer', { received: bytes(`${OK}${OK}x`) }],
  ];
  test.each(rows)('finds %s', (_, change) => {
    expect(() => judgePlainTalk({ ...good, ...change })).toThrow();
  });
});
