import { describe, expect, test } from 'vitest';
import { askSubject } from './ask.ts';
import { agrees, essence, readDocument, rowsOf, unreasoned } from './document.ts';
import { GRAFTS } from './grafts.ts';
import { PLAIN_GRAFTS } from './plain-grafts.ts';
import { askPlain } from './plain-probe.ts';
import type { Verdict } from './probe.ts';
import { SUBJECTS, type SubjectName, versionOf } from './subjects.ts';

/** A graft costs a few connections and 20 ms of waiting. */
const ALL_GRAFTS_MS = 120_000;

const KINDS = [
  { kind: 'upgrades', grafts: GRAFTS, ask: askSubject },
  { kind: 'plain', grafts: PLAIN_GRAFTS, ask: askPlain },
] as const;

type Recorded = ReturnType<typeof readDocument>;

function changes(recorded: Recorded, subject: SubjectName, verdicts: ReadonlyMap<string, Verdict>): string[] {
  return recorded.rows.flatMap((row) => {
    const [now, before] = [verdicts.get(row.graft), row.verdicts[subject]];
    return now === before ? [] : [`${subject}: ${row.graft}: ${now}, recorded as ${before}`];
  });
}

describe.each(KINDS)('the differential oracle of $kind', ({ kind, grafts, ask }) => {
  const recorded = readDocument(kind);

  test('the document has one row for each graft, and its reason', () => {
    const byName = new Map(recorded.rows.map((row) => [row.graft, row]));
    expect(recorded.rows).toHaveLength(grafts.length);
    expect(new Set(grafts.map(({ name }) => name)).size).toBe(grafts.length);
    for (const { name, reason } of grafts) expect(byName.get(name)?.reason, name).toBe(reason);
  });

  test('every disagreement has a reason, and every reason a disagreement', () => {
    expect(unreasoned(recorded.rows)).toEqual([]);
  });

  // Most of the time is spent waiting, so both are asked at once.
  test('framegate and node:http decide as recorded', { timeout: ALL_GRAFTS_MS }, async () => {
    const [ours, others] = await Promise.all([ask('framegate', grafts), ask('node:http', grafts)]);
    expect(changes(recorded, 'framegate', ours)).toEqual([]);
    const changed = changes(recorded, 'node:http', others);
    // Another llhttp may judge otherwise, and nothing of framegate is wrong then: said, not failed.
    if (process.versions.llhttp === recorded.llhttp) expect(changed).toEqual([]);
    else say(`node:http has llhttp ${process.versions.llhttp}, recorded is ${recorded.llhttp}:`, ...changed);
  });

  test('nginx and HAProxy are asked by "npm run oracle"', () => {
    for (const name of ['nginx', 'HAProxy'] as const) {
      say(`${name} is not asked here; it is ${versionOf(name) === null ? 'not installed' : 'installed'}`);
    }
  });
});

describe('verdicts that agree', () => {
  const same = (a: string, b: string) => essence(a) === essence(b);

  test.each([
    ['400', '431', true],
    ['400', 'closed', true],
    ['403+404', '400', true],
    ['400', 'silent', false],
    ['101; as plain', '100+101; as plain', false],
    ['101; as plain', '101; as plain', true],
    ['101; as plain', '101; +x: y', false],
    ['101; as plain', '400; as plain', false],
    ['200; as plain', '400', false],
  ])('%s and %s: %s', (a, b, expected) => {
    expect(same(a, b)).toBe(expected);
  });

  test('a row without a reason, and one with a needless reason, are faults', () => {
    const verdicts = (last: string) => ({ framegate: '400', 'node:http': '400', nginx: '400', HAProxy: last });
    const row = (last: string, reason: string | null) => ({ graft: 'x', verdicts: verdicts(last), reason });
    expect(SUBJECTS).toHaveLength(4);
    expect([agrees(row('431', null)), agrees(row('101; as plain', null))]).toEqual([true, false]);
    expect(unreasoned([row('431', null), row('101; as plain', 'why')])).toEqual([]);
    expect(unreasoned([row('101; as plain', null)])).toHaveLength(1);
    expect(unreasoned([row('431', 'why')])).toHaveLength(1);
  });

  test('a table that was written is read back as it was', () => {
    const grafts = [{ name: 'a|b', bytes: Buffer.alloc(0), reason: null }];
    const verdicts = new Map(SUBJECTS.map((name) => [name, new Map([['a|b', '101; +x: |']])] as const));
    expect(rowsOf(grafts, verdicts)).toEqual([
      { graft: 'a|b', verdicts: Object.fromEntries(SUBJECTS.map((name) => [name, '101; +x: |'])), reason: null },
    ]);
  });
});

/** Seen in the output of a run that passes, too. */
function say(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
}
