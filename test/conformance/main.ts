// `npm run conformance`: plays the suite and prints what came of it. With a URL, against any echo server; without,
// against the built-in peers, alone and through framegate. Exits 1 when a case fails or framegate makes one worse.

import { CASES, GROUPS, groupOf } from './cases.ts';
import type { PeerKind } from './echo-peers.ts';
import { fuzzServer, type Verdicts } from './fuzz.ts';
import { type Comparison, compare, type Direction } from './subject.ts';
import { isBetter, isWorse, verdictText } from './verdict.ts';

const DIRECTIONS: readonly Direction[] = ['fuzzing client', 'fuzzing server'];
const KINDS: readonly PeerKind[] = ['strict', 'lenient'];

process.exitCode = process.argv[2] === undefined ? await compareAll() : await playAgainst(process.argv[2]);

async function playAgainst(url: string): Promise<number> {
  const verdicts = await fuzzServer(url, CASES);
  print(url, summaryOf(verdicts));
  const failed = CASES.filter(({ id }) => isFailure(verdicts, id));
  for (const { id, title } of failed) say(`${id} ${title}: ${verdictOf(verdicts, id)}: ${verdicts.get(id)?.story}`);
  return failed.length > 0 ? 1 : 0;
}

async function compareAll(): Promise<number> {
  let worse = 0;
  for (const direction of DIRECTIONS) {
    for (const kind of KINDS) {
      const startedAt = performance.now();
      const comparison = await compare(direction, kind);
      say(`\n${direction}, ${kind} peer: ${CASES.length} cases, ${Math.round(performance.now() - startedAt)} ms`);
      print('alone', summaryOf(comparison.alone));
      print('through framegate', summaryOf(comparison.through));
      worse += printDifferences(comparison);
    }
  }
  return worse > 0 ? 1 : 0;
}

function printDifferences({ alone, through, faults }: Comparison): number {
  let worse = 0;
  for (const { id, title } of CASES) {
    const before = alone.get(id);
    const after = through.get(id);
    if (before === undefined || after === undefined) continue;
    const isBad = isWorse(after, before);
    if (isBad) worse += 1;
    else if (!isBetter(after, before)) continue;
    say(`  ${isBad ? 'WORSE' : 'better'} ${id} ${title}: ${verdictText(before)} -> ${verdictText(after)}`);
    say(`    ${isBad ? `${before.story}\n    ${after.story}` : after.reason}`);
  }
  for (const fault of faults) say(`  ${fault.trim()}`);
  return worse;
}

/** Per group, how often each pair of verdicts was given. */
function summaryOf(verdicts: Verdicts): string[] {
  return Object.entries(GROUPS).map(([group, title]) => {
    const counts = new Map<string, number>();
    for (const { id } of CASES) {
      if (groupOf(id) !== group) continue;
      const text = verdictOf(verdicts, id);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    const cells = [...counts].map(([text, count]) => `${count} x ${text}`);
    return `${group.padStart(4)}  ${title.padEnd(36)} ${cells.join(', ')}`;
  });
}

function verdictOf(verdicts: Verdicts, id: string): string {
  const verdict = verdicts.get(id);
  return verdict === undefined ? 'not played' : verdictText(verdict);
}

function isFailure(verdicts: Verdicts, id: string): boolean {
  const verdict = verdicts.get(id);
  return verdict === undefined || verdict.behaviour === 'FAILED' || verdict.close === 'FAILED';
}

function print(title: string, lines: readonly string[]): void {
  say(`  ${title}`);
  for (const line of lines) say(`  ${line}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
