// Who may read a file, as its permissions say. It reads nothing of what is in it.

import { statSync } from 'node:fs';

/** Permission bits of a regular file; null for anything else, and for what cannot be looked at. */
export function fileMode(path: string): number | null {
  try {
    const stats = statSync(path);
    return stats.isFile() ? stats.mode & 0o777 : null;
  } catch {
    return null;
  }
}
