// The file of what was revoked: one JSON object a line, each on the disk before anybody is told that it counts. It
// knows no rule of what a line means.

import { access, type FileHandle, open, readFile, rename } from 'node:fs/promises';
import * as path from 'node:path';

const FILE_NAME = 'revocations.jsonl';
/** For the own user only. */
const MODE = 0o600;
const KINDS = ['identity', 'key', 'jti', 'all'] as const;
/** How much is written at a time. */
const CHUNK_LINES = 1_000;

/** Which credentials of a method. */
export interface Revoked {
  readonly auth: string;
  readonly kind: (typeof KINDS)[number];
  /** '' for all. */
  readonly value: string;
}

export interface Revocation extends Revoked {
  /** Milliseconds since 1970, both. */
  readonly at: number;
  readonly until: number;
  /** Of entries of the config; null: whatever they are. */
  readonly marks: readonly string[] | null;
}

interface Read {
  readonly revocations: readonly Revocation[];
  /** The number of the last line, where that was cut off; null: it was not. */
  readonly broken: number | null;
}

export class RevocationFile {
  readonly path: string;
  /** In the file. */
  lines = 0;
  private readonly folder: string;
  private handle: FileHandle | null = null;
  /** What is at its end is no whole line: it has to be written anew. */
  private isTorn = false;

  constructor(folder: string) {
    this.folder = folder;
    this.path = path.join(folder, FILE_NAME);
  }

  /** Throws without its folder, and for a broken line in the middle: what was revoked there would be good again. */
  async read(): Promise<Read> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // A folder that is not there may be one that was not mounted: nobody knows what it holds.
      await access(this.folder);
      return { revocations: [], broken: null };
    }
    const lines = text.split('\n');
    this.isTorn = lines.at(-1) !== '';
    if (!this.isTorn) lines.pop();
    const revocations: Revocation[] = [];
    let broken: number | null = null;
    for (const [index, line] of lines.entries()) {
      const one = parseLine(line);
      if (one !== null) revocations.push(one);
      else if (index === lines.length - 1) broken = index + 1;
      else throw new Error(`line ${index + 1} of ${this.path} is broken`);
    }
    this.isTorn ||= broken !== null;
    this.lines = revocations.length;
    return { revocations, broken };
  }

  /** Rejects when `one` may not be on the disk. `all`: what the file would say with it, if it is to be written anew. */
  async append(one: Revocation, all: () => Iterable<Revocation>): Promise<void> {
    if (this.isTorn) {
      await this.rewrite(all());
      return;
    }
    const isNew = this.handle === null;
    this.handle ??= await open(this.path, 'a', MODE);
    try {
      await this.handle.appendFile(lineOf(one));
      await this.handle.sync();
      if (isNew) await this.syncFolder();
    } catch (error) {
      this.isTorn = true;
      throw error;
    }
    this.lines += 1;
  }

  /** In place of what it said: whole, or not at all. */
  async rewrite(all: Iterable<Revocation>): Promise<void> {
    const next = `${this.path}.new`;
    const handle = await open(next, 'w', MODE);
    let lines = 0;
    try {
      let text = '';
      for (const one of all) {
        text += lineOf(one);
        lines += 1;
        if (lines % CHUNK_LINES !== 0) continue;
        await handle.appendFile(text);
        text = '';
      }
      await handle.appendFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await this.close();
    await rename(next, this.path);
    await this.syncFolder();
    this.isTorn = false;
    this.lines = lines;
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = null;
    await handle?.close();
  }

  /** A name is on the disk when its folder is. */
  private async syncFolder(): Promise<void> {
    const handle = await open(this.folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

export function lineOf({ auth, kind, value, at, until, marks }: Revocation): string {
  return `${JSON.stringify({ auth, kind, value, at, until, marks })}\n`;
}

/** Null: it is none. */
export function parseLine(line: string): Revocation | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { auth, kind, value, at, until, marks } = parsed as Partial<Record<keyof Revocation, unknown>>;
  const known = KINDS.find((one) => one === kind);
  if (typeof auth !== 'string' || typeof value !== 'string' || known === undefined) return null;
  if (typeof at !== 'number' || typeof until !== 'number') return null;
  if (marks !== null && !(Array.isArray(marks) && marks.every((mark) => typeof mark === 'string'))) return null;
  return { auth, kind: known, value, at, until, marks };
}
