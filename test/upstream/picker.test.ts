// Ranks and fallbacks: which targets a policy is given, and what it does when the one it means takes no session.

import { describe, expect, test } from 'vitest';
import type { BalanceConfig, UpstreamConfig } from '../../src/config/types.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { Picker } from '../../src/upstream/picker.ts';
import type { Target } from '../../src/upstream/target.ts';
import { askedWith } from '../support/boxes.ts';
import { Random } from '../support/random.ts';
import { newTarget, upstreamConfig } from '../support/upstreams.ts';

const NONE: ReadonlySet<Target> = new Set();
const HASH: BalanceConfig = { kind: 'hash', key: { kind: 'header', name: 'x-room' } };
const POLICIES: readonly BalanceConfig[] = [
  { kind: 'least_sessions' },
  { kind: 'round_robin' },
  { kind: 'random_two' },
  { kind: 'source_ip' },
  HASH,
];

function pickerOf(targets: readonly Target[], change: Partial<UpstreamConfig> = {}): Picker {
  const random = new Random(1);
  const picker = new Picker(balancerOf, () => random.fraction());
  picker.rebuild(upstreamConfig(change), targets);
  return picker;
}

const asked = (room: string) => askedWith([`X-Room: ${room}`], '/', '192.0.2.1');

function picks(picker: Picker, room = 'r', count = 50): Set<string | undefined> {
  const key = picker.keyOf(asked(room));
  return new Set(Array.from({ length: count }, () => picker.pick(NONE, key)?.name));
}

describe.each(POLICIES.map((balance) => [balance.kind, balance] as const))('%s', (_, balance) => {
  const [a, b, c] = [newTarget('a', { max_sessions: 1 }), newTarget('b'), newTarget('c', { backup: true })];
  const picker = pickerOf([c, a, b], { balance });

  test('backups get sessions while no other target is open, and not before', () => {
    for (let i = 0; i < 20; i += 1) expect(picks(picker, `r${i}`)).not.toContain('c');
    a.acquire();
    expect(picks(picker)).toEqual(new Set(['b']));
    b.bar('down', 'check', 0);
    expect(picks(picker)).toEqual(new Set(['c']));
    a.release('handshake');
    expect(picks(picker)).toEqual(new Set(['a']));
    a.acquire();
    c.bar('draining', 'admin', 0);
    expect(picks(picker)).toEqual(new Set([undefined]));
    b.lift('down', 0);
    expect(picks(picker)).toEqual(new Set(['b']));
  });

  test('a target that was tried is not picked again', () => {
    expect(picker.pick(new Set([b]), picker.keyOf(asked('r')))).toBeNull();
    expect(picker.pick(NONE, picker.keyOf(asked('r')))).toBe(b);
  });
});

describe('fallback', () => {
  const targets = ['a', 'b', 'c', 'd'].map((name) => newTarget(name, { max_sessions: 100 }));
  const picker = pickerOf(targets, { balance: HASH, fallback: 'round_robin' });
  const ownerOf = (room: string) => targets.find(({ name }) => picks(picker, room, 1).has(name));

  test('is not asked while the key has a target that is open', () => {
    expect(picks(picker, 'one').size).toBe(1);
    expect(picks(picker, 'one')).toEqual(picks(picker, 'one'));
  });

  test('picks for requests without a key', () => {
    const picked = Array.from({ length: 8 }, () => picker.pick(NONE, picker.keyOf(askedWith([])))?.name);
    expect(picked.slice(4)).toEqual(picked.slice(0, 4));
    expect(new Set(picked).size).toBe(4);
  });

  test.each<[string, (target: Target) => void, (target: Target) => void]>([
    ['down', (target) => target.bar('down', 'check', 0), (target) => target.lift('down', 0)],
    ['drained', (target) => target.bar('draining', 'admin', 0), (target) => target.lift('draining', 0)],
    ['full', fill, (target) => target.release('handshake')],
  ])('picks among the others while the target of the key is %s', (_, close, open) => {
    const owner = ownerOf('two');
    expect(owner).toBeDefined();
    if (owner === undefined) return;
    close(owner);
    expect(picks(picker, 'two')).toEqual(new Set(['a', 'b', 'c', 'd'].filter((name) => name !== owner.name)));
    open(owner);
    expect(picks(picker, 'two')).toEqual(new Set([owner.name]));
    while (owner.sessions > 0) owner.release('handshake');
  });

  test('picks when the target of the key was tried', () => {
    const owner = ownerOf('three');
    if (owner === undefined) throw new Error('there is one');
    expect(picker.pick(new Set([owner]), picker.keyOf(asked('three')))).not.toBe(owner);
  });
});

test('hash goes by the weight of the config, round_robin by what counts now', () => {
  const slow = newTarget('a');
  const others = ['b', 'c'].map((name) => newTarget(name));
  const byHash = pickerOf([slow, ...others], { balance: HASH });
  const byTurns = pickerOf([slow, ...others], { balance: { kind: 'round_robin' } });
  const names = (picker: Picker) =>
    Array.from({ length: 210 }, (_, at) => picker.pick(NONE, picker.keyOf(asked(`${at}`)))?.name);
  const before = names(byHash);
  slow.ramp = 0.1;
  expect(names(byHash)).toEqual(before);
  expect(names(byTurns).filter((name) => name === 'a')).toHaveLength(10);
});

/** All its slots are taken. */
function fill(target: Target): void {
  while (target.hasRoom) target.acquire();
}
