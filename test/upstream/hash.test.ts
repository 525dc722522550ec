import { describe, expect, test } from 'vitest';
import type { BalanceConfig, HashKey } from '../../src/config/types.ts';
import type { Holder } from '../../src/protocol/claims.ts';
import type { Balancer } from '../../src/upstream/balance/balancer.ts';
import { askedWith, type Box, balancer, box, everybody } from '../support/boxes.ts';
import { Random } from '../support/random.ts';

const PATH: BalanceConfig = { kind: 'hash', key: { kind: 'path' } };
const KEYS = 10_000;
const ASKED = askedWith([]);

function pool(size: number, weightOf = (_at: number): number => 1): Box[] {
  return Array.from({ length: size }, (_, at) => box(`10.0.${at >> 8}.${at & 255}:9001`, weightOf(at)));
}

/** The names that the first keys get, of a balancer that has seen no other targets. */
function owners(targets: readonly Box[], keys: number, of: Balancer<Box> = balancer({ balance: PATH })): string[] {
  return Array.from({ length: keys }, (_, at) => {
    const key = of.keyOf?.({ ...ASKED, request: { ...ASKED.request, path: `/room/${at}` } }) ?? null;
    return of.pick(targets, everybody, key)?.name ?? '';
  });
}

const movedBetween = (a: readonly string[], b: readonly string[]) => a.filter((name, at) => name !== b[at]).length;

describe('what a request is hashed by', () => {
  const keyOf = (key: HashKey, ...asked: Parameters<typeof askedWith>) =>
    balancer({ balance: { kind: 'hash', key } }).keyOf?.(askedWith(...asked)) ?? null;
  const room: HashKey = { kind: 'header', name: 'x-room' };
  const cookie: HashKey = { kind: 'cookie', name: 'room' };
  const query: HashKey = { kind: 'query', name: 'room' };
  const segment: HashKey = { kind: 'segment', index: 2 };

  test.each<[string, HashKey, Parameters<typeof askedWith>, Parameters<typeof askedWith>]>([
    ['header: in any case of its name', room, [['X-Room: a', 'X-Other: b']], [['x-ROOM: a', 'X-Other: c']]],
    ['header: several lines are one list', room, [['X-Room: a', 'X-Room: b']], [['X-Room: a, b']]],
    ['cookie: the first of its name', cookie, [['Cookie: a=b; room=1; room=2']], [['Cookie: room=1']]],
    ['query: the first of its name', query, [[], '/?a=b&room=1&room=2'], [[], '/x?room=1']],
    ['query: "=" is a part of the value', query, [[], '/?room=a=b'], [[], '/?room=a=b&c']],
    ['path: without the query', { kind: 'path' }, [[], '/a/b?c'], [['X: y'], '/a/b?d']],
    ['segment: counted from 1', segment, [[], '/a/b/c?d'], [[], '/x/b']],
  ])('%s', (_, key, one, other) => {
    expect(keyOf(key, ...one)).toEqual(expect.any(Number));
    expect(keyOf(key, ...one)).toBe(keyOf(key, ...other));
  });

  test.each<[string, HashKey, Parameters<typeof askedWith>, Parameters<typeof askedWith>]>([
    ['header', room, [['X-Room: a']], [['X-Room: A']]],
    ['cookie', cookie, [['Cookie: room=1']], [['Cookie: room="1"']]],
    ['query: escapes are not decoded', query, [[], '/?room=a'], [[], '/?room=%61']],
    ['path', { kind: 'path' }, [[], '/a'], [[], '/a/']],
    ['segment', segment, [[], '/a/b'], [[], '/b/a']],
  ])('%s: other values are other keys', (_, key, one, other) => {
    expect(keyOf(key, ...one)).not.toBe(keyOf(key, ...other));
  });

  test.each<[string, HashKey, Parameters<typeof askedWith>]>([
    ['header: none', room, [['X-Rooms: a']]],
    ['header: empty', room, [['X-Room: ']]],
    ['cookie: none', cookie, [['Cookie: rooms=1; Room=2; room']]],
    ['cookie: empty', cookie, [['Cookie: room=; a=b']]],
    ['query: none', query, [[], '/']],
    ['query: others', query, [[], '/?xroom=1&rooms=2&room&Room=3']],
    ['query: empty', query, [[], '/?room=&a=b']],
    ['segment: too few', segment, [[], '/a']],
    ['segment: empty', segment, [[], '/a//c']],
    ['segment: behind the last slash', segment, [[], '/a/']],
  ])('%s is no key', (_, key, asked) => {
    expect(keyOf(key, ...asked)).toBeNull();
  });

  test('identity and claim: of whoever it is for, whatever the request holds', () => {
    const of = (key: HashKey, holder: Partial<Holder> | null, target = '/') =>
      balancer({ balance: { kind: 'hash', key } }).keyOf?.({
        ...askedWith([], target),
        holder: holder && { auth: 'users', identity: null, claims: null, forwarded: null, ...holder },
      }) ?? null;
    const identity: HashKey = { kind: 'identity' };
    expect(of(identity, { identity: 'ada' })).toBe(of(identity, { identity: 'ada', claims: { a: 1 } }, '/x'));
    expect(of(identity, { identity: 'ada' })).not.toBe(of(identity, { identity: 'ada', auth: 'keys' }));
    expect(of(identity, { identity: 'ada' })).not.toBe(of(identity, { identity: 'Ada' }));
    expect([of(identity, null), of(identity, {})]).toEqual([null, null]);
    const tenant: HashKey = { kind: 'claim', name: 'org.id' };
    expect(of(tenant, { claims: { org: { id: 7 } } })).toBe(of(tenant, { claims: { 'org.id': '7' }, auth: 'x' }));
    expect(of(tenant, { claims: { 'org.id': 7 } })).not.toBe(of(tenant, { claims: { 'org.id': 8 } }));
    for (const none of [null, {}, { claims: {} }, { claims: { org: { id: {} } } }]) expect(of(tenant, none)).toBeNull();
  });

  test('source_ip: an IPv4 address, the /64 of an IPv6 one, in any spelling; nobody on a unix socket', () => {
    const of = (address: string) =>
      balancer({ balance: { kind: 'source_ip' } }).keyOf?.(askedWith([], '/', address)) ?? null;
    expect(of('192.0.2.7')).toBe(of('::ffff:192.0.2.7'));
    expect(of('192.0.2.7')).not.toBe(of('192.0.2.8'));
    expect(of('2001:db8::1')).toBe(of('2001:DB8:0:0:ffff::2'));
    expect(of('2001:db8::1')).not.toBe(of('2001:db8:0:1::1'));
    expect(of('')).toBeNull();
  });
});

describe('whom a key belongs to', () => {
  test('is the same whatever order the targets were learned in, and whatever was picked before', () => {
    const targets = pool(20, (at) => 1 + (at % 4));
    const random = new Random(Date.now());
    const shuffled = targets.map((target) => ({ target, at: random.uint32() })).sort((a, b) => a.at - b.at);
    const used = balancer({ balance: PATH });
    const others = shuffled.map(({ target }) => ({ ...target, sessions: random.between(0, 9), weightNow: 0.1 }));
    for (let i = 0; i < 50; i += 1) used.pick(others, everybody, null);
    expect(owners(others, KEYS, used), `seed ${random.seed}`).toEqual(owners(targets, KEYS));
  });

  test('is the same in every version: others of a fleet compute it too', () => {
    const targets = ['a', 'b', 'c', 'd'].map((name, at) => box(name, at + 1));
    expect(owners(targets, 16).join('')).toMatchInlineSnapshot(`"dddbdadbdacccbbd"`);
  });

  test.each([4, 10, 100])('of %i targets one that leaves moves its own share, and gets it back', (size) => {
    const keys = 100_000;
    const targets = pool(size);
    const all = owners(targets, keys);
    const [gone] = targets;
    const fewer = owners(targets.slice(1), keys);
    const moved = movedBetween(all, fewer);
    expect(moved).toBe(all.filter((name) => name === gone?.name).length);
    expect(moved).toBeGreaterThan((0.8 * keys) / size);
    expect(moved).toBeLessThan((1.2 * keys) / size);
  });

  test('a weight that changes moves that difference only', () => {
    const before = owners(pool(4), KEYS);
    const after = owners(
      pool(4, (at) => (at === 0 ? 2 : 1)),
      KEYS,
    );
    // From 1/4 to 2/5 of all.
    const ideal = KEYS * (2 / 5 - 1 / 4);
    expect(Math.abs(movedBetween(before, after) - ideal)).toBeLessThan(0.2 * ideal);
  });

  test('names that begin or end alike share as well as any', () => {
    for (const name of [
      (at: number) => `${at}`,
      (at: number) => `target-${'0'.repeat(40)}-${at}`,
      (at: number) => `${at}.chat.example.com`,
    ]) {
      const targets = Array.from({ length: 10 }, (_, at) => box(name(at)));
      const found = owners(targets, KEYS);
      for (const target of targets) {
        const count = found.filter((one) => one === target.name).length;
        expect(Math.abs(count - 1_000)).toBeLessThan(4 * 30);
      }
    }
  });
});
