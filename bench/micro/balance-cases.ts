// Choosing among 1000 targets by every policy: all open, a tenth down, half of them full. Each pick must find a target.

import { loadObject } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { Picker } from '../../src/upstream/picker.ts';
import { Target } from '../../src/upstream/target.ts';
import type { MicroCase } from './micro-case.ts';

const TARGETS = 1_000;
const PICKS = 200;
const SESSIONS_MAX = 100;
const NONE: ReadonlySet<Target> = new Set();

type Balance = NonNullable<NonNullable<ConfigInput['upstreams']>[string]['balance']>;
type Crowd = 'level' | 'uneven' | 'half full';

const POLICIES: Readonly<Record<string, Balance>> = {
  least_sessions: 'least_sessions',
  round_robin: 'round_robin',
  random_two: 'random_two',
  source_ip: 'source_ip',
  sticky: { sticky: {} },
};

export function cases(): readonly MicroCase[] {
  return Object.entries(POLICIES).flatMap(([policy, balance]) =>
    (['level', 'uneven', 'half full'] as const).map((crowd): MicroCase => {
      const picks = picksOf(balance, crowd, policy);
      const name = `balance: ${policy}, ${TARGETS} targets, ${crowd}`;
      return { name, unit: 'pick', operations: PICKS, bytes: 0, run: picks, expected: PICKS };
    }),
  );
}

/** Gives how many picks found a target. Sessions come and go as they do, so turns differ from pick to pick. */
function picksOf(balance: Balance, crowd: Crowd, policy: string): () => number {
  const random = pseudoRandom();
  const { picker, targets } = poolOf(balance, random);
  for (const [at, target] of targets.entries()) fill(target, sessionsOf(crowd, at));
  for (const target of targets) if (crowd === 'uneven' && random() < 0.1) target.bar('down', 'check', 0);
  let key = 0;
  return () => {
    let found = 0;
    for (let i = 0; i < PICKS; i += 1) {
      key = (Math.imul(key, 0x0019_660d) + 0x3c6e_f35f) | 0;
      const target = picker.pick(NONE, policy === 'source_ip' ? key : null);
      if (target === null) continue;
      target.acquire();
      target.release('handshake');
      found += 1;
    }
    return found;
  };
}

function poolOf(balance: Balance, random: () => number): { picker: Picker; targets: readonly Target[] } {
  const targets = Array.from({ length: TARGETS }, (_, at) => ({
    url: `ws://10.0.${at >> 8}.${at & 255}:9001`,
    weight: 1 + (at % 4),
    max_sessions: SESSIONS_MAX,
  }));
  const input: ConfigInput = { routes: [{ upstream: 'pool' }], upstreams: { pool: { targets, balance } } };
  const { pool } = loadObject(input, { baseDir: '.' }).config.upstreams;
  if (pool === undefined) throw new Error('there is an upstream pool');
  const made = pool.targets.map((config) => new Target(config, pool, () => {}));
  const picker = new Picker(balancerOf, random);
  picker.rebuild(pool, made);
  return { picker, targets: made };
}

function sessionsOf(crowd: Crowd, at: number): number {
  if (crowd === 'half full') return at % 2 === 0 ? SESSIONS_MAX : 10;
  return crowd === 'level' ? 10 * (1 + (at % 4)) : 10 + ((at * 7919) % 50);
}

function fill(target: Target, sessions: number): void {
  for (let i = 0; i < sessions; i += 1) {
    target.acquire();
    target.promote('session');
  }
}

/** The same picks in each run of the bench. */
function pseudoRandom(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 0x0019_660d) + 0x3c6e_f35f) >>> 0;
    return state / 2 ** 32;
  };
}
