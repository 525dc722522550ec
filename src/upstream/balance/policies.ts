// Which class balances by which policy. A further policy is its file here, its row, and its name in the config.

import type { BalanceConfig, UpstreamConfig } from '../../config/types.ts';
import type { Balancer, Candidate } from './balancer.ts';
import { LeastSessions } from './least-sessions.ts';
import { RoundRobin } from './round-robin.ts';

type MakeBalancer = <T extends Candidate>() => Balancer<T>;

const BALANCERS: Readonly<Record<BalanceConfig['kind'], MakeBalancer>> = {
  least_sessions: () => new LeastSessions(),
  round_robin: () => new RoundRobin(),
  random_two: () => new LeastSessions(),
  source_ip: () => new LeastSessions(),
  hash: () => new LeastSessions(),
  sticky: () => new LeastSessions(),
};

export function balancerOf<T extends Candidate>({ balance }: Pick<UpstreamConfig, 'balance'>): Balancer<T> {
  return BALANCERS[balance.kind]();
}
