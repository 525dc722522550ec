// Owns what `check` says of the files of targets that the config names. Discovery starts without one, and goes on
// without one, so that all of it is a warning.

import { loadTargets } from '../config/load.ts';
import type { Problem } from '../config/problems.ts';
import type { Config } from '../config/types.ts';
import { readFileNow } from './read-file.ts';

const BYTES_MAX = 8 * 1024 * 1024;

/** Of one file; `text` is for showing its lines, null when it could not be read. */
interface ListProblems {
  readonly problems: readonly Problem[];
  readonly text: string | null;
  readonly file: string;
}

export function listProblems(
  { upstreams }: Config,
  env: Readonly<Record<string, string | undefined>>,
): readonly ListProblems[] {
  const files = Object.values(upstreams).flatMap(({ discover }) => (discover?.kind === 'file' ? [discover.path] : []));
  return [...new Set(files)].map((file) => problemsOf(file, env));
}

function problemsOf(file: string, env: Readonly<Record<string, string | undefined>>): ListProblems {
  let bytes: Buffer;
  try {
    bytes = readFileNow(file, BYTES_MAX);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault';
    const message = `cannot read this file (${code}): discover.file has no target until it can`;
    return { problems: [{ severity: 'warning', file, line: null, column: null, path: '', message }], text: null, file };
  }
  const list = loadTargets({ text: bytes, file, env, readFile: readFileNow });
  const problems = 'problems' in list ? list.problems : [];
  return { problems: problems.map((one) => ({ ...one, severity: 'warning' })), text: bytes.toString('utf8'), file };
}
