// The source of reloads: reads the file of the config that runs anew, and tells whether anything is another. What it
// becomes is decided elsewhere.

import type { ReadConfig } from '../control/reload.ts';
import type { FileSource } from './commands.ts';
import { DEFAULT_FILE, type FileResult, type Surroundings } from './load.ts';
import { loadAgain } from './load-thread.ts';

/** Reads the file of a config that runs anew for each reload. */
export class FileReloads {
  private readonly source: FileSource;
  private readonly around: Surroundings;
  private readonly onRead: (files: readonly string[]) => void;
  /** Of the config in force. */
  private fingerprint: string;

  constructor(source: FileSource, around: Surroundings, first: FileResult, onRead: (files: readonly string[]) => void) {
    this.source = source;
    this.around = around;
    this.fingerprint = first.fingerprint;
    this.onRead = onRead;
  }

  readonly read = async (): Promise<ReadConfig> => {
    const result = await loadAgain(this.source, this.around);
    if (result === null) {
      const message = 'cannot read this file (ENOENT)';
      return { problems: [{ severity: 'error', file: DEFAULT_FILE, line: null, column: null, path: '', message }] };
    }
    this.onRead(result.files);
    if ('problems' in result) return { problems: result.problems };
    if (result.fingerprint === this.fingerprint) return { unchanged: true };
    const { config, fingerprint } = result;
    return {
      config,
      accepted: () => {
        this.fingerprint = fingerprint;
      },
    };
  };
}
