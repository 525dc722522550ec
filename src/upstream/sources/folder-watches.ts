// What the system tells of changes in folders: one watch for each, however many files in it are of interest, and who
// waits for a name hears of that name only. A folder that cannot be watched is silent.

import { type FSWatcher, watch } from 'node:fs';
import { basename } from 'node:path';

/** What one wants to know of one folder. */
export interface FolderInterest {
  /** Names in the folder whose changes are told. Also tries again to watch it, where that was not possible. */
  await(names: readonly string[]): void;
  close(): void;
}

interface Folder {
  watcher: FSWatcher | null;
  readonly interests: Set<Interest>;
  /** Those that wait for a name. */
  readonly byName: Map<string, Set<Interest>>;
}

interface Interest {
  names: readonly string[];
  readonly onChange: () => void;
}

export class FolderWatches {
  /** Only those that somebody is interested in. */
  private readonly folders = new Map<string, Folder>();

  watch(path: string, onChange: () => void): FolderInterest {
    const folder = this.folders.get(path) ?? { watcher: null, interests: new Set(), byName: new Map() };
    this.folders.set(path, folder);
    const interest: Interest = { names: [], onChange };
    folder.interests.add(interest);
    return {
      await: (names) => {
        if (!folder.interests.has(interest)) return;
        rename(folder, interest, names);
        begin(folder, path);
      },
      close: () => {
        rename(folder, interest, []);
        folder.interests.delete(interest);
        if (folder.interests.size > 0 || this.folders.get(path) !== folder) return;
        folder.watcher?.close();
        this.folders.delete(path);
      },
    };
  }
}

function rename({ byName }: Folder, interest: Interest, names: readonly string[]): void {
  for (const name of interest.names) {
    const waiting = byName.get(name);
    waiting?.delete(interest);
    if (waiting?.size === 0) byName.delete(name);
  }
  interest.names = names;
  for (const name of names) {
    const waiting = byName.get(name);
    if (waiting === undefined) byName.set(name, new Set([interest]));
    else waiting.add(interest);
  }
}

function begin(folder: Folder, path: string): void {
  if (folder.watcher !== null) return;
  try {
    const forget = (): void => {
      watcher.close();
      if (folder.watcher === watcher) folder.watcher = null;
    };
    const watcher = watch(path, { persistent: false }, (_, name) => {
      // Its own name: it was removed or moved, and what takes its place is another folder.
      const isItself = name === basename(path);
      if (isItself) forget();
      const told = name === null || isItself ? folder.interests : folder.byName.get(name);
      for (const interest of told ?? []) interest.onChange();
    });
    watcher.on('error', forget);
    folder.watcher = watcher;
  } catch {
    // There is no such folder yet, or no watch to be had.
  }
}
