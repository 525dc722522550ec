// Which class balances by which policy. A further policy is its file here, its row, and its name in the config.

import type { UpstreamConfig } from '../../config/types.ts';
import type { Balancer, Candidate } from './balancer.ts';
import { ByHash } from './by-hash.ts';
import { sourceText, textOf } from './hash-keys.ts';
import { LeastSessions } from './least-sessions.ts';
import { RandomTwo } from './random-two.ts';
import { RoundRobin } from './round-robin.ts';
import { Sticky } from './sticky.ts';

/** What of its upstream's config a balancer goes by. */
type BalancerSettings = Pick<UpstreamConfig, 'name' | 'balance' | 'fallback'>;

type Fallbacks = { readonly [K in UpstreamConfig['fallback']]: <T extends Candidate>(random: Random) => Balancer<T> };
type Random = () => number;

const BY_TARGETS: Fallbacks = {
  least_sessions: () => new LeastSessions(),
  round_robin: () => new RoundRobin(),
  random_two: (random) => new RandomTwo(random),
};

/** `random`: from 0 to below 1. */
export function balancerOf<T extends Candidate>(settings: BalancerSettings, random: Random): Balancer<T> {
  const { name, balance } = settings;
  const fallback = (): Balancer<T> => BY_TARGETS[settings.fallback](random);
  switch (balance.kind) {
    case 'source_ip':
      return new ByHash(sourceText, fallback());
    case 'hash':
      return new ByHash(textOf(balance.key), fallback());
    case 'sticky':
      return new Sticky(balance, name, fallback());
    default:
      return BY_TARGETS[balance.kind](random);
  }
}
