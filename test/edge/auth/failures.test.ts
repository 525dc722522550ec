import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/types.ts';
import { AuthFailures } from '../../../src/edge/auth/failures.ts';
import { SECRET_TEXT } from '../../support/tokens.ts';
import { upgradeRequest } from '../../support/wire.ts';
import { Rig, SWITCHED } from '../rig.ts';

const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized';
const BARRED = 'HTTP/1.1 429 Too Many Requests';

function configOf(limits: ConfigInput['limits'] = {}): Partial<ConfigInput> {
  const sha256 = createHash('sha256').update('good').digest('hex');
  return {
    limits,
    auth: {
      keys: { api_key: { keys: [{ name: 'acme', sha256 }] } },
      tokens: { jwt: { from: ['header:X-Token'], secret: SECRET_TEXT, algorithms: ['HS256'] } },
    },
    routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo', auth: ['keys', 'tokens'] }],
  };
}

async function answerTo(rig: Rig, key: string, address: string, field = 'X-API-Key'): Promise<string> {
  const client = rig.connect(upgradeRequest({ path: '/echo', headers: [[field, key]] }), address);
  const answer = await rig.answer(client);
  if (answer === BARRED) return `${answer} ${/Retry-After: (\d+)/.exec(client.received.toString('latin1'))?.[1]}`;
  return answer;
}

describe('failures per address', () => {
  test('as many different bad keys as the limit are 401; then 429 until the first is a minute old', async () => {
    const rig = new Rig(configOf({ auth_failures_per_minute_per_ip: 2 }));
    expect(await answerTo(rig, 'x1', '192.0.2.1')).toBe(UNAUTHORIZED);
    rig.pass(20_000);
    // The same one again counts once.
    for (const _ of [1, 2, 3]) expect(await answerTo(rig, 'x1', '192.0.2.1')).toBe(UNAUTHORIZED);
    expect(await answerTo(rig, 'good', '192.0.2.1')).toBe(SWITCHED);
    expect(await answerTo(rig, 'x2', '192.0.2.1')).toBe(UNAUTHORIZED);
    for (const key of ['x3', 'x1', 'good']) expect(await answerTo(rig, key, '192.0.2.1')).toBe(`${BARRED} 40`);
    expect(await answerTo(rig, 'good', '192.0.2.2')).toBe(SWITCHED);
    rig.pass(40_000);
    expect(await answerTo(rig, 'x3', '192.0.2.1')).toBe(UNAUTHORIZED);
    expect(await answerTo(rig, 'good', '192.0.2.1')).toBe(`${BARRED} 20`);
    expect(rig.tap.lines.filter(({ error }) => error === 'too_many_auth_failures')).toHaveLength(4);
  });

  test('tokens that nobody can guess are not counted, and who is kept out may still bring one', async () => {
    const rig = new Rig(configOf({ auth_failures_per_minute_per_ip: 1 }));
    const token = (n: number) => answerTo(rig, `a.b${n}.c`, '192.0.2.1', 'X-Token');
    for (const n of [1, 2, 3]) expect(await token(n)).toBe(UNAUTHORIZED);
    expect(await answerTo(rig, 'x1', '192.0.2.1')).toBe(UNAUTHORIZED);
    expect(await answerTo(rig, 'good', '192.0.2.1')).toBe(`${BARRED} 60`);
    expect(await token(4)).toBe(UNAUTHORIZED);
  });

  test('a reload changes the limit and forgets nothing; off lets everybody try', async () => {
    const rig = new Rig(configOf({ auth_failures_per_minute_per_ip: 2 }));
    await answerTo(rig, 'x1', '192.0.2.1');
    rig.reload(configOf({ auth_failures_per_minute_per_ip: 1 }));
    expect(await answerTo(rig, 'good', '192.0.2.1')).toBe(`${BARRED} 60`);
    rig.reload(configOf({ auth_failures_per_minute_per_ip: 'off' }));
    for (let n = 0; n < 70; n += 1) expect(await answerTo(rig, `y${n}`, '192.0.2.1')).toBe(UNAUTHORIZED);
  });

  test('an IPv6 address counts by its /64, and eight times as many by its /48; who has no address by none', () => {
    const failures = new AuthFailures(2);
    for (let subnet = 0; subnet < 8; subnet += 1)
      for (const n of [1, 2]) failures.note(`2001:db8:1:${subnet}::/64`, `x${subnet}-${n}`, 0);
    expect(failures.against('2001:db8:1:0::/64', 0)).toMatchObject({ slug: 'too_many_auth_failures', retryAfter: 60 });
    expect(failures.against('2001:db8:1:99::/64', 0)).not.toBeNull();
    expect(failures.against('2001:db8:2:0::/64', 0)).toBeNull();
    for (let n = 0; n < 9; n += 1) failures.note('', `x${n}`, 0);
    expect(failures.against('', 0)).toBeNull();
  });

  test('ten for one user, from addresses that never were that user', () => {
    const failures = new AuthFailures(60);
    failures.succeeded('staff alice', '192.0.2.1', 0);
    for (let n = 0; n < 10; n += 1) {
      expect(failures.againstAs('staff alice', '192.0.2.9', 0)).toBeNull();
      failures.noteAs('staff alice', `192.0.2.${10 + n}`, `x${n}`, 0);
    }
    expect(failures.againstAs('staff alice', '192.0.2.9', 1_000)).toMatchObject({ retryAfter: 59 });
    expect(failures.againstAs('staff alice', '192.0.2.1', 0)).toBeNull();
    expect(failures.againstAs('staff bob', '192.0.2.9', 0)).toBeNull();
    expect(failures.againstAs('staff alice', '192.0.2.9', 60_000)).toBeNull();
    for (let n = 0; n < 20; n += 1) failures.noteAs('staff bob', '192.0.2.1', `same`, 0);
    failures.succeeded('staff bob', '192.0.2.1', 0);
    for (let n = 0; n < 20; n += 1) failures.noteAs('staff bob', '192.0.2.1', `y${n}`, 0);
    expect(failures.againstAs('staff bob', '192.0.2.9', 0)).toBeNull();
  });
});
