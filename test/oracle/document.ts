// The document with the verdicts: written from a run, and read back to be compared with one.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeSection } from '../../bench/support/document.ts';
import type { Graft } from './grafts.ts';
import type { Verdict } from './probe.ts';
import { SUBJECTS, type SubjectName } from './subjects.ts';

/** Of upgrades, and of plain requests. */
const DOCUMENTS = { upgrades: 'README.md', plain: 'PLAIN.md' } as const;
export type DocumentKind = keyof typeof DOCUMENTS;

const fileOf = (kind: DocumentKind): string => fileURLToPath(new URL(DOCUMENTS[kind], import.meta.url));

export type Verdicts = ReadonlyMap<SubjectName, ReadonlyMap<string, Verdict>>;

export interface Row {
  readonly graft: string;
  readonly verdicts: Readonly<Record<SubjectName, Verdict>>;
  readonly reason: string | null;
}

/** Let in, turned away or kept waiting, and what the backend saw: two verdicts that are alike in this agree. */
export function essence(verdict: Verdict): string {
  const [answer = '', ...seen] = verdict.split('; ');
  const letIn = /^(?:101|200)/.exec(answer)?.[0];
  // A body may be framed anew.
  const framed = /^(\S+ \S+) (?:without a body|(?:length|chunked) (.*))$/;
  const alike = seen.map((one) => one.replace(framed, (_, line, body = '(empty)') => `${line} ${body}`));
  return [letIn ?? (answer === 'silent' ? 'waiting' : 'refused'), ...alike].join('; ');
}

export function agrees(row: Pick<Row, 'verdicts'>): boolean {
  return new Set(SUBJECTS.map((name) => essence(row.verdicts[name]))).size === 1;
}

/** Each graft whose reason and verdicts do not go together, in words. */
export function unreasoned(rows: readonly Row[]): string[] {
  return rows.flatMap((row) => {
    if (agrees(row) === (row.reason === null)) return [];
    const words = SUBJECTS.map((name) => `${name}: ${row.verdicts[name]}`).join(' | ');
    return [
      `${row.graft}: ${row.reason === null ? 'no reason for a disagreement' : 'a reason, but all agree'}: ${words}`,
    ];
  });
}

export function rowsOf(grafts: readonly Graft[], verdicts: Verdicts): Row[] {
  return grafts.map(({ name, reason }) => {
    const of = (subject: SubjectName) => verdicts.get(subject)?.get(name) ?? '';
    return {
      graft: name,
      verdicts: {
        framegate: of('framegate'),
        'node:http': of('node:http'),
        nginx: of('nginx'),
        HAProxy: of('HAProxy'),
      },
      reason,
    };
  });
}

export function writeDocument(kind: DocumentKind, rows: readonly Row[], versions: readonly string[]): void {
  const file = fileOf(kind);
  const head = (last: string) => `| graft | ${SUBJECTS.join(' | ')} |${last === '' ? '' : ` ${last} |`}`;
  const rule = (columns: number) => `|${'---|'.repeat(columns)}`;
  const cells = (row: Row) => [row.graft, ...SUBJECTS.map((name) => row.verdicts[name])].map(cell).join(' | ');
  const different = rows.filter((row) => !agrees(row));
  const same = rows.filter(agrees);
  writeSection(file, 'versions', `Asked: ${versions.join(', ')}.`);
  writeSection(
    file,
    'disagreements',
    [head('reason'), rule(6), ...different.map((row) => `| ${cells(row)} | ${cell(row.reason ?? '')} |`)].join('\n'),
  );
  writeSection(file, 'agreements', [head(''), rule(5), ...same.map((row) => `| ${cells(row)} |`)].join('\n'));
}

/** The rows of both tables. */
export function readDocument(kind: DocumentKind): { rows: Row[]; llhttp: string } {
  const text = readFileSync(fileOf(kind), 'utf8');
  const rows = text.split('\n').flatMap((line) => {
    const [graft = '', framegate = '', nodeHttp = '', nginx = '', HAProxy = '', reason] = cellsOf(line);
    if (HAProxy === '' || graft === 'graft') return [];
    return [{ graft, verdicts: { framegate, 'node:http': nodeHttp, nginx, HAProxy }, reason: reason ?? null }];
  });
  return { rows, llhttp: /node:http \(llhttp ([^)]*)\)/.exec(text)?.[1] ?? '' };
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function cellsOf(line: string): string[] {
  if (!line.startsWith('| ') || !line.endsWith(' |')) return [];
  return line
    .slice(2, -2)
    .split(/ \| /)
    .map((text) => text.replaceAll('\\|', '|'));
}
