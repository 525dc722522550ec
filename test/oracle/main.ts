// `npm run oracle`: the grafts to framegate, node:http, nginx and HAProxy. Fails where they disagree without a reason,
// where a reason has no disagreement, and where a verdict is not as recorded; `--write` records it. `-- --corpus` plays
// the whole corpus instead.

import { endChildrenOnExit } from '../../bench/support/child-process.ts';
import { runFullCorpus } from '../corpus/full.ts';
import { askSubject } from './ask.ts';
import { type DocumentKind, type Row, readDocument, rowsOf, unreasoned, writeDocument } from './document.ts';
import { GRAFTS, type Graft } from './grafts.ts';
import { PLAIN_GRAFTS } from './plain-grafts.ts';
import { askPlain } from './plain-probe.ts';
import type { Verdict } from './probe.ts';
import { SUBJECTS, type SubjectName, versionOf } from './subjects.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);

interface Question {
  readonly kind: DocumentKind;
  readonly grafts: readonly Graft[];
  readonly ask: typeof askSubject;
}

const QUESTIONS: readonly Question[] = [
  { kind: 'upgrades', grafts: GRAFTS, ask: askSubject },
  { kind: 'plain', grafts: PLAIN_GRAFTS, ask: askPlain },
];

async function runOracle({ kind, grafts, ask }: Question, write: boolean): Promise<number> {
  const verdicts = new Map<SubjectName, Map<string, Verdict>>();
  const recorded = new Map(readDocument(kind).rows.map((row) => [row.graft, row]));
  const versions: string[] = [];
  for (const name of SUBJECTS) {
    const version = versionOf(name);
    versions.push(`${name} (${version})`);
    if (version === null) {
      say(`${name} is not installed: its recorded verdicts stand`);
      verdicts.set(name, new Map([...recorded].map(([graft, row]) => [graft, row.verdicts[name]])));
      continue;
    }
    const startedAt = performance.now();
    verdicts.set(name, await ask(name, grafts));
    say(`${name} (${version}): ${grafts.length} grafts, ${Math.round(performance.now() - startedAt)} ms`);
  }
  const rows = rowsOf(grafts, verdicts);
  const faults = unreasoned(rows);
  if (!write) faults.push(...rows.flatMap((row) => changes(row, recorded.get(row.graft))));
  else if (versions.some((text) => text.endsWith('(null)'))) faults.push('not written: not all subjects are installed');
  else writeDocument(kind, rows, versions);
  for (const fault of faults) say(`  ${fault}`);
  const reasons = rows.filter(({ reason }) => reason !== null).length;
  say(`${kind}: ${rows.length} grafts, ${reasons} reasons, ${faults.length} faults`);
  return faults.length;
}

function changes(row: Row, recorded: Row | undefined): string[] {
  if (recorded === undefined) return [`${row.graft}: not recorded`];
  return SUBJECTS.filter((name) => row.verdicts[name] !== recorded.verdicts[name]).map(
    (name) => `${row.graft}: ${name}: ${row.verdicts[name]}, recorded as ${recorded.verdicts[name]}`,
  );
}

endChildrenOnExit();
const write = process.argv.includes('--write');
let faults = 0;
if (process.argv.includes('--corpus')) faults = await runFullCorpus({ write, say });
else for (const question of QUESTIONS) faults += await runOracle(question, write);
process.exit(faults > 0 ? 1 : 0);
