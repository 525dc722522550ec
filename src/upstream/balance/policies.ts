// Which class balances by which policy. A further policy is its file here, its row, and its name in the config.

import type { BalancePolicy, UpstreamConfig } from '../../config/types.ts';
import type { Balancer, Candidate } from './balancer.ts';
import { LeastSessions } from './least-sessions.ts';
import { RoundRobin } from './round-robin.ts';

type MakeBalancer = <T extends Candidate>() => Balancer<T>;

const BALANCERS: Readonly<Record<BalancePolicy, MakeBalancer>> = {
  least_sessions: () => new LeastSessions(),
  round_robin: () => new RoundRobin(),
};

export function balancerOf<T extends Candidate>({ balance }: Pick<UpstreamConfig, 'balance'>): Balancer<T> {
  return BALANCERS[balance]();
}
