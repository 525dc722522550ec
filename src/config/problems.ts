// Owns what is wrong with a config and how it is told: position, path, sentence, source line with a caret.
// It must not decide what is wrong.

export type PathSegments = readonly (string | number)[];

/** One finding, as `check --format json` prints it. Line and column begin at 1; null when it has no place. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly path: string;
  readonly message: string;
}

/** A config that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map((problem) => headline(problem)).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Columns of the source line that are shown around the caret. */
const SHOWN_COLUMNS = 100;
/** Of a path, the names that need no quotes. */
const PLAIN_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const NAME_SHOWN_MAX = 64;
/** What stands in the line behind the name of a key that holds a secret; where that is a file its name is shown. */
const SECRET_VALUE =
  /\b((?:client_)?secret|passphrase|password|token)(["']?[ \t]*:[ \t]*)("[^"]*"?|'[^']*'?|[^\s,{}[\]"'][^,}]*)/g;

/** `routes[0].limits.max_buffered`; names that would read as something else are quoted. */
export function pathText(path: PathSegments): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (PLAIN_NAME.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(harmless(part.slice(0, NAME_SHOWN_MAX)))}]`;
  }
  return text;
}

/**
 * All problems as a person reads them: `file:line:column: error: path: message`, the source line and a caret.
 * `file`: whose text `source` is, where problems of other files are among them, whose lines are not shown.
 */
export function formatProblems(problems: readonly Problem[], source: string | null, file?: string): string {
  const lines = source === null ? [] : source.replace(/^\ufeff/, '').split(/\r?\n/);
  const excerptOf = (problem: Problem) => (file === undefined || problem.file === file ? excerpt(problem, lines) : '');
  return problems.map((problem) => `${headline(problem)}\n${excerptOf(problem)}`).join('');
}

function headline(problem: Problem): string {
  const position = problem.line === null ? '' : `:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file}${position}: ${problem.severity}: ${path}${harmless(problem.message)}`;
}

function excerpt(problem: Problem, lines: readonly string[]): string {
  if (problem.line === null || problem.column === null) return '';
  const line = lines[problem.line - 1];
  if (line === undefined) return '';
  // A long line is shown around the caret only.
  const start = Math.max(0, problem.column - 1 - SHOWN_COLUMNS / 2);
  const shown = harmless(withoutSecrets(line).slice(start, start + SHOWN_COLUMNS));
  const before = shown.slice(0, problem.column - 1 - start);
  return `  ${shown}\n  ${before.replace(/[^\t]/g, ' ')}^\n`;
}

/** As long as it was, so that the caret stands where it should. */
function withoutSecrets(line: string): string {
  return line.replace(SECRET_VALUE, (_, name: string, colon: string, value: string) => {
    return `${name}${colon}${'*'.repeat(value.length)}`;
  });
}

/** Nothing that a terminal obeys or that turns the line around: controls and format characters, tabs excepted. */
function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (char) => (char === '\t' ? char : '\ufffd'));
}
