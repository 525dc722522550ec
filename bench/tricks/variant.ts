// A build of this project with some source edits, in a folder of its own that a load bench can take as a peer.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../load/peer-configs.ts';
import type { Edit } from './tricks.ts';

/** Builds into `folder`, which is empty. Throws when an edit no longer fits or nothing comes out. */
export function buildVariant(folder: string, edits: readonly Edit[]): void {
  for (const part of ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, search, replace } of edits) {
    const path = join(folder, file);
    writeFileSync(path, replaceOnce(readFileSync(path, 'utf8'), { file, search, replace }));
  }
  // Without its trick some code is unused or of another type: it is compiled all the same.
  spawnSync(join(PROJECT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], { cwd: folder, stdio: 'ignore' });
  const cli = join(folder, 'dist/cli.js');
  if (!existsSync(cli)) throw new Error(`${folder} does not compile`);
  chmodSync(cli, 0o755);
}

/** `text` with the edit made. Throws when its search text does not stand there exactly once. */
export function replaceOnce(text: string, { file, search, replace }: Edit): string {
  const parts = text.split(search);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${search}`);
  return parts.join(replace);
}
