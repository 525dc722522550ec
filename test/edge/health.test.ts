import { describe, expect, test } from 'vitest';
import { asksForHealth, healthAnswer } from '../../src/edge/health.ts';
import { anyPort, nowhere, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';

const HEALTH_PATH = '/healthz';

async function start(): Promise<RunningProxy> {
  const backend = await RawBackend.listen();
  const listeners = anyPort.map((listener) => ({ ...listener, health_path: HEALTH_PATH }));
  return startProxy({ listeners, routes: [{ name: 'test', match: { path: '/chat' }, upstream: backend.url }] });
}

async function ask(running: RunningProxy, request: string) {
  const client = await RawClient.connect(running.port);
  client.send(request);
  return client.readResponse();
}

describe('who asks for health', () => {
  const head = (method: string, target: string, version = '1.1', names: readonly string[] = []) => ({
    method,
    target,
    version,
    fields: names.map((name) => ({ name, lower: name.toLowerCase(), value: 'x' })),
  });

  test.each([
    ['GET', HEALTH_PATH, '1.1', []],
    ['HEAD', HEALTH_PATH, '1.1', []],
    ['OPTIONS', HEALTH_PATH, '1.1', ['Host']],
    ['GET', HEALTH_PATH, '1.0', []],
    ['GET', `${HEALTH_PATH}?probe=1`, '1.1', []],
  ])('%s %s HTTP/%s', (method, target, version, names) => {
    expect(asksForHealth(head(method, target, version, names), HEALTH_PATH)).toBe(true);
  });

  test.each([
    ['POST', HEALTH_PATH, '1.1', []],
    ['get', HEALTH_PATH, '1.1', []],
    ['GET', `${HEALTH_PATH}/`, '1.1', []],
    ['GET', `${HEALTH_PATH}z`, '1.1', []],
    ['GET', '/HEALTHZ', '1.1', []],
    ['GET', `/x${HEALTH_PATH}`, '1.1', []],
    ['GET', `http://a${HEALTH_PATH}`, '1.1', []],
    ['GET', HEALTH_PATH, '2.0', []],
    ['GET', HEALTH_PATH, '1.1', ['Host', 'Upgrade']],
  ])('not %s %s HTTP/%s %s', (method, target, version, names) => {
    expect(asksForHealth(head(method, target, version, names), HEALTH_PATH)).toBe(false);
  });
});

test('RFC 9110 9.3.2: HEAD gets the fields of a GET, and no content', () => {
  const [get, head] = ['GET', 'HEAD'].map((method) => healthAnswer(method, true).toString());
  expect(get).toBe(`${head}{"status":"ready"}`);
  expect(head).toContain('Content-Length: 18\r\n');
});

describe('health on the data port', () => {
  test('GET, HEAD and OPTIONS, of HTTP/1.0 too and without Host: 200, then the end; nothing in the log', async () => {
    const running = await start();
    for (const version of ['1.0', '1.1']) {
      for (const method of ['GET', 'OPTIONS']) {
        const answer = await ask(running, `${method} ${HEALTH_PATH} HTTP/${version}\r\n\r\n`);
        expect([answer.status, answer.json()]).toEqual([200, { status: 'ready' }]);
        expect(answer.head.field('connection')).toBe('close');
      }
      const client = await RawClient.connect(running.port);
      client.send(`HEAD ${HEALTH_PATH} HTTP/${version}\r\n\r\n`);
      expect((await client.readHead()).status).toBe(200);
      await client.ended;
      expect(client.unread).toHaveLength(0);
    }
    expect(running.logsOf('handshake.refused')).toEqual([]);
  });

  test('with Upgrade, with another path or method, and without health_path it is an ordinary request', async () => {
    const running = await start();
    const upgrade = 'Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
    expect((await ask(running, `GET ${HEALTH_PATH} HTTP/1.1\r\n${upgrade}${key}\r\n`)).status).toBe(404);
    expect((await ask(running, `GET ${HEALTH_PATH}/ HTTP/1.1\r\nHost: a\r\n\r\n`)).status).toBe(426);
    expect((await ask(running, `POST ${HEALTH_PATH} HTTP/1.1\r\nHost: a\r\n\r\n`)).status).toBe(405);
    const plain = await startProxy({ routes: [nowhere] });
    expect((await ask(plain, `GET ${HEALTH_PATH} HTTP/1.1\r\nHost: a\r\n\r\n`)).status).toBe(426);
  });

  test('503 while framegate drains', async () => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    client.send('GET /heal');
    // Answered behind the part of the head above: that was read.
    expect((await ask(running, `GET ${HEALTH_PATH} HTTP/1.1\r\n\r\n`)).status).toBe(200);
    const drained = running.proxy.drain();
    client.send('thz HTTP/1.1\r\n\r\n');
    const answer = await client.readResponse();
    expect([answer.status, answer.json()]).toEqual([503, { status: 'draining' }]);
    client.end();
    await drained;
  });
});
