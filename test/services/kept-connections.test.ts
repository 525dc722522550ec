// Questions one after the other on one connection: when there is another one, and whose answer is whose.

import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { makeCertificates } from '../support/certs.ts';
import { failureOf, NO_TLS, OK, type Service, ServiceBench, serve } from './service-bench.ts';

const whole = (body: string, ...fields: string[]) =>
  `${[`${OK}Content-Length: ${body.length}`, ...fields].join('\r\n')}\r\n\r\n${body}`;

/** Says to each question how many came before. */
function counting(): Promise<Service> {
  return serve((socket, at) => void socket.write(whole(`${at}`)));
}

async function bodyOf(bench: ServiceBench, { url }: Service, own = {}): Promise<string> {
  return (await bench.ask(url, own)).body.toString();
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}

describe('the next question', () => {
  test('goes on the connection of the one before', async () => {
    const service = await counting();
    const bench = new ServiceBench();
    const bodies = [
      await bodyOf(bench, service),
      await bodyOf(bench, service, { method: 'POST', body: 'a=1' }),
      await bodyOf(bench, service),
    ];
    expect([bodies, service.connections()]).toEqual([['0', '1', '2'], 1]);
    bench.pass(4_050);
    await service.gone();
    expect(bench.wheel.size).toBe(0);
  });

  test('goes on it over TLS, too, by the same settings alone', async () => {
    const { ca, good } = await makeCertificates();
    const service = await serve((socket, at) => void socket.write(whole(`${at}`)), good);
    const bench = new ServiceBench();
    const tls = { ...NO_TLS, ca: Buffer.from(ca) };
    expect([await bodyOf(bench, service, { tls }), await bodyOf(bench, service, { tls })]).toEqual(['0', '1']);
    expect(service.connections()).toBe(1);
    expect([await bodyOf(bench, service, { tls: { ...tls } }), service.connections()]).toEqual(['2', 2]);
  });

  test('has a connection of its own while that one waits for its answer', async () => {
    const waiting: (() => void)[] = [];
    const service = await serve((socket, at) => void waiting.push(() => socket.write(whole(`${at}`))));
    const bench = new ServiceBench();
    for (const round of [0, 1]) {
      const asked = [0, 1, 2].map(() => bodyOf(bench, service));
      await until(() => waiting.length === 3);
      for (const answer of waiting.splice(0)) answer();
      expect((await Promise.all(asked)).sort()).toEqual([0, 1, 2].map((at) => `${round * 3 + at}`));
    }
    expect(service.connections()).toBe(3);
  });

  const kept: readonly (readonly [what: string, answer: string])[] = [
    ['of a stated length', whole('hi')],
    ['in chunks, with a trailer', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n`],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['behind an interim one', `HTTP/1.1 103 Early Hints\r\n\r\n${whole('hi')}`],
    ['that leaves it open for 2 s', whole('hi', 'Keep-Alive: timeout=2')],
    ['that is encoded', whole('hi', 'Content-Encoding: gzip')],
  ];
  test.each(kept)('goes on it after an answer %s', async (_what, answer) => {
    const service = await serve((socket) => void socket.write(answer));
    const bench = new ServiceBench();
    for (let at = 0; at < 2; at += 1) await bench.ask(service.url).catch(() => {});
    expect(service.connections()).toBe(1);
  });

  const closing: readonly (readonly [what: string, answer: string])[] = [
    ['that says so', whole('hi', 'Connection: close')],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi'],
    ['with something behind it', `${whole('hi')}\r\n`],
    ['with another one behind it', `${whole('hi')}${whole('no')}`],
    ['with something behind its last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n0`],
    ['without a body, and a body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nhi'],
    ['that is too long', whole('x'.repeat(65_537))],
    ['that leaves it open for 1 s', whole('hi', 'Keep-Alive: timeout=1')],
  ];
  test.each(closing)('does not after an answer %s', async (_what, answer) => {
    const service = await serve((socket) => void socket.write(answer));
    const bench = new ServiceBench();
    await bench.ask(service.url).catch(() => {});
    expect(bench.wheel.size).toBe(0);
    await service.gone();
  });

  test('of one that is asked too seldom goes on none, and leaves none', async () => {
    const service = await counting();
    const bench = new ServiceBench();
    await bench.ask(service.url);
    expect([await bodyOf(bench, service, { sharesConnections: false }), service.connections()]).toEqual(['1', 2]);
    expect(service.text().match(/^Connection: .*?$/gm)).toEqual(['Connection: close']);
    expect([await bodyOf(bench, service), bench.wheel.size]).toEqual(['2', 1]);
    expect(service.connections()).toBe(2);
  });

  test('does not once it has served for a minute', async () => {
    const service = await counting();
    const bench = new ServiceBench();
    for (let at = 0; at < 21; at += 1) {
      await bench.ask(service.url);
      bench.pass(3_000);
    }
    expect(service.connections()).toBe(2);
  });
});

describe('a connection that ended', () => {
  const endings: readonly (readonly [what: string, end: (socket: Socket) => void])[] = [
    ['closes it', (socket) => socket.end()],
    ['resets it', (socket) => socket.resetAndDestroy()],
    ['says that it was too late (RFC 9110 15.5.9)', (socket) => socket.end('HTTP/1.1 408 Late\r\n\r\n')],
  ];
  test.each(endings)('while the question was on its way: it is asked once more when the service %s', async (_, end) => {
    const service = await serve((socket, at) => (at === 1 ? end(socket) : void socket.write(whole(`${at}`))));
    const bench = new ServiceBench();
    expect([await bodyOf(bench, service), await bodyOf(bench, service)]).toEqual(['0', '2']);
    expect(service.connections()).toBe(2);
  });

  test('twice: it is no answer', async () => {
    const service = await serve((socket, at) => void (at === 0 ? socket.write(whole('hi')) : socket.end()));
    const bench = new ServiceBench();
    await bench.ask(service.url);
    expect((await failureOf(bench, bench.ask(service.url))).message).toBe('closed before the answer');
    expect(service.connections()).toBe(2);
  });

  test('inside an answer: it is not asked again', async () => {
    const service = await serve((socket, at) => void (at === 0 ? socket.write(whole('hi')) : socket.end('HTTP/1.1 ')));
    const bench = new ServiceBench();
    await bench.ask(service.url);
    expect((await failureOf(bench, bench.ask(service.url))).message).toBe('closed before the answer');
    expect(service.connections()).toBe(1);
  });

  test('asked again or not, there is one deadline', async () => {
    const sockets: Socket[] = [];
    const service = await serve((socket, at) => void (at === 0 ? socket.write(whole('hi')) : sockets.push(socket)));
    const bench = new ServiceBench();
    await bench.ask(service.url);
    const failed = failureOf(bench, bench.ask(service.url));
    await until(() => sockets.length === 1);
    bench.pass(600);
    sockets[0]?.end();
    await until(() => sockets.length === 2);
    bench.pass(350);
    expect(bench.wheel.size).toBe(1);
    bench.pass(100);
    expect((await failed).message).toBe('not in time');
    await service.gone();
  });

  test('nobody waits any more: the connection is over, and nobody is asked again', async () => {
    const service = await serve((socket, at) => void (at === 0 ? socket.write(whole('hi')) : null));
    const bench = new ServiceBench();
    await bench.ask(service.url);
    const heard = service.heard();
    const failed = failureOf(bench, bench.ask(service.url));
    await heard;
    bench.abort.abort();
    expect((await failed).isAborted).toBe(true);
    await service.gone();
    expect(service.connections()).toBe(1);
  });
});

test('what comes unasked is no answer to the next question', async () => {
  const sockets: Socket[] = [];
  const service = await serve((socket, at) => {
    sockets.push(socket);
    socket.write(whole(`${at}`));
  });
  const bench = new ServiceBench();
  await bench.ask(service.url);
  sockets[0]?.write(whole('unasked'));
  await until(() => bench.wheel.size === 0);
  expect([await bodyOf(bench, service), service.connections()]).toEqual(['1', 2]);
});

test('after the end nothing waits for a question', async () => {
  const waiting: Socket[] = [];
  const service = await serve((socket, at) => void (at === 1 ? waiting.push(socket) : socket.write(whole('hi'))));
  const bench = new ServiceBench();
  await bench.ask(service.url);
  const last = bodyOf(bench, service);
  await until(() => waiting.length === 1);
  bench.client.close();
  waiting[0]?.write(whole('last'));
  expect(await last).toBe('last');
  await service.gone();
  expect(bench.wheel.size).toBe(0);
});
