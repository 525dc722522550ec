// Servers of JWK Sets that are down, slow, lying or changing: the last good set counts for a day, then nobody can say.
// On real sockets, with a clock in the test's hands.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { JwtMethod } from '../../src/edge/auth/jwt.ts';
import type { AuthVerdict } from '../../src/edge/auth/method.ts';
import { AuthMethods } from '../../src/edge/auth/methods.ts';
import { atOnce } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { authMeans } from '../support/auth.ts';
import { makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, nowhere } from '../support/harness.ts';
import { JwksServer } from '../support/jwks-server.ts';
import { hs256, inSeconds, makeSigningKey, type SigningKey, tokenOf } from '../support/tokens.ts';
import { upstreamMeans } from '../support/upstreams.ts';

const EC = makeSigningKey('ES256');
const NEW = makeSigningKey('ES256');
const HOUR = 3_600_000;

type Jwks = NonNullable<NonNullable<NonNullable<ConfigInput['auth']>[string]['jwt']>['jwks']>;

function token(kid: string | undefined, key: SigningKey = EC): string {
  return tokenOf({ header: { alg: 'ES256', kid }, payload: { sub: 'u1', exp: inSeconds(600) }, sign: key.sign });
}

class Bench {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly told: string[] = [];
  readonly methods: AuthMethods;
  readonly server: JwksServer;
  private jwks: Jwks;

  constructor(server: JwksServer, jwks: Partial<Jwks> = {}) {
    this.server = server;
    this.jwks = { url: server.url, ...jwks };
    const means = upstreamMeans({ clock: this.clock, wheel: this.wheel });
    this.methods = new AuthMethods(authMeans({ unavailable: (_, cause) => void this.told.push(cause) }, means));
    atTestEnd(() => this.methods.stop());
  }

  static async begin(jwks: Partial<Jwks> = {}): Promise<Bench> {
    const server = await JwksServer.listen();
    server.serve(EC.jwk({ kid: 'a' }));
    const bench = new Bench(server, jwks);
    bench.load();
    bench.methods.start();
    expect(await bench.judge(token('a'))).toBe('good');
    return bench;
  }

  /** A reload, with something else of the method changed. */
  load(leeway = '30s', jwks: Partial<Jwks> = {}): void {
    this.jwks = { ...this.jwks, ...jwks };
    const auth = { users: { jwt: { jwks: this.jwks, algorithms: ['ES256' as const], leeway } } };
    const routes = [{ ...nowhere, auth: ['users'] }];
    atOnce(this.methods.plan(loadObject({ listeners: anyPort, routes, auth }, { baseDir: '.' }).config)).commit();
  }

  async judge(brought: string): Promise<AuthVerdict['kind']> {
    const method = this.methods.get('users');
    if (!(method instanceof JwtMethod)) throw new Error('it is one');
    return (await method.judge(brought)).kind;
  }

  /** Time passes, and what is due then is begun. */
  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  /** The server has been asked so often, and what it said was read. */
  async asked(times: number): Promise<void> {
    while (this.server.asked.length < times) await nextTurn();
    await this.judge(token('a'));
  }
}

/** What a server may say, and what is told of it. */
const BROKEN: readonly (readonly [string, JwksServer['answer'], RegExp])[] = [
  ['500', (_, response) => response.writeHead(500).end(), /^status 500$/],
  ['302', (_, response) => response.writeHead(302, { Location: '/other' }).end(), /^status 302$/],
  ['HTML', (_, response) => response.end('<html>'), /^no JWK Set$/],
  ['no keys', (_, response) => response.end('{"keys":{}}'), /^no JWK Set$/],
  ['1 GB', (_, response) => void flood(response), /^the answer was not whole$/],
  [
    'cut',
    (_, response) => void response.writeHead(200, { 'Content-Length': 99 }).end('{"keys":['),
    /whole|ECONN|aborted/,
  ],
  ['gone', (request) => void request.socket.destroy(), /./],
  [
    'only secrets',
    (_, response) => response.end('{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}'),
    /^no key for signatures$/,
  ],
  [
    'too many',
    (_, response) => response.end(JSON.stringify({ keys: Array(257).fill(EC.jwk()) })),
    /^more than 256 keys$/,
  ],
];

function flood(response: Parameters<JwksServer['answer']>[1]): void {
  const chunk = Buffer.alloc(64 * 1024, '[');
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', write);
  response.on('error', () => {});
  write();
}

describe('a fetch that fails', () => {
  test.each(BROKEN)('A6: %s keeps the set, and the next one mends it', async (_, answer, fault) => {
    const bench = await Bench.begin({ refresh: '10m', cooldown: '30s' });
    bench.server.answer = answer;
    bench.pass(600_000);
    while (bench.told.length === 0) await nextTurn();
    expect(bench.told[0]).toMatch(fault);
    expect(bench.server.asked, 'no redirect is followed').toEqual(['/jwks', '/jwks']);
    expect(await bench.judge(token('a'))).toBe('good');
    bench.server.serve(NEW.jwk({ kid: 'b' }));
    bench.pass(30_000);
    await bench.asked(3);
    expect([await bench.judge(token('b', NEW)), await bench.judge(token('a'))]).toEqual(['good', 'bad']);
  });

  test('A6: one that does not end is over at its timeout', async () => {
    const bench = await Bench.begin({ timeout: '5s' });
    bench.server.answer = (_, response) => void response.write('{"keys":[');
    bench.pass(600_000);
    while (bench.server.asked.length < 2) await nextTurn();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    bench.pass(4_999);
    expect(bench.told).toEqual([]);
    bench.pass(1);
    while (bench.told.length === 0) await nextTurn();
    expect(await bench.judge(token('a'))).toBe('good');
  });

  test('A6: a certificate that is over, or of nobody whom the config trusts', async () => {
    const { issue, ca } = await makeAuthority();
    const good = await issue({ ip: ['127.0.0.1'] });
    const expired = await issue({ ip: ['127.0.0.1'], notAfter: new Date(Date.now() - 1_000) });
    for (const [identity, trusted, verdict] of [
      [good, ca, 'good'],
      [good, null, 'unavailable'],
      [expired, ca, 'unavailable'],
    ] as const) {
      const server = await JwksServer.listen(identity);
      server.serve(EC.jwk({ kid: 'a' }));
      const bench = new Bench(server, trusted === null ? {} : { tls: { ca: trusted } });
      bench.load();
      bench.methods.start();
      expect(await bench.judge(token('a'))).toBe(verdict);
    }
  });

  test('A6: keys that are no keys, or two of one name, take no other with them', async () => {
    const bench = await Bench.begin();
    const odd = [null, 1, {}, { kty: 'RSA' }, { kty: '__proto__' }, { ...EC.jwk({ kid: 'a' }), x: 'AAAA' }];
    const foreign = [{ ...EC.jwk({ kid: 'a' }), d: 'AAAA' }, NEW.jwk({ kid: 'a', use: 'enc' }), NEW.jwk({ kid: 7 })];
    bench.server.serve(...(odd as object[]), ...foreign, NEW.jwk({ kid: 'a' }), EC.jwk({ kid: 'a' }));
    bench.pass(600_000);
    await bench.asked(2);
    expect([await bench.judge(token('a')), await bench.judge(token('a', NEW))]).toEqual(['good', 'good']);
    expect(await bench.judge(token(undefined))).toBe('good');
    const secret = tokenOf({ header: { alg: 'HS256', kid: 'a' }, payload: {}, sign: (input) => hs256(input) });
    expect(await bench.judge(secret)).toBe('bad');
  });

  test('E27: the last good set counts for a day, then nobody is let in, and a good one lets in again', async () => {
    const bench = await Bench.begin({ refresh: '24h', cooldown: '30s' });
    bench.server.answer = (_, response) => response.writeHead(503).end();
    bench.clock.advance(24 * HOUR - 1);
    expect(await bench.judge(token('a'))).toBe('good');
    bench.clock.advance(1);
    expect(await bench.judge(token('a'))).toBe('unavailable');
    expect(bench.told).toContain('status 503');
    const { length } = bench.server.asked;
    expect(await bench.judge(token('a')), 'within the cooldown nobody is asked').toBe('unavailable');
    expect(bench.server.asked).toHaveLength(length);
    bench.server.serve(EC.jwk({ kid: 'a' }));
    bench.clock.advance(30_000);
    expect(await bench.judge(token('a'))).toBe('good');
  });

  test('E27: a handshake that comes before the first set waits for it', async () => {
    const server = await JwksServer.listen();
    let answer = (): void => {};
    server.answer = (_, response) => {
      answer = () => response.end(JSON.stringify({ keys: [EC.jwk({ kid: 'a' })] }));
    };
    const bench = new Bench(server);
    bench.load();
    bench.methods.start();
    const verdicts = Promise.all([bench.judge(token('a')), bench.judge(token('b'))]);
    while (server.asked.length === 0) await nextTurn();
    answer();
    expect(await verdicts).toEqual(['good', 'bad']);
    expect(server.asked).toHaveLength(1);
  });
});

describe('keys that change', () => {
  test('A5: one look for all who bring a new key at once, and none within the cooldown', async () => {
    const bench = await Bench.begin({ cooldown: '30s' });
    bench.server.serve(EC.jwk({ kid: 'a' }), NEW.jwk({ kid: 'b' }));
    expect(await bench.judge(token('b', NEW)), 'the first fetch was just now').toBe('bad');
    bench.clock.advance(29_999);
    expect(await bench.judge(token('b', NEW))).toBe('bad');
    expect(bench.server.asked).toHaveLength(1);
    bench.clock.advance(1);
    const crowd = Array.from({ length: 100 }, (_, index) =>
      bench.judge(token(index % 2 === 0 ? 'b' : `x${index}`, NEW)),
    );
    const verdicts = await Promise.all(crowd);
    expect(verdicts).toEqual(crowd.map((_, index) => (index % 2 === 0 ? 'good' : 'bad')));
    expect(bench.server.asked).toHaveLength(2);
    expect(await bench.judge(token('x'))).toBe('bad');
    expect(bench.server.asked).toHaveLength(2);
  });

  test('A5: a server that is down is asked once per cooldown, too', async () => {
    const bench = await Bench.begin({ cooldown: '30s' });
    bench.server.answer = (_, response) => response.writeHead(500).end();
    bench.clock.advance(30_000);
    expect(await bench.judge(token('x'))).toBe('unavailable');
    expect([await bench.judge(token('y')), await bench.judge(token('z'))]).toEqual(['bad', 'bad']);
    expect(bench.server.asked).toHaveLength(2);
  });

  test('a rotation under load refuses no good token after the cooldown', async () => {
    const bench = await Bench.begin({ cooldown: '1s' });
    bench.server.serve(NEW.jwk({ kid: 'b' }));
    bench.pass(1_000);
    for (let round = 0; round < 5; round += 1) {
      const verdicts = await Promise.all(Array.from({ length: 100 }, () => bench.judge(token('b', NEW))));
      expect(new Set(verdicts)).toEqual(new Set(['good']));
      bench.pass(200);
    }
    expect(bench.server.asked).toHaveLength(2);
    expect(await bench.judge(token('a'))).toBe('bad');
  });

  test('a set is fetched every refresh, and a reload that leaves it alone fetches nothing', async () => {
    const bench = await Bench.begin({ refresh: '10m' });
    bench.load('20s');
    expect(await bench.judge(token('a'))).toBe('good');
    expect(bench.server.asked).toHaveLength(1);
    bench.pass(599_999);
    expect(bench.server.asked).toHaveLength(1);
    bench.pass(1);
    await bench.asked(2);
    bench.load('20s', { refresh: '20m' });
    await bench.asked(3);
    bench.methods.stop();
    bench.pass(24 * HOUR);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    expect(bench.server.asked).toHaveLength(3);
  });
});
