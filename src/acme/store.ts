// The files of one `dir`: certificates with their keys, accounts, what is known of attempts. Each is replaced whole,
// and read with a cap; all of them are for the own user only. Who may write is decided elsewhere (`folder-lock`).

import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import * as path from 'node:path';
import { AcmeError } from './acme-error.ts';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** A chain with its key has some KiB. */
const FILE_BYTES_MAX = 256 * 1024;
const TEMPORARY = /^\..*\.tmp$/;

interface KeptFile {
  readonly text: string;
  /** Tells one from what takes its place. */
  readonly version: string;
}

export class AcmeStore {
  readonly folder: string;
  readonly challenges: string;

  constructor(folder: string) {
    this.folder = folder;
    this.challenges = path.join(folder, 'challenges');
  }

  /** Make the folder where it is missing, and try that it can be written. Rejects with AcmeError. */
  async open(): Promise<void> {
    await this.guarded('written', async () => {
      await mkdir(this.challenges, { recursive: true, mode: FOLDER_MODE });
      for (const folder of [this.folder, this.challenges]) {
        const probe = path.join(folder, temporaryName('probe'));
        await writeNew(probe, '');
        // Who orders just now may have swept it away.
        await unlink(probe).catch(() => undefined);
      }
    });
  }

  /** Null where there is none. Rejects with AcmeError. */
  read(name: string): Promise<KeptFile | null> {
    return this.guarded('read', async () => {
      let handle: FileHandle;
      try {
        handle = await open(path.join(this.folder, name), 'r');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null;
        throw error;
      }
      try {
        const stats = await handle.stat({ bigint: true });
        if (!stats.isFile() || stats.size > FILE_BYTES_MAX) throw new Error(`${name} is no file of ours`);
        return { text: await handle.readFile('utf8'), version: `${stats.ino} ${stats.mtimeNs} ${stats.size}` };
      } finally {
        await handle.close();
      }
    });
  }

  /** What `read` would give as version; null where there is no file. Rejects with AcmeError. */
  version(name: string): Promise<string | null> {
    return this.guarded('read', async () => {
      try {
        const { ino, mtimeNs, size } = await stat(path.join(this.folder, name), { bigint: true });
        return `${ino} ${mtimeNs} ${size}`;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null;
        throw error;
      }
    });
  }

  /** Whole or not at all, also when the machine fails meanwhile. Rejects with AcmeError. */
  write(name: string, text: string): Promise<void> {
    return this.guarded('written', async () => {
      const temporary = path.join(path.dirname(path.join(this.folder, name)), temporaryName(path.basename(name)));
      try {
        await writeNew(temporary, text);
        await rename(temporary, path.join(this.folder, name));
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        throw error;
      }
      await syncFolder(this.folder);
    });
  }

  /** Rejects with AcmeError. */
  remove(name: string): Promise<void> {
    return this.guarded('written', async () => {
      try {
        await unlink(path.join(this.folder, name));
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    });
  }

  /** What somebody has left who was ended in the middle. Only for who holds the lock. */
  sweep(): Promise<void> {
    return this.guarded('written', async () => {
      for (const folder of [this.folder, this.challenges]) {
        for (const name of await readdir(folder)) {
          const isLeft = folder === this.challenges || TEMPORARY.test(name);
          if (isLeft) await unlink(path.join(folder, name)).catch(() => undefined);
        }
      }
    });
  }

  private async guarded<T>(what: 'read' | 'written', step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      const why = codeOf(error) || (error instanceof Error ? error.message : String(error));
      throw new AcmeError('storage', `${this.folder} cannot be ${what}: ${why}`, { cause: error });
    }
  }
}

function temporaryName(name: string): string {
  return `.${name}.${randomBytes(6).toString('hex')}.tmp`;
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', FILE_MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Some file systems cannot: what was written is there all the same. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  if (handle === null) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}

export function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : null;
  return typeof code === 'string' ? code : '';
}
