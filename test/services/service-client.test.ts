// The one client for services: one deadline, and bounds, whatever the service does.

import { createServer, type Socket } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TlsConfig } from '../../src/config/types.ts';
import { GOOD_NAME, makeCertificates, type TestCertificates } from '../support/certs.ts';
import { deadPort } from '../support/dead.ts';
import { listen } from '../support/dial-bench.ts';
import { failureOf, NO_TLS, OK, ServiceBench, serve } from './service-bench.ts';

let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

describe('a question', () => {
  test('is one request, whose answer comes back whole', async () => {
    const service = await serve(`${OK}Content-Length: 2\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: c=\xe9\r\n\r\nhi`);
    const answer = await new ServiceBench().ask(service.url, {
      method: 'POST',
      headers: { Accept: 'application/json', 'X-Two': ['1', '2'] },
      body: 'token=\u00e9',
    });
    expect(answer).toMatchObject({ status: 200, body: Buffer.from('hi') });
    expect(answer.headers).toMatchObject({ 'x-a': ['1', '2'], 'set-cookie': ['c=\xe9'] });
    const [line, ...fields] = service.text().split('\r\n');
    expect(line).toBe('POST /ask?a=b HTTP/1.1');
    expect(fields).toEqual([
      `Host: ${new URL(service.url).host}`,
      'Accept-Encoding: identity',
      'Accept: application/json',
      'X-Two: 1',
      'X-Two: 2',
      'Content-Length: 8',
      '',
      Buffer.from('token=\u00e9').toString('latin1'),
    ]);
  });

  test('is asked again of nobody: what redirects is the answer', async () => {
    const service = await serve(`HTTP/1.1 302 Found\r\nLocation: http://${GOOD_NAME}/\r\nContent-Length: 0\r\n\r\n`);
    expect((await new ServiceBench().ask(service.url)).status).toBe(302);
    expect(service.connections()).toBe(1);
  });

  test('interim answers are none', async () => {
    const service = await serve(`HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}\r\nhi`);
    expect((await new ServiceBench().ask(service.url)).body.toString()).toBe('hi');
  });

  test('has its name checked, or another that is configured', async () => {
    const service = await serve(`${OK}\r\n`, certificates.good);
    const ask = async (tls: Partial<TlsConfig>) => {
      const bench = new ServiceBench();
      const asked = bench.ask(service.url, { tls: { ...NO_TLS, ca: Buffer.from(certificates.ca), ...tls } });
      return asked.then(
        ({ status }) => status,
        () => failureOf(bench, asked).then(({ message }) => message),
      );
    };
    expect(await ask({})).toBe(200);
    expect(await ask({ server_name: 'a.wild.test' })).toBe(200);
    expect(await ask({ server_name: 'other.test' })).toBe('backend_tls ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await ask({ ca: null })).toMatch(/^backend_tls [A-Z_]+$/);
    expect(await ask({ ca: null, server_name: 'other.test', verify: false })).toBe(200);
  });

  test('is asked with a client certificate where there is one', async () => {
    const { ca, good, client } = certificates;
    const service = await serve(`${OK}\r\n`, { ...good, ca, requestCert: true, rejectUnauthorized: true });
    const tls = { ...NO_TLS, ca: Buffer.from(ca) };
    const own = { cert: Buffer.from(client.cert), key: Buffer.from(client.key) };
    expect((await new ServiceBench().ask(service.url, { tls: { ...tls, ...own } })).status).toBe(200);
    const bench = new ServiceBench();
    expect((await failureOf(bench, bench.ask(service.url, { tls }))).isAborted).toBe(false);
  });
});

describe('no answer', () => {
  const broken: readonly (readonly [what: string, answer: string])[] = [
    ['nothing', ''],
    ['a part of a head', 'HTTP/1.1 200 OK\r\nContent-Len'],
    ['garbage', '\x16\x03\x01 secret garbage\r\n\r\n'],
    ['another protocol', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['less than it says', `${OK}Content-Length: 10\r\n\r\nsecret`],
    ['a length that is none', `${OK}Content-Length: secret\r\n\r\n`],
    ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi`],
    ['a chunk that is none', `${OK}Transfer-Encoding: chunked\r\n\r\nsecret\r\n`],
    ['chunks without an end', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`],
    ['a length and chunks', `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`],
    ['another protocol to go on with', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
    ['an encoded one', `${OK}Content-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`],
    ['a head of 17 KiB', `${OK}X: ${'secret'.repeat(2_902)}\r\n\r\n`],
    ['a body of more than 64 KiB', `${OK}\r\n${'x'.repeat(65_537)}`],
  ];

  test.each(broken)('%s', async (_what, answer) => {
    const service = await serve(answer);
    const bench = new ServiceBench();
    const { message, isAborted } = await failureOf(bench, bench.ask(service.url));
    expect(isAborted).toBe(false);
    expect(message).not.toContain('secret');
    expect(message).toMatch(
      /^(?:answer: [\w -]+|status 101|closed before the answer|the answer was (?:not whole|encoded))$/,
    );
    await service.gone();
  });

  test('nor where nobody listens', async () => {
    const bench = new ServiceBench();
    const asked = bench.ask(`http://127.0.0.1:${deadPort}/`);
    expect((await failureOf(bench, asked)).message).toBe('backend_unreachable ECONNREFUSED');
  });

  test('a head of 15 KiB and a body of 64 KiB are one', async () => {
    const service = await serve(`${OK}X: ${'x'.repeat(15_000)}\r\n\r\n${'x'.repeat(65_536)}`);
    expect((await new ServiceBench().ask(service.url)).body.length).toBe(65_536);
  });

  test('a body of 1 GB is read no further than its cap, and its sender cut off', async () => {
    let sent = 0;
    const chunk = Buffer.alloc(65_536, 'x');
    const service = await serve((socket) => {
      const goOn = (): void => {
        while (sent < 1e9 && socket.writable) {
          sent += chunk.length;
          if (!socket.write(chunk)) return void socket.once('drain', goOn);
        }
      };
      socket.write(`${OK}Content-Length: 1000000000\r\n\r\n`);
      goOn();
    });
    const bench = new ServiceBench();
    expect((await failureOf(bench, bench.ask(service.url))).message).toBe('the answer was not whole');
    await service.gone();
    // What the kernels of both sides take besides.
    expect(sent).toBeLessThan(16e6);
  });
});

describe('in time', () => {
  test('one deadline holds for the connection, TLS and the answer together', async () => {
    const service = await serve((socket) => void socket.write(`${OK}Content-Length: 10\r\n\r\nhi`), certificates.good);
    const bench = new ServiceBench();
    bench.bench.lookup = async () => {
      bench.clock.advance(600);
      return ['127.0.0.1'];
    };
    const heard = service.heard();
    const asked = bench.ask(service.url, { tls: { ...NO_TLS, ca: Buffer.from(certificates.ca) } });
    const failed = failureOf(bench, asked);
    await heard;
    bench.pass(399);
    await new Promise((resolve) => setImmediate(resolve));
    expect(bench.wheel.size).toBeGreaterThan(0);
    bench.pass(51);
    expect((await failed).isAborted).toBe(false);
    await service.gone();
  });

  test('a server that takes connections and says nothing is late', async () => {
    const server = createServer(() => {});
    const port = await listen(server);
    const bench = new ServiceBench();
    const connected = new Promise((resolve) => server.once('connection', resolve));
    const failed = failureOf(bench, bench.ask(`https://127.0.0.1:${port}/`));
    await connected;
    bench.pass(1_050);
    expect((await failed).message).toBe('backend_timeout ETIMEDOUT');
  });

  test.each([
    ['before the head', (): void => {}],
    ['inside the body', (socket: Socket): void => void socket.write(`${OK}Content-Length: 9\r\n\r\nhi`)],
  ])('nobody waits any more: it is over at once, %s', async (_when, answer) => {
    const service = await serve(answer);
    const bench = new ServiceBench();
    const heard = service.heard();
    const failed = failureOf(bench, bench.ask(service.url));
    await heard;
    await new Promise((resolve) => setImmediate(resolve));
    bench.abort.abort();
    expect((await failed).isAborted).toBe(true);
    await service.gone();
  });

  test('nobody has waited from the beginning: nobody is asked', async () => {
    const service = await serve(OK);
    const bench = new ServiceBench();
    bench.abort.abort();
    expect((await failureOf(bench, bench.ask(service.url))).isAborted).toBe(true);
    expect(service.connections()).toBe(0);
  });
});
