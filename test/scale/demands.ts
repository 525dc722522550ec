// All demands, in the order in which they run.

import type { Demand } from './demand.ts';
import { dials } from './dials.ts';
import { drain } from './drain.ts';
import { rebalance } from './rebalance.ts';
import { refusals } from './refusals.ts';
import { reloads } from './reloads.ts';
import { restart } from './restart.ts';
import { sigstop } from './sigstop.ts';

export const DEMANDS: readonly Demand[] = [drain, reloads, dials, refusals, sigstop, rebalance, restart];
