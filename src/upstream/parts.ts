// Which parts an upstream has beside its targets and its policy. A further one is its file and its line.

import { ActiveChecks } from './health/active-checks.ts';
import { OutlierPart } from './outlier.ts';
import type { PartHost, UpstreamPart } from './part.ts';
import { Rebalance } from './rebalance.ts';
import { SlowStart } from './slow-start.ts';

/** None of them runs before its first `update`. */
export function partsOf(host: PartHost): readonly UpstreamPart[] {
  return [new ActiveChecks(host), new OutlierPart(host), new SlowStart(host), new Rebalance(host)];
}
