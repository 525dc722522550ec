// The verdicts that stand in accepted.txt: which requests and answers of the corpus are accepted, and which are refused
// though a strict reading allows them. One line for each construction, so that a change of one verdict is one word.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CorpusCase } from './corpus-case.ts';

const FILE = fileURLToPath(new URL('accepted.txt', import.meta.url));

const PREAMBLE = `What of the corpus is accepted, and what is refused by choice: a strict reading of RFC 9112, 9110
and 6455 allows it. All else is refused. Written by "npm run oracle -- --corpus --write"; each line is verdict,
construction, variants.
`;

export type Outcome = 'accepted' | 'refused by choice' | 'refused';

export interface Entry {
  readonly kind: 'request' | 'answer';
  readonly outcome: Outcome;
  readonly one: CorpusCase;
}

const NOTED: readonly Outcome[] = ['accepted', 'refused by choice'];

export class Recorded {
  /** By kind, outcome and construction: the variants. */
  private readonly lines: Map<string, Set<string>>;

  private constructor(lines: Map<string, Set<string>>) {
    this.lines = lines;
  }

  static read(): Recorded {
    const lines = new Map<string, Set<string>>();
    for (const line of readFileSync(FILE, 'utf8').split('\n')) {
      const [what, group, variants] = line.split('\t');
      if (variants !== undefined) lines.set(`${what}\t${group}`, new Set(variants.split(' ')));
    }
    return new Recorded(lines);
  }

  static of(entries: readonly Entry[]): Recorded {
    const lines = new Map<string, Set<string>>();
    for (const { kind, outcome, one } of entries) {
      if (outcome === 'refused') continue;
      const key = keyOf(kind, outcome, one);
      lines.set(key, (lines.get(key) ?? new Set()).add(one.variant));
    }
    return new Recorded(lines);
  }

  write(): void {
    const lines = [...this.lines].map(([key, variants]) => `${key}\t${[...variants].join(' ')}`);
    writeFileSync(FILE, `${PREAMBLE}\n${lines.sort().join('\n')}\n`);
  }

  /** The verdicts that are not as recorded, in words. */
  differences(entries: readonly Entry[]): string[] {
    return entries.flatMap(({ kind, outcome, one }) => {
      const known = NOTED.find((each) => this.has(keyOf(kind, each, one), one.variant)) ?? 'refused';
      return known === outcome ? [] : [`${kind}: ${one.group}: ${one.variant}: ${outcome}, recorded as ${known}`];
    });
  }

  /** What is recorded and came of none of `entries`, which are the whole corpus. */
  stale(entries: readonly Entry[]): string[] {
    const now = Recorded.of(entries);
    return [...this.lines].flatMap(([key, variants]) =>
      [...variants].filter((variant) => !now.has(key, variant)).map((variant) => `${key}: ${variant}`),
    );
  }

  private has(key: string, variant: string): boolean {
    return this.lines.get(key)?.has(variant) ?? false;
  }
}

function keyOf(kind: Entry['kind'], outcome: Outcome, one: CorpusCase): string {
  return `${kind} ${outcome}\t${one.group}`;
}
