// What the simulation found, as a table with what follows from it.

import { figure, markdownTable } from '../support/table.ts';
import type { Outcome, Policy, Scenario } from './fleet.ts';

export interface Row {
  readonly policy: Policy;
  readonly outcome: Outcome;
}

/** Of the best of its kind: within so much of it a policy is as good. */
const AS_GOOD = 1.1;

export function report(scenario: Scenario, rows: readonly Row[]): string {
  const head = ['policy', 'p99 / mean', 'at its worst', 'moved', 'back in a second', 'to one target in a second'];
  const cells = rows.map(({ policy, outcome }) => [
    policy.name,
    figure(outcome.imbalance),
    figure(outcome.worstImbalance),
    `${figure((100 * outcome.moved) / Math.max(1, outcome.closed))} %`,
    figure(outcome.reconnectsPeak),
    figure(outcome.rush),
  ]);
  return `${settingOf(scenario)}\n\n${markdownTable(head, cells)}\n${adviceOf(rows)}`;
}

function settingOf(scenario: Scenario): string {
  const { proxies, targets, sessions, batch, everySeconds, downSeconds, backSeconds, lifeSeconds, seed } = scenario;
  const sizes = [`${proxies} proxies`, `${targets} targets`, `${figure(sessions)} sessions`].join(', ');
  return (
    `${sizes} that last ${lifeSeconds} s on average. Every ${everySeconds} s ${batch} targets restart, until all ` +
    `have: they are gone for ${downSeconds} s, and their clients are back after up to ${backSeconds} s, by any ` +
    `proxy. Each proxy knows its own sessions only. Seed ${seed}.`
  );
}

/** For who has no keys. Keys and cookies are chosen for what they keep. */
function adviceOf(rows: readonly Row[]): string {
  const free = rows.filter(({ policy }) => policy.balance.kind !== 'hash' && policy.balance.kind !== 'sticky');
  const even = Math.min(...free.map(({ outcome }) => outcome.imbalance));
  const [calm] = byRush(free.filter(({ outcome }) => outcome.imbalance <= AS_GOOD * even));
  const [calmest] = byRush(free);
  if (calm === undefined || calmest === undefined) return '';
  const within = `${figure(100 * (AS_GOOD - 1))} %`;
  const advice = `To take for a fleet: **${calm.policy.name}**, the calmest within ${within} of the most even.`;
  if (calm === calmest) return `${advice}\n`;
  return `${advice} Where a target that has just come up bears no rush: ${calmest.policy.name}.\n`;
}

/** What a target that has just come up has to bear, the least first; of equals the more even one. */
function byRush(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => a.outcome.rush - b.outcome.rush || a.outcome.imbalance - b.outcome.imbalance);
}
