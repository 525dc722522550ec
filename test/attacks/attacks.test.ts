// Every attack of `npm run attacks`, as small as it makes sense: what only a full size shows is told, not judged.

import { describe, expect, test } from 'vitest';
import { Findings } from '../scale/demand.ts';
import { runDemand } from '../scale/run.ts';
import { ATTACKS } from './attacks.ts';

const SHARE = 0.02;
const SEED = 1;
const ATTACK_MS = 60_000;
/** Costs a core for ten seconds at any size; in small the rows L41 and E29 show the same. */
const FULL_ONLY: ReadonlySet<string> = new Set(['stalls']);

test('each attack has a name of its own', () => {
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length);
});

describe(`in small, seed ${SEED}`, () => {
  for (const attack of ATTACKS.filter(({ name }) => !FULL_ONLY.has(name))) {
    test(
      `${attack.name} is borne`,
      async () => {
        const lines: string[] = [];
        const findings = new Findings((line) => lines.push(line));
        await runDemand(attack, { seed: SEED, share: SHARE, findings });
        expect(findings.unmet, lines.join('\n')).toEqual([]);
        expect(lines.filter((line) => line.startsWith('  met')).length).toBeGreaterThan(0);
      },
      ATTACK_MS,
    );
  }
});
