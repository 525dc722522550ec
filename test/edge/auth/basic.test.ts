import { describe, expect, test } from 'vitest';
import { loadObject } from '../../../src/config/load.ts';
import type { BasicAuth } from '../../../src/config/types.ts';
import { BasicMethod } from '../../../src/edge/auth/basic.ts';
import { AuthFailures } from '../../../src/edge/auth/failures.ts';
import type { AuthAsk, AuthVerdict } from '../../../src/edge/auth/method.ts';
import { PasswordHasher } from '../../../src/edge/auth/password-hasher.ts';
import { Abort } from '../../../src/net/abort.ts';
import { authMeans } from '../../support/auth.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { PlainHashes, plainHash } from '../../support/passwords.ts';

interface User {
  name: string;
  password: string;
  quota?: { max_sessions?: number };
}

const ALICE: User = { name: 'alice', password: plainHash('secret') };
const USERS: User[] = [ALICE, { name: 'bob', password: plainHash('pass:word', 12) }];

class Users {
  readonly clock = new FakeClock();
  readonly hashes = new PlainHashes();
  readonly means = authMeans({
    clock: this.clock,
    failures: new AuthFailures(60),
    passwords: new PasswordHasher(this.clock, 1, this.hashes.hash),
  });
  method = this.load();

  load(users: User[] = USERS): BasicMethod {
    const auth = { staff: { basic: { realm: 'the staff', users } } };
    const routes = [{ upstream: 'builtin:echo', auth: ['staff'], origins: 'any' as const }];
    const { config } = loadObject({ auth, routes }, { baseDir: '.' });
    this.method = new BasicMethod(config.auth.staff as BasicAuth, this.means);
    return this.method;
  }

  judge(pair: string, clientKey = '192.0.2.1', signal = new Abort()): AuthVerdict | Promise<AuthVerdict> {
    const ask = { clientKey, signal, deadline: this.clock.now() + 5_000 } as unknown as AuthAsk; // nothing else is read
    return this.method.judge(Buffer.from(pair).toString('base64'), ask);
  }

  async verdict(pair: string, clientKey?: string): Promise<string> {
    const verdict = await this.judge(pair, clientKey);
    if (verdict.kind === 'good') return `good ${verdict.grant.identity}`;
    return verdict.kind === 'refused' ? verdict.refusal.slug : `${verdict.kind} ${verdict.cause}`;
  }

  get cache(): Record<string, number> {
    return Object.fromEntries(this.means.metrics.auth('staff').cache.entries());
  }
}

describe('basic', () => {
  test('a user with the right password is let in, others are not; the challenge names realm and charset', async () => {
    const users = new Users();
    expect(users.method.challenge).toBe('Basic realm="the staff", charset="UTF-8"');
    expect(await users.verdict('alice:secret')).toBe('good alice');
    expect(await users.verdict('bob:pass:word')).toBe('good bob');
    for (const pair of ['alice:Secret', 'alice:', 'Alice:secret', 'bob:secret', 'carol:secret', ':secret'])
      expect(await users.verdict(pair)).toBe('bad password');
    expect(await users.verdict('alice')).toBe('bad form');
  });

  test('a name that nobody has costs a hash of the cost of some user, always the same one', async () => {
    const users = new Users();
    for (let n = 0; n < 40; n += 1) await users.verdict(`u${n}:secret`, `192.0.2.${n}`);
    const costs = users.hashes.asked.map(({ ln }) => ln);
    expect(costs).toHaveLength(40);
    expect(new Set(costs)).toEqual(new Set([10, 12]));
    users.clock.advance(60_000);
    for (let n = 0; n < 40; n += 1) await users.verdict(`u${n}:other`, `192.0.2.${n}`);
    expect(users.hashes.asked.slice(40).map(({ ln }) => ln)).toEqual(costs);
    users.load([]);
    await users.verdict('alice:secret');
    expect(users.hashes.asked.at(-1)).toMatchObject({ ln: 15, r: 8, p: 1, size: 32 });
  });

  test('good ones are remembered for a minute, bad ones for five seconds, of that pair only', async () => {
    const users = new Users();
    await users.verdict('alice:secret');
    await users.verdict('alice:wrong');
    users.clock.advance(4_999);
    expect(await users.verdict('alice:secret')).toBe('good alice');
    expect(await users.verdict('alice:wrong')).toBe('bad password');
    expect(users.hashes.asked).toHaveLength(2);
    users.clock.advance(1);
    await users.verdict('alice:wrong');
    expect(users.hashes.asked).toHaveLength(3);
    users.clock.advance(54_999);
    await users.verdict('alice:secret');
    expect(users.hashes.asked).toHaveLength(3);
    users.clock.advance(1);
    await users.verdict('alice:secret');
    expect(users.hashes.asked).toHaveLength(4);
    expect(users.cache).toEqual({ miss: 4, hit: 3 });
  });

  test('the same pair is hashed once at a time, for all who bring it; a fault of scrypt is unavailable', async () => {
    const users = new Users();
    users.hashes.isHeld = true;
    const all = ['192.0.2.1', '192.0.2.1', '192.0.2.2'].map((key) => users.verdict('alice:secret', key));
    users.hashes.letGo();
    expect(await Promise.all(all)).toEqual(['good alice', 'good alice', 'good alice']);
    expect(users.hashes.asked).toHaveLength(1);
    expect(users.cache).toEqual({ miss: 3 });
    users.means.passwords.ask = () => ({ result: Promise.reject(new Error('memory')), giveUp: () => false });
    expect(await users.verdict('alice:x')).toBe('unavailable scrypt');
  });

  test('too many that wait are unavailable: nothing of it is remembered', async () => {
    const users = new Users();
    users.hashes.isHeld = true;
    const waiting = [0, 1, 2, 3, 4].map((n) => users.verdict(`alice:${n}`));
    expect(await users.verdict('alice:secret')).toBe('unavailable too many passwords wait to be hashed');
    users.hashes.isHeld = false;
    users.hashes.letGo();
    await Promise.all(waiting);
    expect(await users.verdict('alice:secret')).toBe('good alice');
  });

  test('who leaves while it waits is not hashed for, unless another waits for the same', async () => {
    const users = new Users();
    users.hashes.isHeld = true;
    const first = users.verdict('alice:1');
    const gone = new Abort();
    const left = users.judge('alice:2', '192.0.2.1', gone);
    const both = new Abort();
    const shared = [users.judge('alice:secret', '192.0.2.1', both), users.judge('alice:secret', '192.0.2.2')];
    gone.abort();
    both.abort();
    expect(await left).toEqual({ kind: 'unavailable', cause: 'given up' });
    users.hashes.isHeld = false;
    users.hashes.letGo();
    await first;
    await Promise.all(shared);
    expect(users.hashes.asked.map(({ password }) => password)).toEqual(['1', 'secret']);
    // The one that was given up is judged anew.
    expect(await users.verdict('alice:2')).toBe('bad password');
  });

  test('ten bad ones for a name in a minute: then 429 without a hash, but for addresses that were it', async () => {
    const users = new Users();
    expect(await users.verdict('alice:secret', '198.51.100.1')).toBe('good alice');
    for (const name of ['alice', 'nobody'])
      for (let n = 0; n < 10; n += 1) expect(await users.verdict(`${name}:${n}`, `192.0.2.${n}`)).toBe('bad password');
    const { length } = users.hashes.asked;
    for (const pair of ['alice:secret', 'alice:1', 'nobody:x'])
      expect(await users.verdict(pair, '192.0.2.99')).toBe('too_many_auth_failures');
    expect(users.hashes.asked).toHaveLength(length);
    expect(await users.verdict('alice:secret', '198.51.100.1')).toBe('good alice');
    expect(await users.verdict('bob:pass:word', '192.0.2.99')).toBe('good bob');
    users.clock.advance(60_000);
    expect(await users.verdict('alice:secret', '192.0.2.99')).toBe('good alice');
  });

  test('those that wait when the tenth is bad are not hashed', async () => {
    const users = new Users();
    users.hashes.isHeld = true;
    const all = Array.from({ length: 14 }, (_, n) => users.verdict(`alice:${n}`, `192.0.2.${n}`));
    for (let n = 0; n < 14; n += 1) {
      users.hashes.letGo();
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    }
    const verdicts = await Promise.all(all);
    expect(users.hashes.asked.length).toBeLessThanOrEqual(11);
    expect(verdicts.slice(11)).toEqual(['too_many_auth_failures', 'too_many_auth_failures', 'too_many_auth_failures']);
  });

  test('a session stands on name and password: not when either is another; what was learned is forgotten', async () => {
    const users = new Users();
    const verdict = await users.judge('alice:secret');
    if (verdict.kind !== 'good') throw new Error('it is good');
    const { grant } = verdict;
    expect(JSON.stringify(grant)).not.toMatch(/secret|\$scrypt/);
    expect(users.load().holds(grant)).toBe(true);
    expect(users.load([{ ...ALICE, quota: { max_sessions: 1 } }]).holds(grant)).toBe(true);
    expect(users.load([{ name: 'alice', password: plainHash('other') }]).holds(grant)).toBe(false);
    expect(users.load([{ name: 'carol', password: plainHash('secret') }]).holds(grant)).toBe(false);
    users.load();
    await users.verdict('alice:secret');
    users.hashes.isHeld = true;
    const pending = users.verdict('bob:pass:word');
    users.method.forget();
    users.hashes.isHeld = false;
    users.hashes.letGo();
    await pending;
    const { length } = users.hashes.asked;
    await users.verdict('alice:secret');
    await users.verdict('bob:pass:word');
    expect(users.hashes.asked).toHaveLength(length + 2);
  });
});
