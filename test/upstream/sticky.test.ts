import { describe, expect, test } from 'vitest';
import type { BalanceConfig } from '../../src/config/types.ts';
import { askedWith, type Balancing, type Box, balancer, box, everybody, only } from '../support/boxes.ts';

type StickyConfig = Extract<BalanceConfig, { kind: 'sticky' }>;

const PLAIN: StickyConfig = {
  kind: 'sticky',
  cookie: 'fg',
  path: '/',
  max_age: null,
  secure: 'auto',
  same_site: 'lax',
  secret: null,
};

const TARGETS = ['a', 'b', 'c'].map((name) => box(name));
const [A, B, C] = TARGETS as [Box, Box, Box];

/** What a client and a balancer do, request by request. */
class Visit {
  readonly of;
  set: string | null = null;

  constructor(change: Partial<StickyConfig> = {}, balancing: Partial<Balancing> = {}) {
    this.of = balancer({ balance: { ...PLAIN, ...change }, ...balancing });
  }

  /** With these Cookie lines; the name of the target that it gets. */
  come(
    cookies: readonly string[],
    eligible: { has(target: Box): boolean } = everybody,
    targets = TARGETS,
  ): string | null {
    const key = this.of.keyOf?.(askedWith(cookies.map((line) => `Cookie: ${line}`))) ?? null;
    const target = this.of.pick(targets, eligible, key);
    this.set = target === null ? null : (this.of.cookieFor?.(target, key, false) ?? null);
    return target?.name ?? null;
  }

  /** The cookie that whoever gets `target` is given. */
  cookieOf(target: Box): string {
    return (this.of.cookieFor?.(target, null, false) ?? '').split(';')[0] ?? '';
  }
}

describe('a client without a cookie', () => {
  test('gets what the fallback picks, and a cookie', () => {
    const visit = new Visit({}, { fallback: 'round_robin' });
    expect([1, 2, 3, 4].map(() => visit.come([]))).toEqual(['a', 'b', 'c', 'a']);
    expect(visit.set).toMatch(/^fg=[\w-]{16}; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  test('the cookie tells nothing of the target, and is the same in every process and order', () => {
    const [one, other] = [new Visit(), new Visit()];
    other.come([], everybody, TARGETS.toReversed());
    expect(one.cookieOf(B)).toBe(other.cookieOf({ ...B }));
    expect(new Set(TARGETS.map((target) => one.cookieOf(target))).size).toBe(3);
    expect(one.cookieOf(B)).toMatchInlineSnapshot(`"fg=lt_pJrGa2YQJ61II"`);
  });

  test('another upstream has other cookies for targets of the same name', () => {
    expect(new Visit({}, { name: 'feed' }).cookieOf(B)).not.toBe(new Visit().cookieOf(B));
  });

  test.each([
    ['auto', true, true],
    ['auto', false, false],
    ['on', false, true],
    ['off', true, false],
  ] as const)('secure: %s, by TLS: %s', (secure, isSecure, isSet) => {
    const set = new Visit({ secure }).of.cookieFor?.(A, null, isSecure) ?? '';
    expect(set.includes('; Secure')).toBe(isSet);
  });
});

describe('a client with a cookie', () => {
  test('gets that target, whatever the fallback says, and no cookie again', () => {
    const visit = new Visit({}, { fallback: 'round_robin' });
    const cookie = visit.cookieOf(C);
    for (let i = 0; i < 5; i += 1) expect([visit.come([`x=y; ${cookie}; z`]), visit.set]).toEqual(['c', null]);
  });

  test('whose target may have no session gets another one, with its cookie', () => {
    const visit = new Visit();
    expect(visit.come([visit.cookieOf(C)], only('b'))).toBe('b');
    expect(visit.set).toContain(visit.cookieOf(B));
    expect(visit.come([visit.cookieOf(C)], only())).toBeNull();
  });

  test('whose target is gone gets another one, with its cookie', () => {
    const visit = new Visit();
    expect(visit.come([visit.cookieOf(C)], everybody, [B])).toBe('b');
    expect(visit.set).toContain(visit.cookieOf(B));
  });

  test('finds its target by the first of several, and by one behind what was never ours', () => {
    const visit = new Visit();
    const [ofB, ofC] = [visit.cookieOf(B), visit.cookieOf(C)];
    expect(visit.come([`${ofC}; ${ofB}`])).toBe('c');
    expect(visit.come(['fg=; fg="x"; fg=short', ofB])).toBe('b');
    expect(visit.come(['fg=1; fg=2; fg=3; fg=4', ofB], only('a', 'b'))).toBe('a');
  });
});

describe('with a secret', () => {
  const SECRET = { secret: 'correct horse battery staple' };

  test('the cookie is signed, and found good by whoever has the secret', () => {
    const cookie = new Visit(SECRET).cookieOf(C);
    expect(cookie).toMatch(/^fg=[\w-]{16}\.[\w-]{22}$/);
    const visit = new Visit(SECRET);
    expect([visit.come([cookie]), visit.set]).toEqual(['c', null]);
  });

  test.each<[string, (cookie: string) => string]>([
    ['not signed', (cookie) => cookie.slice(0, -23)],
    ['with an empty signature', (cookie) => cookie.slice(0, -22)],
    ['signed by another secret', () => new Visit({ secret: 'another' }).cookieOf(C)],
    ['signed for another target', (cookie) => new Visit(SECRET).cookieOf(B).slice(0, -22) + cookie.slice(-22)],
    ['cut by one byte', (cookie) => cookie.slice(0, -1)],
    ['longer by one byte', (cookie) => `${cookie}A`],
    ['with one bit changed', (cookie) => cookie.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) ^ 1))],
    ['in quotes', (cookie) => cookie.replace(/=(.*)$/, '="$1"')],
    ['with a byte beyond ASCII', (cookie) => cookie.replace(/.$/, '\xe9')],
  ])('a cookie %s counts as absent, and is replaced', (_, forge) => {
    const visit = new Visit(SECRET);
    for (const target of TARGETS) target.sessions = 0;
    expect(visit.come([forge(visit.cookieOf(C))])).toBe('a');
    expect(visit.set).toContain(visit.cookieOf(A));
  });

  test('a secret that came or went makes all cookies forged', () => {
    const visit = new Visit();
    expect(visit.come([new Visit(SECRET).cookieOf(C)])).toBe('a');
  });
});
