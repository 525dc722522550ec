// What the log says of clients that speak something else, or the beginning of something that needs an application.

import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { requestOf, sharedGate, withLine, without } from '../hostile/harness.ts';

const gate = sharedGate();
const proxyV2 = '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x30\x39\0\x50';
const clientHello = '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03';
const plain = without('Upgrade');
const ask = (line: string): string => plain.replace(/^[^\r]*/, `${line} HTTP/1.1`);

describe('the cause of a refusal names what the client seems to speak', () => {
  test.each([
    ['TLS', Buffer.from(clientHello, 'latin1'), '400 request_line', /looks like TLS/],
    ['one byte of TLS', Buffer.from(clientHello.slice(0, 1), 'latin1'), '400 request_line', /looks like TLS/],
    ['PROXY v1', `PROXY TCP4 127.0.0.1 127.0.0.1 5 80\r\n${requestOf()}`, null, /looks like the PROXY protocol/],
    ['PROXY v1 for IPv6', 'PROXY TCP6 ::1 ::1 5 80\r\n', null, /looks like the PROXY protocol/],
    ['PROXY v1 of a health check', 'PROXY UNKNOWN\r\n', '400 request_line', /looks like the PROXY protocol/],
    ['PROXY v2', Buffer.from(proxyV2, 'latin1'), '400 request_line', /looks like the PROXY protocol/],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505 http_version', /looks like HTTP\/2/],
    ['h2c', requestOf({ omit: ['upgrade'], fields: ['Upgrade: h2c'] }), '426 upgrade_required', /looks like HTTP\/2/],
    ['HTTP/1.0', withLine('GET / HTTP/1.0'), '505 http_version', /proxy_http_version 1\.1/],
    ['Socket.IO', ask('GET /socket.io/?EIO=4&transport=polling&t=1'), '426 upgrade_required', /Socket\.IO polling/],
    ['Socket.IO, posting', ask('POST /socket.io/?EIO=4&transport=polling'), '405 method', /Socket\.IO polling/],
    ['SignalR', ask('POST /hub/negotiate?negotiateVersion=1'), '405 method', /SignalR negotiate/],
    ['SockJS', ask('GET /echo/info?t=1700000000000'), '426 upgrade_required', /SockJS info/],
    ['a fallback of SockJS', ask('POST /echo/000/abc/xhr_streaming'), '405 method', /SockJS/],
  ])('%s', async (_name, bytes, refusal, cause) => {
    gate.clock.advance(1_000);
    const client = await gate.connect();
    client.send(bytes);
    const answer = await client.readResponse();
    const line = await gate.refusalLine(String(answer.json().request_id));
    if (refusal !== null) expect(`${line.status} ${line.error}`).toBe(refusal);
    expect(line).toMatchObject({ level: 'info', cause: expect.stringMatching(cause) });
    expect(answer.body.toString(), 'the answer names nothing').not.toMatch(/looks|nginx/);
  });

  test('a TLS client of Node is told from garbage', async () => {
    gate.clock.advance(1_000);
    const socket = connectTls({ port: gate.port, host: '127.0.0.1' });
    const failed = new Promise((resolve) => socket.once('error', resolve));
    expect(await gate.tap.waitFor('handshake.refused', (line) => /TLS/.test(String(line.cause)))).toMatchObject({
      error: 'request_line',
    });
    await failed;
    socket.destroy();
  });

  test.each([
    ['a method', withLine('POST / HTTP/1.1'), '405 method'],
    ['no upgrade', without('Upgrade'), '426 upgrade_required'],
    ['another version', withLine('GET / HTTP/1.2'), '505 http_version'],
    ['garbage', '\x01\x02\x03', '400 request_line'],
    ['another method of that name', 'PROXY / HTTP/1.1\r\nHost: a\r\n\r\n', '405 method'],
    ['info of an application', ask('GET /information?x=/info'), '426 upgrade_required'],
  ] as const)('and of others it says nothing: %s', async (_name, bytes, refusal) => {
    const line = await gate.refuses(bytes, refusal);
    expect(line.cause).toBeUndefined();
  });
});
