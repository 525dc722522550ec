// Targets for policies: what they look at, and nothing behind it.

import type { UpstreamConfig } from '../../src/config/types.ts';
import { RequestHeadParser } from '../../src/protocol/http-head.ts';
import { judgeUpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import type { Balancer, SessionRequest } from '../../src/upstream/balance/balancer.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { LIMITS, requestText } from '../protocol/heads.ts';
import { Random } from './random.ts';

export interface Box {
  readonly name: string;
  readonly weight: number;
  weightNow: number;
  sessions: number;
}

export type Balancing = Pick<UpstreamConfig, 'name' | 'balance' | 'fallback'>;

export const everybody = { has: () => true };

export const only = (...names: readonly string[]) => ({ has: ({ name }: Box) => names.includes(name) });

export function box(name: string, weight = 1): Box {
  return { name, weight, weightNow: weight, sessions: 0 };
}

export function balancer(change: Partial<Balancing>, random = new Random(1)): Balancer<Box> {
  const settings: Balancing = { name: 'chat', balance: { kind: 'round_robin' }, fallback: 'least_sessions', ...change };
  return balancerOf<Box>(settings, () => random.fraction());
}

/** A request that has passed every check. */
export function askedWith(fields: readonly string[], target = '/', clientAddress = ''): SessionRequest {
  const bytes = Buffer.from(requestText({ fields, line: `GET ${target} HTTP/1.1` }), 'latin1');
  const parser = new RequestHeadParser(LIMITS);
  parser.feed(bytes, 0, bytes.length);
  const verdict = parser.head === null ? null : judgeUpgradeRequest(parser.head);
  if (verdict === null || !verdict.ok) throw new Error(`refused: ${verdict?.slug ?? parser.violation}`);
  return { request: verdict.request, clientAddress, holder: null };
}
