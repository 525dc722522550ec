// Every demand of `npm run scale`, as small as it makes sense: all but the heaps is judged.

import { describe, expect, test } from 'vitest';
import { Findings } from './demand.ts';
import { DEMANDS } from './demands.ts';
import { runDemand } from './run.ts';

const SHARE = 0.005;
const SEED = 1;
const DEMAND_MS = 60_000;

describe(`in small, seed ${SEED}`, () => {
  test.each(DEMANDS)(
    '$name is met',
    async (demand) => {
      const lines: string[] = [];
      const findings = new Findings((line) => lines.push(line));
      await runDemand(demand, { seed: SEED, share: SHARE, findings });
      expect(findings.unmet, lines.join('\n')).toEqual([]);
      expect(lines.filter((line) => line.startsWith('  met')).length).toBeGreaterThan(4);
    },
    DEMAND_MS,
  );

  test('what is not met is told, and what a demand throws too', async () => {
    const lines: string[] = [];
    const findings = new Findings((line) => lines.push(line));
    const undone: string[] = [];
    const demand = {
      name: 'faulty',
      title: '',
      openFiles: 1,
      run: async (task: Parameters<(typeof DEMANDS)[number]['run']>[0]) => {
        task.atEnd(() => void undone.push('first'));
        task.atEnd(() => void undone.push('second'));
        task.findings.equal('one is two', 1, 2);
        throw new Error('broken');
      },
    };
    await runDemand(demand, { seed: SEED, share: 1, findings });
    expect(findings.unmet).toEqual(['one is two', 'it ran to its end']);
    expect(lines.join('\n')).toContain('NOT MET  one is two: 1, not 2');
    expect(undone).toEqual(['second', 'first']);
  });
});
