// Owns `{file: path}`: a map that stands for the text of a file. It must not decide where one is allowed.

import type { PathSegments } from './problems.ts';
import { type FileAccess, readSecret } from './substitute.ts';
import type { Entry, Report, Tree } from './tree.ts';

/** What is shown instead of a text that came from a file. */
export const SECRET = '***';

export interface TreeAccess extends FileAccess {
  /** Whether `{file: path}` stands for something else there, which is read elsewhere. */
  readonly isListed: (path: PathSegments) => boolean;
}

/** The text of the file that `entries` names, or null for an ordinary map: no key of a config is called file. */
export function fileSecret(
  entries: ReadonlyMap<string, Entry>,
  start: number,
  path: PathSegments,
  access: TreeAccess,
  report: Report,
): Tree | null {
  const file = entries.size === 1 ? entries.get('file')?.node : undefined;
  if (file?.kind !== 'scalar' || typeof file.value !== 'string' || access.isListed(path)) return null;
  const secret = readSecret(file.value, access);
  if ('value' in secret)
    return { kind: 'scalar', start, value: secret.value, text: null, secret: true, file: file.value };
  report(file.start, path, secret.problem);
  return { kind: 'broken', start: file.start };
}
