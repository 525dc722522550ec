// What backends answer to plain requests: what is no answer, what is a part of one, and what is more than one.

import { describe, expect, test } from 'vitest';
import { RawClient } from '../support/raw-client.ts';
import { transportMode } from '../support/transport-mode.ts';
import { askPlain, requestText, startPlain } from './plain-pair.ts';

const OK = 'HTTP/1.1 200 OK\r\n';

describe('H29: what is no answer', () => {
  const proxy = startPlainOnce({}, { max_head_size: '4KiB' });

  test.each([
    ['H29: nothing', '', 'closed before the answer'],
    ['H29: a part of a head', `${OK}Content-Length: 5\r\n`, 'closed before the answer'],
    ['H29: words', 'hello\r\n\r\n', 'head: status_line'],
    ['H29: another version', 'HTTP/2.0 200 OK\r\n\r\n', 'head: status_line'],
    ['H29: a status below 100', 'HTTP/1.1 099 Low\r\n\r\n', 'head: status_line'],
    ['H29: a status above 599', 'HTTP/1.1 600 High\r\n\r\n', 'head: status_line'],
    ['H29: 101 with Upgrade', 'HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', 'status 101'],
    ['H29: 101 without', 'HTTP/1.1 101 S\r\n\r\n', 'status 101'],
    ['H29: LF without CR', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'head: bare_lf'],
    ['H29: two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 'several Content-Lengths'],
    ['H29: a length that is none', `${OK}Content-Length: 1, 1\r\n\r\na`, 'several Content-Lengths'],
    [
      'H29: a length and chunks',
      `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'Transfer-Encoding with Content-Length',
    ],
    ['H29: another coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 'unknown Transfer-Encoding'],
    ['H29: a coding to the end', `${OK}Transfer-Encoding: gzip\r\n\r\nab`, 'unknown Transfer-Encoding'],
    ['H29: chunks of 1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'in HTTP/1.0'],
    ['H29: a head over max_head_size', `${OK}X: ${'x'.repeat(4096)}\r\n\r\n`, 'upstreams.*.max_head_size'],
    ['H29: one of many fields', `${OK}${'X: y\r\n'.repeat(700)}\r\n`, 'upstreams.*.max_head_size'],
    ['H29: a head that never ends', `${OK}${'X: y\r\n'.repeat(3000)}`, 'upstreams.*.max_head_size'],
    ['H29: nine interim answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9), 'interim answers'],
  ])('%s is 502, and nothing of it goes on', async (_, bytes, cause) => {
    const running = await proxy();
    const { client, backend } = await askPlain(running);
    backend.end(Buffer.from(bytes, 'latin1'));
    const all = (await client.readToEnd()).toString('latin1');
    const [own] = all.split('\r\n\r\n').slice(-2);
    expect(own).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\nContent-Type: application\/json/);
    expect(all.replaceAll('HTTP/1.1 103 Early Hints\r\n\r\n', '')).toMatch(/^HTTP\/1\.1 502.*"backend_answer"[^}]*}$/s);
    await backend.closed;
    const line = running.logsOf('http.request').at(-1);
    expect(line).toMatchObject({ status: 502, error: 'backend_answer', cause: expect.stringContaining(cause) });
  });

  test.each([
    ['H29: 599', 'HTTP/1.1 599 High\r\nContent-Length: 2\r\n\r\nab', 599],
    ['H29: eight interim answers', `${'HTTP/1.1 102 P\r\n\r\n'.repeat(8)}${OK}Content-Length: 2\r\n\r\nab`, 200],
  ])('%s is one', async (_, bytes, status) => {
    const { client, backend } = await askPlain(await proxy());
    backend.send(bytes);
    let head = await client.readHead();
    while (head.status === 102) head = await client.readHead();
    expect(head.status).toBe(status);
    expect((await client.readBytes(2)).toString()).toBe('ab');
  });

  test('H29: a head of more than a thousand fields is one, with all of them', async () => {
    const { client, backend } = await askPlain(await startPlain());
    backend.send(`${OK}${'X: y\r\n'.repeat(1_100)}Content-Length: 0\r\n\r\n`);
    expect((await client.readHead()).all('x')).toHaveLength(1_100);
  });
});

describe('H30: an answer that is not whole', () => {
  const proxy = startPlainOnce({}, { max_head_size: '4KiB' });
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

  test.each([
    ['H30: less than its length, then FIN', `${OK}Content-Length: 3\r\n\r\nab`, 'end'],
    ['H30: less than its length, then a reset', `${OK}Content-Length: 3\r\n\r\nab`, 'reset'],
    ['H30: chunks without an end, then FIN', `${chunked}2\r\nab\r\n`, 'end'],
    ['H30: a part of a chunk, then a reset', `${chunked}3\r\nab`, 'reset'],
    ['H30: to the end, then a reset', `${OK}\r\nab`, 'reset'],
    ['H30: a chunk that is none', `${chunked}2\r\nab\r\nzz\r\n`, 'stay'],
    ['H30: a bomb of trailers', `${chunked}2\r\nab\r\n0\r\n${`X: ${'y'.repeat(500)}\r\n`.repeat(9)}\r\n`, 'stay'],
    ['H30: a bomb of a chunk extension', `${chunked}2;${'x'.repeat(20_000)}\r\nab\r\n0\r\n\r\n`, 'stay'],
  ] as const)('%s: the client is cut off, never a clean end', async (_, bytes, then) => {
    const running = await proxy();
    const { client, backend } = await askPlain(running);
    backend.send(bytes);
    // What is broken in the same segment may come before the client has got any of it.
    if (then !== 'stay') await client.readUntil((unread) => unread.includes('ab'));
    if (then === 'end') backend.end();
    else if (then === 'reset') backend.reset();
    await client.closed;
    expect(client.received.toString('latin1')).not.toMatch(/\r\n0\r\n/);
    await backend.closed;
    expect(running.logsOf('http.request').at(-1)).toMatchObject({ status: 200, error: 'backend_answer' });
  });

  test.runIf(transportMode !== 'stream')('H30: a reset that comes in one poll with the data before it', async () => {
    const running = await proxy();
    const { client, backend } = await askPlain(running);
    backend.send(`${OK}\r\nab`);
    backend.reset();
    await client.closed;
    expect(client.received.toString('latin1')).not.toMatch(/\r\n0\r\n/);
    expect(running.logsOf('http.request').at(-1)).toMatchObject({ error: 'backend_answer', cause: 'ECONNRESET' });
  });

  test.each([
    ['Content-Length: 3\r\n', '1.1'],
    ['', '1.1'],
    ['', '1.0'],
  ])(
    'H30: with %j and HTTP/%s the end of the connection does not look like that of the answer',
    async (length, version) => {
      const { client, backend } = await askPlain(await proxy(), requestText(`GET / HTTP/${version}`));
      backend.send(`${OK}${length}\r\nab`);
      await client.readUntil((unread) => unread.includes('ab'));
      backend.reset();
      const { error } = await client.closed;
      const isFramed = /content-length: 3|transfer-encoding: chunked/i.test(client.received.toString('latin1'));
      expect(isFramed || error === 'ECONNRESET').toBe(true);
    },
  );
});

describe('H31: more than an answer', () => {
  test.each([
    ['H31: behind its length', `${OK}Content-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX`],
    ['H31: behind its last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nHTTP/1.1 200 X\r\n\r\n`],
    ['H31: behind a 204', 'HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nX'],
    ['H31: behind a 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nXXXXX'],
  ])('%s is nobody’s: the next answer of the connection is its own', async (_, bytes) => {
    const running = await startPlain();
    const { client, backend } = await askPlain(running);
    backend.send(bytes);
    await client.readHead();
    await backend.closed;
    expect(running.logsOf('http.request')).toMatchObject([{ status: Number(bytes.slice(9, 12)) }]);
    client.send(requestText('GET /next HTTP/1.1'));
    const next = await running.raw.nextConnection();
    await next.head();
    next.send(`${OK}Content-Length: 4\r\nX-Next: yes\r\n\r\nnext`);
    const rest = await client.readUntil((unread) => unread.includes('next'));
    expect(rest.toString('latin1')).toMatch(/^(?:ab|2\r\nab\r\n0\r\n\r\n)?HTTP\/1\.1 200 OK\r\nX-Next: yes\r\n/);
  });

  test('H31: behind the head that answers a HEAD', async () => {
    const running = await startPlain();
    const { client, backend } = await askPlain(running, requestText('HEAD / HTTP/1.1'));
    backend.send(`${OK}Content-Length: 5\r\n\r\nXXXXX`);
    const head = await client.readHead();
    expect(head.field('content-length')).toBe('5');
    client.send(requestText('GET /next HTTP/1.1'));
    const next = await running.raw.nextConnection();
    await next.head();
    next.send(`${OK}Content-Length: 4\r\n\r\nnext`);
    expect((await client.readResponse()).body.toString()).toBe('next');
  });
});

describe('H32: an early answer', () => {
  test.each(['end', 'reset'] as const)(
    'H32: whole, though the backend has read no body and leaves by %s',
    async (then) => {
      const running = await startPlain();
      const client = await RawClient.connect(running.port);
      client.send(requestText('POST / HTTP/1.1', 'Content-Length: 4000000'), Buffer.alloc(100_000));
      const backend = await running.raw.nextConnection();
      await backend.head();
      backend.pause();
      backend.send('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch');
      await backend.flushed();
      if (then === 'end') backend.end();
      else backend.reset();
      const { status, head, body } = await client.readResponse();
      expect([status, head.field('connection'), body.toString()]).toEqual([413, 'close', 'much']);
      await client.ended;
      expect(await running.waitForLog('http.request')).toMatchObject({ status: 413 });
    },
  );
});

/** One for all tests of a block. */
function startPlainOnce(...options: Parameters<typeof startPlain>): () => ReturnType<typeof startPlain> {
  return () => startPlain(...options);
}
