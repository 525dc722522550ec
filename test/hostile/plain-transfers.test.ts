// Bodies of plain requests: too large, shorter or longer than they say, left behind; and what is said around them.

import { describe, expect, test } from 'vitest';
import { RawClient } from '../support/raw-client.ts';
import { askPlain, requestText, startPlain } from './plain-pair.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CHUNKED = 'Transfer-Encoding: chunked';

describe('H33: max_body_size', () => {
  const limits = { max_body_size: '10B' };
  const sized = (bytes: number) => requestText('POST / HTTP/1.1', `Content-Length: ${bytes}`) + 'x'.repeat(bytes);
  const inChunks = (...sizes: readonly number[]) =>
    requestText('POST / HTTP/1.1', CHUNKED) +
    sizes.map((size) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`).join('');

  test('H33: a length over it is 413 before anything is dialed, without a 100', async () => {
    const running = await startPlain({ limits });
    const client = await RawClient.connect(running.port);
    client.send(requestText('POST / HTTP/1.1', 'Content-Length: 11', 'Expect: 100-continue'));
    expect((await client.readResponse()).json()).toMatchObject({ status: 413, error: 'body_too_large' });
    await client.ended;
    expect(running.raw.connections).toBe(0);
  });

  test.each([
    ['H33: in one chunk', inChunks(11)],
    ['H33: in several', inChunks(5, 5, 1)],
  ])('%s: 413 with the byte that crosses it, and the backend never sees an end', async (_, request) => {
    const running = await startPlain({ limits });
    const client = await RawClient.connect(running.port);
    client.send(request);
    const backend = await running.raw.nextConnection();
    expect((await client.readResponse()).status).toBe(413);
    await backend.closed;
    expect(backend.received.toString('latin1')).not.toContain('\r\n0\r\n');
    expect(running.logsOf('http.request')).toMatchObject([{ status: 413, cause: 'max_body_size', bytes_in: 11 }]);
  });

  test.each([
    ['H33: by its length', sized(10)],
    ['H33: in chunks', `${inChunks(4, 6)}0\r\n\r\n`],
  ])('%s: at it all of it passes', async (_, request) => {
    const { client, backend } = await askPlain(await startPlain({ limits }), request);
    await backend.readUntil((unread) => unread.toString('latin1').replaceAll(/[^x]/g, '').length === 10);
    backend.send(OK);
    expect((await client.readResponse()).body.toString()).toBe('ok');
  });
});

describe('H34: a body that is not what it says', () => {
  test.each([
    ['H34: less than its length, then FIN', 'Content-Length: 10', 'abc', 'end'],
    ['H34: less than its length, then a reset', 'Content-Length: 10', 'abc', 'reset'],
    ['H34: chunks without an end, then FIN', CHUNKED, '3\r\nabc\r\n', 'end'],
    ['H34: a chunk that is none', CHUNKED, '3\r\nabc\r\nzz\r\n', 'stay'],
  ] as const)('%s: the backend is cut off at once, and never sees it whole', async (_, framing, body, then) => {
    const running = await startPlain();
    const { client, backend } = await askPlain(running, requestText('POST / HTTP/1.1', framing) + body.slice(0, 8));
    await backend.readUntil((unread) => unread.includes('abc'));
    client.send(body.slice(8));
    if (then === 'end') client.end();
    else if (then === 'reset') client.reset();
    await backend.closed;
    expect(backend.received.toString('latin1')).not.toContain('\r\n0\r\n');
    const error = then === 'stay' ? 'http_syntax' : 'client_gone';
    expect(await running.waitForLog('http.request')).toMatchObject({ error });
  });

  test('H34: more than its length is the next request, and judged as one', async () => {
    const { client, backend } = await askPlain(
      await startPlain(),
      `${requestText('POST / HTTP/1.1', 'Content-Length: 3')}abcGET /x HTTP/1.1\r\n\r\n`,
    );
    backend.send(OK);
    expect((await client.readResponse()).body.toString()).toBe('ok');
    expect((await client.readResponse()).json()).toMatchObject({ error: 'host' });
    expect(backend.received.toString('latin1')).toMatch(/\r\n\r\nabc$/);
  });
});

describe('H35: Expect', () => {
  const request = requestText('POST / HTTP/1.1', 'Content-Length: 3', 'Expect: 100-continue');

  test('H35: 100 is ours, once a backend is reached; neither it nor that of the backend goes through', async () => {
    const { client, backend } = await askPlain(await startPlain(), request);
    expect(await backend.head()).not.toMatch(/expect/i);
    backend.send('HTTP/1.1 100 Continue\r\n\r\n');
    expect((await client.readHead()).line).toBe('HTTP/1.1 100 Continue');
    client.send('abc');
    await backend.readUntil((unread) => unread.includes('abc'));
    backend.send(OK);
    expect((await client.readResponse()).status).toBe(200);
    expect(client.received.toString('latin1').match(/100 Continue/g)).toHaveLength(1);
  });

  test.each([
    ['H35: no backend is reached', request, 502],
    ['H35: another expectation', request.replace('100-continue', 'more'), 417],
    ['H35: two of them', request.replace('100-continue', '100-continue, more'), 417],
  ])('%s: the final status, and no 100', async (_, text, status) => {
    const running = await startPlain();
    await running.raw.close();
    const client = await RawClient.connect(running.port);
    client.send(text);
    expect((await client.readHead()).status).toBe(status);
  });

  test('H35: the backend that answers by the head alone is heard before the body comes', async () => {
    const { client, backend } = await askPlain(await startPlain(), requestText('POST / HTTP/1.1', 'Content-Length: 3'));
    backend.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    expect((await client.readResponse()).status).toBe(403);
  });
});

describe('H36: a client of HTTP/1.0', () => {
  test('H36: gets no chunks and no interim answer, and the connection closes', async () => {
    const { client, backend } = await askPlain(await startPlain(), requestText('GET / HTTP/1.0'));
    backend.send(
      'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    );
    expect((await client.readToEnd()).toString('latin1')).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*\r\nab$/);
    expect(client.received.toString('latin1')).not.toMatch(/transfer-encoding|keep-alive/i);
  });
});

describe('H37: what is of one hop, and trailers', () => {
  test('H37: stays there, in requests', async () => {
    const own = ['TE: trailers', 'Trailer: X-T', 'Connection: X-Own, TE', 'X-Own: 1', 'Keep-Alive: 5'];
    const body = '1\r\na\r\n0\r\nX-T: secret\r\n\r\n';
    const request = requestText('POST / HTTP/1.1', CHUNKED, ...own) + body;
    const { backend } = await askPlain(await startPlain(), request);
    await backend.readUntil((unread) => unread.includes('0\r\n\r\n'));
    const text = backend.received.toString('latin1');
    expect(text).toMatch(/\r\n\r\n1\r\na\r\n0\r\n\r\n$/);
    expect(text).not.toMatch(/\r\n(?:te|trailer|x-own|x-t|keep-alive):/i);
    expect(text).toMatch(/\r\nConnection: close\r\n/);
  });

  test('H37: stays there, in answers; other fields pass with their bytes, as often as they stand', async () => {
    const { client, backend } = await askPlain(await startPlain());
    const fields = ['Set-Cookie: a=1', 'Set-Cookie: a=2', 'X-Text: caf\xe9\xff', 'Location: http://inside:1/x'];
    const own = ['Connection: X-Own', 'X-Own: 1', 'Keep-Alive: timeout=5', 'Trailer: X-T', 'Alt-Svc: h3=":443"'];
    backend.send(`HTTP/1.1 205 R\r\n${[...fields, ...own, CHUNKED].join('\r\n')}\r\n\r\n0\r\nX-T: secret\r\n\r\n`);
    const all = (await client.readUntil((unread) => unread.includes('\r\n0\r\n\r\n'))).toString('latin1');
    const lines = all.split('\r\n');
    expect(lines.slice(0, 5)).toEqual(['HTTP/1.1 205 Reset Content', ...fields]);
    expect(lines.slice(5).map((line) => line.split(':')[0])).toEqual(['Transfer-Encoding', 'Date', '', '0', '', '']);
  });

  test('H37: what the route takes out of answers is in none, interim ones too, nor made anew', async () => {
    const running = await startPlain({ headers: { response: { remove: ['Date', 'Server'] } } });
    const { client, backend } = await askPlain(running);
    backend.send('HTTP/1.1 103 Early Hints\r\nServer: x\r\nLink: </a>\r\n\r\n');
    expect((await client.readHead()).fields).toEqual([['Link', '</a>']]);
    backend.send(OK.replace('\r\n\r\n', '\r\nServer: x\r\n\r\n'));
    expect((await client.readHead()).fields.map(([name]) => name)).toEqual(['Content-Length']);
  });

  test.each([
    ['H37: a 304 keeps its length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', '7'],
    ['H37: a 304 gets none', 'HTTP/1.1 304 Not Modified\r\n\r\n', undefined],
    ['H37: a 204 has none', 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
  ])('%s, and no body', async (_, bytes, length) => {
    const { client, backend } = await askPlain(await startPlain());
    backend.send(bytes.replace('\r\n\r\n', '\r\nDate: x\r\n\r\n'));
    const head = await client.readHead();
    expect([head.field('content-length'), head.field('transfer-encoding'), head.field('date')]).toEqual([
      length,
      undefined,
      'x',
    ]);
    expect(client.unread.length).toBe(0);
  });
});

describe('H38: a client that leaves', () => {
  test.each(['end', 'reset'] as const)(
    'H38: by %s while it waits: the backend connection closes at once',
    async (then) => {
      const running = await startPlain({}, { health: { passive: { failures: 1 } } });
      const { client, backend } = await askPlain(running);
      client[then]();
      await backend.closed;
      expect(await running.waitForLog('http.request')).toMatchObject({ error: 'client_gone' });
      expect(running.logsOf('target.down')).toEqual([]);
    },
  );

  test('H38: in the middle of a download: the same', async () => {
    const running = await startPlain();
    const { client, backend } = await askPlain(running);
    backend.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab');
    await client.readUntil((unread) => unread.includes('ab'));
    client.reset();
    await backend.closed;
    expect(await running.waitForLog('http.request')).toMatchObject({ status: 200, error: 'client_gone', bytes_out: 2 });
  });
});

describe('H39: events and long polls', () => {
  test('H39: an event goes on before the next is written, and a head before there is any', async () => {
    const { client, backend } = await askPlain(await startPlain());
    backend.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
    expect((await client.readHead()).field('content-type')).toBe('text/event-stream');
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      backend.send(event);
      await client.readUntil((unread) => unread.includes(event));
    }
    backend.end();
    await client.readUntil((unread) => unread.includes('0\r\n\r\n'));
  });

  test('H39: polls that are answered late do not stand against max_handshakes_per_target', async () => {
    const running = await startPlain({}, { max_handshakes_per_target: 1 });
    const polls = [await askPlain(running), await askPlain(running), await askPlain(running)];
    for (const { client, backend } of polls) {
      backend.send(OK);
      expect((await client.readResponse()).status).toBe(200);
    }
  });
});
