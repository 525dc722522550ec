// What a comparison must show: nothing worse, every better verdict listed under its rule, and no line of the list idle.

import { VIOLATIONS } from '../../src/protocol/violations.ts';
import { type BetterRule, betterRules } from './better.ts';
import { CASES } from './cases.ts';
import type { ConformanceCase } from './conformance-case.ts';
import type { PeerKind } from './echo-peers.ts';
import { type Comparison, compare, type Direction } from './subject.ts';
import { isBetter, isWorse, type Verdict, verdictText } from './verdict.ts';

/** A verdict depends on time in places: so many cases may be played again by themselves before it counts. */
const REPLAYED_MAX = 12;

/** Plays the cases and gives what must not be: one line each. */
export async function differencesNotAllowed(
  direction: Direction,
  kind: PeerKind,
  cases: readonly ConformanceCase[] = CASES,
): Promise<string[]> {
  const rules = betterRules(direction, kind);
  const first = await compare(direction, kind, cases);
  const suspects = cases.filter((one) => problemOf(one, first, rules.get(one.id)) !== null);
  const again = suspects.length > 0 && suspects.length <= REPLAYED_MAX;
  const judged = again ? await compare(direction, kind, suspects) : first;
  const problems = suspects.map((one) => problemOf(one, judged, rules.get(one.id)));
  const faults = [...first.faults, ...(again ? judged.faults : [])];
  return [...problems.filter((problem) => problem !== null), ...faults];
}

/** What is wrong with one case, or null. */
export function problemOf(one: ConformanceCase, { alone, through }: Comparison, rule?: BetterRule): string | null {
  const before = alone.get(one.id);
  const after = through.get(one.id);
  if (before === undefined || after === undefined) return `${one.id}: not played`;
  const what = `${one.id} ${one.title}: ${verdictText(before)} alone, ${verdictText(after)} through framegate`;
  const stories = `\n  alone:   ${before.story}\n  through: ${after.story}`;
  if (isWorse(after, before)) return `${what}: worse${stories}`;
  if (isBetter(after, before) && rule === undefined) return `${what}: better, and no rule is listed${stories}`;
  // Alone, two FINs race there: the peer's may come second by chance, and is then not at the wrong end.
  if (rule === 'server_closes_first' && after.close === 'OK' && before.close === 'OK') return null;
  if (!isBetter(after, before) && rule !== undefined) return `${what}: ${rule} makes no difference${stories}`;
  if (rule !== undefined && !isDoneBy(rule, before, after)) return `${what}: not by ${rule}${stories}`;
  return null;
}

/** The reason text of framegate's Close names the rule. */
function isDoneBy(rule: BetterRule, before: Verdict, after: Verdict): boolean {
  if (rule === 'server_closes_first') return before.close === 'WRONG END' && after.close === 'OK';
  return after.reason === VIOLATIONS[rule].text;
}
