// Notices that files have changed, by looking at them: paths are followed anew each time, so that renames, symlink
// swaps and files that come back count, on every file system. It reads none of them and decides nothing.

import { type Stats, unwatchFile, watchFile } from 'node:fs';

const LOOK_EVERY_MS = 250;
/** A file is often written in parts: nothing is told until it has been left alone for this long ... */
const QUIET_MS = 300;
/** ... or, when somebody writes all the time, at the latest this long after the first change. */
const PATIENCE_MS = 2_000;

export class FileWatch {
  private readonly onChange: () => void;
  private readonly paths = new Set<string>();
  private firstAt: number | null = null;
  private timer: NodeJS.Timeout | null = null;
  private readonly look = (now: Stats, before: Stats): void => {
    if (fingerprint(now) !== fingerprint(before)) this.noteChange();
  };

  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  /** Look at these from now on, and at no others. Files that do not exist may come. */
  watch(paths: Iterable<string>): void {
    const wanted = new Set(paths);
    for (const path of this.paths) {
      if (wanted.has(path)) continue;
      unwatchFile(path, this.look);
      this.paths.delete(path);
    }
    for (const path of wanted) {
      if (this.paths.has(path)) continue;
      watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, this.look);
      this.paths.add(path);
    }
  }

  stop(): void {
    this.watch([]);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private noteChange(): void {
    const now = performance.now();
    this.firstAt ??= now;
    if (this.timer !== null) clearTimeout(this.timer);
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.firstAt + PATIENCE_MS - now));
    this.timer = setTimeout(() => {
      this.timer = null;
      this.firstAt = null;
      this.onChange();
    }, waitMs);
  }
}

/** What a change of content or a swap changes; the time of the last reading is none of it. */
function fingerprint({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}
