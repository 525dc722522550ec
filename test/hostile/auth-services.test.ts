// Services that decide about credentials, and do everything but that: slow, down, lying, endless, redirecting.

import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Answer, AuthServer, claims, endless } from '../support/auth-server.ts';
import { makeCertificates, type TestCertificates } from '../support/certs.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { hasWorkers, workerCount } from '../support/worker-fleet.ts';

type Method = NonNullable<ConfigInput['auth']>[string];
type Introspection = NonNullable<Method['introspection']>;

let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

interface Rig {
  readonly running: RunningProxy;
  readonly backend: RawBackend;
  readonly clock: FakeClock;
  /** The answer to a handshake with that token, of an address. */
  ask(token: string, from?: string, path?: string): Promise<string>;
  /** The client of a session by that token. */
  open(token: string): Promise<RawClient>;
}

async function start(method: Method): Promise<Rig> {
  const clock = new FakeClock();
  const backend = await RawBackend.listen();
  backend.server.on('connection', () => void backend.nextSession());
  const timeouts = { idle: 'off', client_ping_interval: 'off', backend_ping_interval: 'off' } as const;
  const trusted = {
    timeouts,
    trusted_proxies: ['127.0.0.0/8'],
    limits: { auth_failures_per_minute_per_ip: 'off' as const },
  };
  const config = oneRoute(backend.url, { auth: ['m'], origins: 'any' }, { auth: { m: method }, ...trusted });
  const running = await startProxy(config, { clock });
  const send = async (token: string, from: string, path = '/'): Promise<RawClient> => {
    const client = await RawClient.connect(running.port);
    client.send(upgradeRequest({ path, headers: { Authorization: `Bearer ${token}`, 'X-Forwarded-For': from } }));
    return client;
  };
  const ask = async (token: string, from = '192.0.2.1', path = '/'): Promise<string> => {
    const client = await send(token, from, path);
    const { status } = await client.readHead();
    if (status === 101) return '101';
    return `${status} ${JSON.parse((await client.readToEnd()).toString()).error}`;
  };
  const open = async (token: string): Promise<RawClient> => {
    const client = await send(token, '192.0.2.1');
    expect((await client.readHead()).status).toBe(101);
    return client;
  };
  return { running, backend, clock, ask, open };
}

const introspection = (url: string, own: Partial<Introspection> = {}): Method => ({
  introspection: { url, client_id: 'fg', client_secret: 's', ...own },
});

const good = { active: true, sub: 'ann' };
const says = (text: string) => (socket: Socket) => void socket.end(text);

describe('A17: a server that does not say whether a token is good', () => {
  const answers: readonly (readonly [what: string, answer: Answer, outcome: string])[] = [
    ['true', () => claims(good), '101'],
    ['false', () => claims({ active: false }), '401 unauthorized'],
    ['nothing of it', () => claims({ sub: 'ann' }), '503 auth_unavailable'],
    ['the word true', () => claims({ ...good, active: 'true' }), '503 auth_unavailable'],
    ['two things', () => ({ body: '{"active":false,"sub":"ann","active":true}' }), '503 auth_unavailable'],
    ['HTML', () => ({ headers: { 'Content-Type': 'text/html' }, body: '<p>active' }), '503 auth_unavailable'],
    ['it with 500', () => ({ status: 500, body: JSON.stringify(good) }), '503 auth_unavailable'],
    ['it with 201', () => ({ status: 201, body: JSON.stringify(good) }), '503 auth_unavailable'],
    ['it elsewhere', () => ({ status: 302, headers: { Location: '/ask' }, body: '{}' }), '503 auth_unavailable'],
    ['it, and less than it announces', () => says(announced(100)), '503 auth_unavailable'],
    ['it, and 1 MB more', () => ({ body: `${JSON.stringify(good)}${' '.repeat(1e6)}` }), '503 auth_unavailable'],
    ['what is no HTTP', () => says('active: true\r\n\r\n'), '503 auth_unavailable'],
  ];
  const announced = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${JSON.stringify(good)}`;

  test.each(answers)('A17: it says %s', async (_what, answer, outcome) => {
    const service = await AuthServer.listen(answer);
    const { ask, backend } = await start(introspection(service.url));
    expect(await ask('t')).toBe(outcome);
    expect([service.asked.length, backend.connections]).toEqual([1, outcome === '101' ? 1 : 0]);
  });

  test('A17: a body of 1 GB is not read beyond its cap', async () => {
    let said = 0;
    const service = await AuthServer.listen(() => endless(1e9, (bytes) => (said = bytes)));
    const { ask, running } = await start(introspection(service.url));
    expect(await ask('t')).toBe('503 auth_unavailable');
    expect(await running.waitForLog('auth.unavailable')).toMatchObject({
      auth: 'm',
      cause: 'the answer was not whole',
    });
    expect(said).toBeLessThan(16e6);
  });

  test('A17: it says nothing in time', async () => {
    const service = await AuthServer.listen(() => null);
    const { ask, clock, running } = await start(introspection(service.url, { timeout: '2s' }));
    const answer = ask('t');
    await service.wasAsked(1);
    clock.advance(2_050);
    expect(await answer).toBe('503 auth_unavailable');
    expect(await running.waitForLog('auth.unavailable')).toMatchObject({ cause: 'not in time' });
  });

  test('A17: its certificate is not to be trusted', async () => {
    const service = await AuthServer.listen(() => claims(good), { tls: certificates.good });
    const { ask, backend } = await start(introspection(service.url));
    expect(await ask('t')).toBe('503 auth_unavailable');
    expect([service.asked.length, backend.connections]).toEqual([0, 0]);
  });

  const forwards: readonly (readonly [what: string, answer: Answer, outcome: string])[] = [
    ['yes', () => ({ status: 204 }), '101'],
    ['no', () => ({ status: 401 }), '401 unauthorized'],
    ['that it stands elsewhere', () => ({ status: 302, headers: { Location: '/in' } }), '401 unauthorized'],
    ['that it is not found', () => ({ status: 404 }), '403 scope_missing'],
    ['500', () => ({ status: 500 }), '503 auth_unavailable'],
    [
      'yes, and less than it announces',
      () => says('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'),
      '503 auth_unavailable',
    ],
    ['yes, and 1 GB', () => endless(1e9, () => {}), '503 auth_unavailable'],
    ['nothing', () => says(''), '503 auth_unavailable'],
    [
      'yes to another protocol',
      () => says('HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      '503 auth_unavailable',
    ],
    ['yes until no time', () => ({ headers: { 'X-Framegate-Expires': 'soon' } }), '503 auth_unavailable'],
    [
      'yes to nobody that has a name',
      () => ({ headers: { 'X-Framegate-Identity': 'x'.repeat(257) } }),
      '503 auth_unavailable',
    ],
  ];

  test.each(forwards)('A17: forward says %s', async (_what, answer, outcome) => {
    const service = await AuthServer.listen(answer);
    const { ask, backend } = await start({ forward: { url: service.url } });
    expect(await ask('t')).toBe(outcome);
    expect([service.asked.length, backend.connections]).toEqual([1, outcome === '101' ? 1 : 0]);
  });
});

describe('A18: bad tokens by the hundred', () => {
  test('A18: the same one is asked about once', async () => {
    const answers: (() => void)[] = [];
    const service = await AuthServer.listen(async () => {
      await new Promise<void>((resolve) => answers.push(resolve));
      return claims({ active: false });
    });
    const { ask, clock } = await start(introspection(service.url));
    const asked = Array.from({ length: 100 }, (_, at) => ask('same', `192.0.2.${at}`));
    // Each worker asks for itself.
    await service.wasAsked(workerCount);
    // Most of the others have come by then; none of them may ask.
    for (let turn = 0; turn < 50; turn += 1) await nextTurn();
    for (const answer of answers) answer();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['401 unauthorized']));
    expect(await ask('same')).toBe('401 unauthorized');
    expect(service.asked.length).toBe(workerCount);
    clock.advance(5_000);
    const again = ask('same');
    await service.wasAsked(workerCount + 1);
    answers[workerCount]?.();
    expect(await again).toBe('401 unauthorized');
  });

  test('A18: of different ones max_in_flight are asked about at a time, of one address a quarter', async () => {
    const service = await AuthServer.listen(() => null);
    const { ask } = await start(introspection(service.url, { max_in_flight: 16 }));
    const outcomes: string[] = [];
    const go = (token: string, from: string) =>
      void ask(token, from).then(
        (outcome) => outcomes.push(outcome),
        () => {},
      );
    for (let at = 0; at < 50; at += 1) go(`one${at}`, '192.0.2.1');
    await service.wasAsked(4);
    for (let at = 0; at < 50; at += 1) go(`all${at}`, `198.51.100.${at}`);
    await service.wasAsked(16);
    await until(() => outcomes.length === 84);
    expect(new Set(outcomes)).toEqual(new Set(['503 auth_unavailable']));
    expect(service.asked.length).toBe(16);
    expect(service.asked.filter(({ body }) => body.includes('token=one')).length).toBe(4);
  });
});

// Each worker finds out for itself that a server is down, and has its own answers.
test.skipIf(hasWorkers)(
  'E27: a server that is down: known tokens are good for a while, and it is asked again by itself',
  async () => {
    let isDown = false;
    const service = await AuthServer.listen(() => (isDown ? (socket) => void socket.destroy() : claims(good)));
    const { ask, clock, running } = await start(introspection(service.url, { cache: '10s' }));
    expect(await ask('known')).toBe('101');
    isDown = true;
    service.hangUp();
    for (let at = 0; at < 20; at += 1) expect(await ask(`new${at}`)).toBe('503 auth_unavailable');
    expect(service.asked.length).toBe(1 + 5);
    expect(running.logsOf('auth.unavailable').length).toBe(1);
    expect(await ask('known')).toBe('101');
    clock.advance(1_000);
    for (let at = 0; at < 5; at += 1) expect(await ask(`trial${at}`)).toBe('503 auth_unavailable');
    expect(service.asked.length).toBe(1 + 5 + 1);
    expect(running.logsOf('auth.unavailable').length).toBe(2);
    isDown = false;
    clock.advance(1_999);
    expect(await ask('early')).toBe('503 auth_unavailable');
    clock.advance(1);
    expect([await ask('trial'), await ask('after')]).toEqual(['101', '101']);
    isDown = true;
    service.hangUp();
    clock.advance(6_999);
    expect(await ask('known')).toBe('101');
    clock.advance(1);
    expect(await ask('known')).toBe('503 auth_unavailable');
  },
);

test('A42: a service is down, then takes back what it has let in', async () => {
  let answer: Answer = () => claims(good);
  const service = await AuthServer.listen((asked) => answer(asked), { closes: true });
  const { open, ask, backend, clock, running } = await start(
    introspection(service.url, { cache: '60s', recheck: '20s' }),
  );
  const clients = [await open('taken'), await open('kept')];
  answer = () => (socket) => void socket.destroy();
  clock.advance(20_000);
  await service.wasAsked(4);
  await service.isLeft();
  answer = ({ body }) => claims({ ...good, active: !body.includes('token=taken') });
  clock.advance(20_000);
  expect(await clients[0]?.nextClose()).toEqual({ code: 3003, reason: 'credential revoked' });
  await service.wasAsked(6);
  await service.isLeft();
  expect([await ask('taken'), await ask('kept')]).toEqual(['401 unauthorized', '101']);
  expect(running.logsOf('session.end').filter(({ reason }) => reason !== 'credential_revoked')).toEqual([]);
  clients[0]?.destroy();
  backend.all[0]?.destroy();
  expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'credential_revoked' });
  expect(running.logsOf('session.end').length).toBe(1);
});

describe('A43: answers that are not to this question', () => {
  const yes = 'HTTP/1.1 204 No Content\r\n\r\n';
  const no = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';
  const chunked = 'HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n';
  const poisoned: readonly (readonly [what: string, first: string, outcome: string])[] = [
    ['a yes behind a no', `${no}${yes}`, '401 unauthorized'],
    ['a yes behind the last chunk of a no', `${chunked}\r\n0\r\n\r\n${yes}`, '401 unauthorized'],
    ['a yes where a no has no body', `HTTP/1.1 304 No\r\nContent-Length: 27\r\n\r\n${yes}`, '401 unauthorized'],
    ['a no of two lengths', `${chunked}Content-Length: 0\r\n\r\n0\r\n\r\n${yes}`, '503 auth_unavailable'],
  ];

  test.each(poisoned)('A43: %s', async (_what, first, outcome) => {
    const service = await AuthServer.listen(
      () => (socket) => void socket.write(service.asked.length === 1 ? first : no),
    );
    const { ask } = await start({ forward: { url: service.url } });
    expect([await ask('first'), await ask('second')]).toEqual([outcome, '401 unauthorized']);
    expect([service.asked.length, service.connections]).toEqual([2, 2]);
  });

  test('A43: a yes that nobody has asked for', async () => {
    const sockets: Socket[] = [];
    const service = await AuthServer.listen(() => (socket) => {
      sockets.push(socket);
      socket.write(no);
    });
    const { ask } = await start({ forward: { url: service.url } });
    expect(await ask('first')).toBe('401 unauthorized');
    sockets[0]?.write(yes);
    await service.isLeft();
    expect([await ask('second'), service.connections]).toEqual(['401 unauthorized', 2]);
  });

  // The connection that is kept is one worker's.
  test.skipIf(hasWorkers)(
    'A43: none, and the connection closed: asked again once, and not where an answer had begun',
    async () => {
      let says = '';
      const service = await AuthServer.listen(({ headers }) => {
        if (headers['x-forwarded-uri'] === '/') return { status: 204 };
        return (socket) => void socket.end(says);
      });
      const { ask } = await start({ forward: { url: service.url } });
      expect(await ask('first')).toBe('101');
      const askElsewhere = () => ask('second', '192.0.2.2', '/else');
      expect(await askElsewhere()).toBe('503 auth_unavailable');
      expect(service.asked.length).toBe(3);
      expect(await ask('third')).toBe('101');
      says = 'HTTP/1.1 2';
      expect(await askElsewhere()).toBe('503 auth_unavailable');
      expect(service.asked.length).toBe(5);
    },
  );
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}
