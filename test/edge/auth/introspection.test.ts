// Tokens that a service is asked about: who decides, how often it is asked, and what happens when it cannot be.

import { expect, test } from 'vitest';
import { loadObject } from '../../../src/config/load.ts';
import type { AuthConfig, IntrospectionAuth } from '../../../src/config/types.ts';
import { AuthChain } from '../../../src/edge/auth/chain.ts';
import { IntrospectionMethod } from '../../../src/edge/auth/introspection.ts';
import { makeMethod } from '../../../src/edge/auth/kinds.ts';
import type { AuthAsk, AuthMeans, AuthVerdict } from '../../../src/edge/auth/method.ts';
import { Abort } from '../../../src/net/abort.ts';
import type { ConfigInput } from '../../../src/proxy.ts';
import {
  type ServiceAnswer,
  type ServiceAsk,
  ServiceClient,
  ServiceError,
} from '../../../src/services/service-client.ts';
import { accepted, requestText } from '../../protocol/heads.ts';
import { authMeans } from '../../support/auth.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { anyPort, nowhere } from '../../support/harness.ts';
import { upstreamMeans } from '../../support/upstreams.ts';

type Own = Partial<IntrospectionAuth>;

const SERVICE = { url: 'https://as.test/introspect', client_id: 'fg', client_secret: 's' } as const;
const START = Date.UTC(2026, 10, 30);

/** Answers when the test says so. */
class Services extends ServiceClient {
  readonly asked: (ServiceAsk & { readonly settle: (answer: Partial<ServiceAnswer> | Error) => void })[] = [];

  override ask(ask: ServiceAsk): Promise<ServiceAnswer> {
    return new Promise((resolve, reject) => {
      const settle = (answer: Partial<ServiceAnswer> | Error): void => {
        if (answer instanceof Error) reject(answer);
        else resolve({ status: 200, headers: {}, body: Buffer.alloc(0), ...answer });
      };
      ask.signal.addEventListener('abort', () => reject(new ServiceError('aborted', true)));
      this.asked.push({ ...ask, settle });
    });
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly services: Services;
  readonly told: string[] = [];
  readonly means: AuthMeans;
  readonly method: IntrospectionMethod;
  readonly signals: Abort[] = [];

  constructor(own: Own = {}) {
    const means = upstreamMeans({ clock: this.clock });
    this.services = new Services({ dialer: means.dialer, clock: this.clock, wheel: means.wheel });
    const wallNow = () => START + this.clock.now();
    const unavailable = (auth: string, cause: string) => void this.told.push(`${auth} ${cause}`);
    this.means = authMeans({ services: this.services, wallNow, unavailable, clock: this.clock }, means);
    this.method = new IntrospectionMethod(configOf(own), this.means);
  }

  /** As a handshake of `client`. */
  judge(token: string, client = '10.0.0.1'): Promise<AuthVerdict> {
    const signal = new Abort();
    this.signals.push(signal);
    return Promise.resolve(this.method.judge(token, askOf({}, client, signal)));
  }

  /** The next question, answered. */
  async say(answer: unknown, at = this.services.asked.length - 1): Promise<void> {
    const body = Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer));
    this.services.asked[at]?.settle({ body });
  }

  async judged(token: string, answer: unknown): Promise<AuthVerdict> {
    const verdict = this.judge(token);
    await this.say(answer);
    return verdict;
  }

  get questions(): number {
    return this.services.asked.length;
  }

  get seconds(): number {
    return (START + this.clock.now()) / 1000;
  }
}

function methodsOf(auth: NonNullable<ConfigInput['auth']>): Readonly<Record<string, AuthConfig>> {
  const route = { ...nowhere, auth: Object.keys(auth), origins: 'any' as const };
  return loadObject({ listeners: anyPort, routes: [route], auth }, { baseDir: '.' }).config.auth;
}

/** Loaded once: it takes longer than all else here. */
const { opaque: BASE } = methodsOf({ opaque: { introspection: SERVICE } });

function configOf(own: Own): IntrospectionAuth {
  if (BASE?.kind !== 'introspection') throw new Error('it is of its kind');
  return { ...BASE, ...own };
}

function askOf(headers: Readonly<Record<string, string>>, clientKey = '10.0.0.1', signal = new Abort()): AuthAsk {
  const arrival = { client: clientKey, peer: clientKey, peerTrusted: false, proto: 'http', requestId: 'r', tls: null };
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return { request: accepted(requestText({ fields })), arrival, route: 'nowhere', clientKey, signal, deadline: 5_000 };
}

const kindOf = (verdict: AuthVerdict): string => (verdict.kind === 'refused' ? verdict.refusal.slug : verdict.kind);

test('RFC 7662 2.1, RFC 6749 2.3.1: what is sent', async () => {
  const basic = new Bench({ client_id: 'a b', client_secret: 'p:\u00e9' });
  void basic.judge('tok+en/=');
  expect(basic.services.asked[0]).toMatchObject({
    method: 'POST',
    body: 'token=tok%2Ben%2F%3D&token_type_hint=access_token',
    headers: {
      Accept: 'application/json',
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: `Basic ${Buffer.from('a+b:p%3A%C3%A9').toString('base64')}`,
    },
    bodyBytesMax: 65_536,
    timeoutMs: 3_000,
  });
  const post = new Bench({ client_auth: 'post', client_id: 'a b', client_secret: 'p:\u00e9' });
  void post.judge('x');
  expect(post.services.asked[0]).toMatchObject({
    body: 'token=x&token_type_hint=access_token&client_id=a+b&client_secret=p%3A%C3%A9',
    headers: expect.not.objectContaining({ Authorization: expect.anything() }),
  });
});

test('RFC 7662 2.2: what an answer says', async () => {
  const verdictFor = async (answer: unknown, own: Own = {}) => kindOf(await new Bench(own).judged('t', answer));
  const base = { active: true, sub: 'ann' };
  const { seconds: now } = new Bench();
  expect(await verdictFor(base)).toBe('good');
  expect(await verdictFor({ active: false, sub: 'ann' })).toBe('bad');
  for (const answer of ['', '<html>', '[]', 'true', '{"active":true,"active":true,"sub":"a"}', '{"active":true}{}'])
    expect(await verdictFor(answer), answer).toBe('unavailable');
  for (const active of ['true', 1, null, {}, undefined])
    expect(await verdictFor({ ...base, active }), String(active)).toBe('unavailable');
  expect(await verdictFor({ ...base, exp: now + 1 })).toBe('good');
  expect(await verdictFor({ ...base, exp: now })).toBe('bad');
  for (const exp of ['2000000000', null, -1, 1e300, true])
    expect(await verdictFor({ ...base, exp }), String(exp)).toBe('unavailable');
  expect(await verdictFor({ active: true })).toBe('bad');
  expect(await verdictFor({ active: true }, { subject: null })).toBe('good');
  expect(await verdictFor({ ...base, scope: 'chat read' }, { required: { scope: ['read'] } })).toBe('good');
  expect(await verdictFor({ ...base, scope: 'chat' }, { required: { scope: ['read'] } })).toBe('scope_missing');
});

test('what a session stands on', async () => {
  const bench = new Bench({ subject: 'client_id' });
  const answer = { active: true, client_id: 'app', exp: bench.seconds + 60, iat: bench.seconds - 1, jti: 'j1' };
  expect(await bench.judged('t', answer)).toMatchObject({
    kind: 'good',
    grant: {
      auth: 'opaque',
      identity: 'app',
      jti: 'j1',
      issuedAt: (bench.seconds - 1) * 1000,
      expiresAt: (bench.seconds + 60) * 1000,
      claims: answer,
    },
  });
});

test('a token that is none by its form is not asked about', async () => {
  const bench = new Bench();
  for (const token of ['', 'a b', 'a\u00e9', 'x'.repeat(8_193)]) expect(kindOf(await bench.judge(token))).toBe('bad');
  expect(bench.questions).toBe(0);
  void bench.judge('x'.repeat(8_192));
  expect(bench.questions).toBe(1);
});

test('a good answer counts for cache, and never beyond its exp', async () => {
  const bench = new Bench({ cache: 30_000 });
  expect(kindOf(await bench.judged('long', { active: true, sub: 'a', exp: bench.seconds + 100 }))).toBe('good');
  expect(kindOf(await bench.judged('short', { active: true, sub: 'a', exp: bench.seconds + 10 }))).toBe('good');
  bench.clock.advance(9_999);
  expect([kindOf(await bench.judge('long')), kindOf(await bench.judge('short'))]).toEqual(['good', 'good']);
  bench.clock.advance(1);
  void bench.judge('short');
  expect(bench.questions).toBe(3);
  bench.clock.advance(19_999);
  expect(kindOf(await bench.judge('long'))).toBe('good');
  bench.clock.advance(1);
  void bench.judge('long');
  expect(bench.questions).toBe(4);
  const { cache } = bench.means.metrics.auth('opaque');
  expect(Object.fromEntries(cache.entries())).toEqual({ miss: 4, hit: 3 });
});

test('a bad one counts for negative_cache, and none is not remembered', async () => {
  const bench = new Bench({ negative_cache: 5_000 });
  expect(kindOf(await bench.judged('t', { active: false }))).toBe('bad');
  bench.clock.advance(4_999);
  expect(kindOf(await bench.judge('t'))).toBe('bad');
  expect(bench.questions).toBe(1);
  bench.clock.advance(1);
  expect(kindOf(await bench.judged('t', 'nonsense'))).toBe('unavailable');
  expect(kindOf(await bench.judged('t', { active: true, sub: 'a' }))).toBe('good');
  expect(bench.questions).toBe(3);
});

test('0s: nothing is remembered', async () => {
  const bench = new Bench({ cache: 0, negative_cache: 0 });
  for (const active of [true, true, false, false]) await bench.judged('t', { active, sub: 'a' });
  expect(bench.questions).toBe(4);
});

test('who asks the same at a time shares one question, which lasts as long as one of them waits', async () => {
  const bench = new Bench();
  const [first, second] = [bench.judge('t', '10.0.0.1'), bench.judge('t', '10.0.0.2')];
  bench.signals[0]?.abort();
  expect(kindOf(await first)).toBe('unavailable');
  await bench.say({ active: true, sub: 'a' });
  expect(kindOf(await second)).toBe('good');
  expect(bench.questions).toBe(1);
  const alone = bench.judge('u');
  bench.signals[2]?.abort();
  expect(kindOf(await alone)).toBe('unavailable');
  expect(bench.services.asked[1]?.signal.aborted).toBe(true);
  expect(bench.told).toEqual([]);
});

test('so many questions at a time, of one address a quarter: beyond them unavailable at once', async () => {
  const bench = new Bench({ max_in_flight: 8 });
  const waiting = [bench.judge('a'), bench.judge('b')];
  expect(kindOf(await bench.judge('c'))).toBe('unavailable');
  for (let at = 2; at <= 7; at += 1) waiting.push(bench.judge(`t${at}`, `10.0.0.${at}`));
  expect(bench.questions).toBe(8);
  expect(kindOf(await bench.judge('d', '10.0.0.9'))).toBe('unavailable');
  expect(bench.told).toEqual(['opaque max_in_flight', 'opaque max_in_flight']);
  await bench.say({ active: false }, 0);
  await waiting[0];
  void bench.judge('d', '10.0.0.9');
  expect(bench.questions).toBe(9);
  const few = new Bench({ max_in_flight: 2 });
  void few.judge('a');
  expect(few.questions).toBe(1);
});

test('without answers it is left alone for 1 s, then tried once, then for 2 s', async () => {
  const bench = new Bench();
  const fail = async (token: string): Promise<void> => {
    const verdict = bench.judge(token);
    bench.services.asked.at(-1)?.settle(new ServiceError('backend_unreachable ECONNREFUSED'));
    expect(kindOf(await verdict)).toBe('unavailable');
  };
  for (let count = 1; count <= 5; count += 1) await fail(`t${count}`);
  expect(kindOf(await bench.judge('t6'))).toBe('unavailable');
  expect([bench.questions, bench.told.at(-1)]).toEqual([5, 'opaque circuit']);
  bench.clock.advance(1_000);
  const trial = bench.judge('t7', '10.0.0.2');
  expect(kindOf(await bench.judge('t8'))).toBe('unavailable');
  expect(bench.questions).toBe(6);
  bench.services.asked.at(-1)?.settle({ status: 503 });
  expect(kindOf(await trial)).toBe('unavailable');
  bench.clock.advance(1_999);
  expect(kindOf(await bench.judge('t9'))).toBe('unavailable');
  expect(bench.questions).toBe(6);
  bench.clock.advance(1);
  expect(kindOf(await bench.judged('t10', { active: true, sub: 'a' }))).toBe('good');
  expect(kindOf(await bench.judged('t11', { active: true, sub: 'a' }))).toBe('good');
});

test('an answer that is nonsense, or a 500, is no reason to ask nobody else', async () => {
  const bench = new Bench();
  for (let count = 0; count < 10; count += 1) {
    const verdict = bench.judge(`t${count}`);
    bench.services.asked.at(-1)?.settle({ status: 500 });
    expect(kindOf(await verdict)).toBe('unavailable');
  }
  expect([bench.questions, bench.told.at(-1)]).toEqual([10, 'opaque status 500']);
});

test('forget: all is asked anew, and what was asked before is good for nothing', async () => {
  const bench = new Bench();
  await bench.judged('t', { active: true, sub: 'a' });
  const before = bench.judge('u');
  bench.method.forget();
  const after = bench.judge('u');
  expect(bench.questions).toBe(3);
  await bench.say({ active: true, sub: 'a' }, 1);
  await bench.say({ active: false }, 2);
  expect([kindOf(await before), kindOf(await after)]).toEqual(['unavailable', 'bad']);
  void bench.judge('t');
  expect(bench.questions).toBe(4);
});

test('what is its own among other methods of a route, in any order', () => {
  const { means } = new Bench();
  const found = (methodNames: string, value: string) => {
    const sought: string[] = [];
    const methods = methodNames.split(' ').map((name) => {
      const config = configs[name];
      if (config === undefined) throw new Error(name);
      const method = makeMethod(config, means, { before: undefined, authorities: new Set() });
      method.judge = (credential) => {
        sought.push(`${name} ${credential}`);
        return { kind: 'bad', cause: 'x' };
      };
      return method;
    });
    void new AuthChain(methods, false, means).ask(askOf({ Authorization: value }));
    return sought.join();
  };
  // Each loaded by itself: what a route may list is judged elsewhere.
  const configs = {
    ...methodsOf({ opaque: { introspection: SERVICE } }),
    ...methodsOf({ jwt: { jwt: { secret: 'x'.repeat(32), algorithms: ['HS256'] } } }),
    ...methodsOf({ keys: { api_key: { from: ['header:Authorization'], prefix: 'fgk_', keys: [] } } }),
  };
  expect(found('opaque', 'Bearer a.b.c')).toBe('opaque a.b.c');
  expect(found('opaque', 'token')).toBe('opaque token');
  expect(found('opaque', 'Basic dTpw')).toBe('opaque Basic dTpw');
  for (const both of ['opaque jwt', 'jwt opaque']) {
    expect(found(both, 'Bearer a.b.c')).toBe('jwt a.b.c');
    expect(found(both, 'bearer a.b')).toBe('opaque a.b');
    expect(found(both, 'Basic dTpw')).toBe('');
  }
  for (const both of ['opaque keys', 'keys opaque']) {
    expect(found(both, 'Bearer fgk_1')).toBe('keys fgk_1');
    expect(found(both, 'Bearer other')).toBe('opaque other');
  }
});
