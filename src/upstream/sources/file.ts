// Targets by a file that something else writes: looked at again whenever its folder says that something has changed,
// and now and then besides, since not every file system says so. What stands in it is read by who knows configs.

import { constants, type Stats } from 'node:fs';
import { open, readlink, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { FileDiscovery } from '../../config/types.ts';
import { Alarm } from '../../limits/timer-wheel.ts';
import type { UpstreamMeans } from '../means.ts';
import type { Answer, Failure, Finder, FinderListener } from './discovery.ts';
import type { FolderInterest } from './folder-watches.ts';
import { FOUND_MAX } from './held-list.ts';

const BYTES_MAX = 8 * 1024 * 1024;
/** Less up to a fifth of it: many files are not all looked at in one turn. */
const LOOK_EVERY_MS = 5_000;
const JITTER = 0.2;
/** What was wrong may have been ours, a want of descriptors or threads, so that nothing of the file changes. */
const AGAIN_MS = 60_000;
/** A file is often written in parts: it is read when it has been left alone for this long ... */
const QUIET_MS = 250;
/** ... or, when somebody writes all the time, at the latest this long after the first change. */
const PATIENCE_MS = 2_000;
/** Of what is wrong with it so much is told. */
const PROBLEMS_MAX = 20;

type FileMeans = Pick<UpstreamMeans, 'clock' | 'wheel' | 'random' | 'readTargets' | 'folders'>;

/** What it came to when it was read last. */
type Reading = { readonly answer: Answer } | { readonly failure: Failure };

export class FileFinder implements Finder {
  readonly kind = 'file';
  private readonly settings: FileDiscovery;
  private readonly means: FileMeans;
  private readonly alarm = new Alarm(() => void this.look());
  private listener: FinderListener | null = null;
  private interest: FolderInterest | null = null;
  /** As the file was when it was read last. */
  private read: { readonly print: string; readonly reading: Reading; readonly at: number } | null = null;
  /** It has become another, and may still be written. */
  private changing: { readonly print: string; readonly since: number } | null = null;
  private hasRead = false;
  private isLooking = false;
  /** Asked for while it is looked at. */
  private mustLookAgain = false;

  constructor(settings: FileDiscovery, means: FileMeans) {
    this.settings = settings;
    this.means = means;
  }

  start(listener: FinderListener): void {
    this.listener = listener;
    const folder = dirname(this.settings.path);
    this.interest = this.means.folders.watch(folder, () => this.lookIn(QUIET_MS));
    void this.look();
  }

  stop(): void {
    this.listener = null;
    this.means.wheel.cancel(this.alarm);
    this.interest?.close();
  }

  /** One at a time: a file system can take its time. */
  private async look(): Promise<void> {
    if (this.isLooking) {
      this.mustLookAgain = true;
      return;
    }
    this.isLooking = true;
    this.mustLookAgain = false;
    const { path } = this.settings;
    const names = [basename(path), ...(await linkedName(path))];
    // Before it is looked at: what changes from now on is told.
    this.interest?.await(names);
    const pause = await this.lookOnce();
    this.isLooking = false;
    // What was told while it was looked at may have come after what was seen of it.
    if (this.listener !== null) this.lookIn(this.mustLookAgain ? 0 : pause);
  }

  private lookIn(ms: number): void {
    const at = this.means.clock.now() + ms;
    if (at < this.alarm.dueAt) this.means.wheel.schedule(this.alarm, at);
  }

  /** After how long to look again. */
  private async lookOnce(): Promise<number> {
    let stats: Stats;
    try {
      stats = await stat(this.settings.path);
    } catch (error) {
      this.read = null;
      this.changing = null;
      this.listener?.onFailure(this.failure(codeOf(error)));
      return this.pauseMs;
    }
    const print = printOf(stats);
    if (print === this.read?.print && !this.isDueAgain(this.read)) {
      this.changing = null;
      this.tellAgain(this.read.reading);
      return this.pauseMs;
    }
    if (print !== this.read?.print && !this.isSettled(print)) return QUIET_MS;
    this.changing = null;
    const reading = await this.readNow();
    this.read = { print, reading, at: this.means.clock.now() };
    this.hasRead ||= 'answer' in reading;
    if ('answer' in reading) this.listener?.onAnswer(reading.answer);
    else this.listener?.onFailure(reading.failure);
    // What was written while it was read is another state of it.
    return QUIET_MS;
  }

  private isDueAgain({ reading, at }: { readonly reading: Reading; readonly at: number }): boolean {
    return 'failure' in reading && this.means.clock.now() - at >= AGAIN_MS;
  }

  /** At the start nothing is known that a file half written could take away. */
  private isSettled(print: string): boolean {
    const { changing } = this;
    if (!this.hasRead) return true;
    const now = this.means.clock.now();
    this.changing = { print, since: changing?.since ?? now };
    return changing?.print === print || now - this.changing.since >= PATIENCE_MS;
  }

  private tellAgain(reading: Reading): void {
    if ('answer' in reading) this.listener?.onUnchanged();
    else this.listener?.onFailure(reading.failure);
  }

  private async readNow(): Promise<Reading> {
    const { path } = this.settings;
    let bytes: Buffer | null;
    try {
      bytes = await bytesOf(path);
    } catch (error) {
      return { failure: this.failure(codeOf(error)) };
    }
    if (bytes === null) return { failure: this.failure('too_large') };
    const list = await this.means.readTargets(bytes, path);
    if ('problems' in list) return { failure: this.failure('invalid', list.problems.slice(0, PROBLEMS_MAX)) };
    if (list.targets.length > FOUND_MAX) return { failure: this.failure('too_many') };
    return { answer: { targets: list.targets, leftOut: [] } };
  }

  private failure(error: string, problems?: readonly unknown[]): Failure {
    return { error, fields: { file: this.settings.path_text, problems } };
  }

  private get pauseMs(): number {
    return LOOK_EVERY_MS * (1 - JITTER * this.means.random());
  }
}

/** Where the path is a link: what in the same folder it leads through, as `..data` of a ConfigMap. */
async function linkedName(path: string): Promise<readonly string[]> {
  try {
    const [name = ''] = (await readlink(path)).split('/');
    return name === '' ? [] : [name];
  } catch {
    return [];
  }
}

/** Null: it is too large. */
async function bytesOf(path: string): Promise<Buffer | null> {
  // A pipe that nobody writes to would be waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    if (size > BYTES_MAX) return null;
    const bytes = Buffer.alloc(size + 1);
    let filled = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled === bytes.length) return bytes.subarray(0, Math.min(filled, size));
    }
  } finally {
    await file.close();
  }
}

/** What a change of content or a swap changes. */
function printOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
