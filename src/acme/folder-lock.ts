// Who orders, of all processes that share a `dir`: the one that has made the file `lock-N` with the highest number. A
// number is made once (O_EXCL), and only above one that was given back or whose owner is gone. So nothing has to be
// taken away from anybody, and who finds a higher number knows that its own counts no more.

import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, unlink } from 'node:fs/promises';
import * as path from 'node:path';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { AcmeError } from './acme-error.ts';
import { hasEnded, type Owner, ownProcess } from './lock-owner.ts';
import { codeOf } from './store.ts';

const FILE_MODE = 0o600;
const NAME = /^lock-([1-9][0-9]{0,14})$/;
/** How often an owner shows that it is there. */
const BEAT_MS = 10_000;
/** Without a sign for so long, by the watcher's own monotonic clock, an owner is gone: wall clocks may jump. */
const GONE_MS = 60_000;

interface LockFile extends Owner {
  readonly token: string;
  readonly beat: number;
  readonly isFree: boolean;
}

interface LockMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class FolderLock {
  private readonly folder: string;
  private readonly means: LockMeans;
  private readonly alarm = new Alarm(() => this.onBeat());
  private readonly self: Owner = ownProcess();
  /** Another one's, as it was last seen to change. */
  private seen: { readonly text: string; readonly at: number } = { text: '', at: 0 };
  private held: { readonly number: number; readonly token: string; beat: number; onLost: () => void } | null = null;
  /** One write after the other. */
  private tail: Promise<unknown> = Promise.resolve();

  constructor(folder: string, means: LockMeans) {
    this.folder = folder;
    this.means = means;
  }

  /**
   * Whether it is held from now on. `onLost`: called once, when another one has taken over, or when nobody can tell
   * that we are there. Rejects with AcmeError.
   */
  async take(onLost: () => void): Promise<boolean> {
    try {
      return await this.tryTake(onLost);
    } catch (error) {
      throw new AcmeError('storage', `${this.folder} cannot be locked: ${codeOf(error)}`, { cause: error });
    }
  }

  /** Given back. What goes wrong is left: who comes next sees that we are gone. */
  async release(): Promise<void> {
    const { held } = this;
    if (held === null) return;
    this.held = null;
    this.means.wheel.cancel(this.alarm);
    await this.tail;
    await this.rewrite(held, true).catch(() => undefined);
  }

  private async tryTake(onLost: () => void): Promise<boolean> {
    const top = await this.top();
    if (top > 0 && !(await this.isFree(top))) return false;
    const held = { number: top + 1, token: randomBytes(12).toString('hex'), beat: 0, onLost };
    try {
      const handle = await open(this.pathOf(held.number), 'wx', FILE_MODE);
      await handle.writeFile(this.textOf(held, false)).finally(() => handle.close());
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
    // The one that was looked at may have been followed by others, and taken away, meanwhile.
    if ((await this.top()) !== held.number) {
      await unlink(this.pathOf(held.number)).catch(() => undefined);
      return false;
    }
    this.held = held;
    this.awaitBeat();
    for (const number of await this.numbers()) {
      if (number < held.number) await unlink(this.pathOf(number)).catch(() => undefined);
    }
    return true;
  }

  private async isFree(number: number): Promise<boolean> {
    const text = await readFile(this.pathOf(number), 'utf8').catch(() => '');
    const now = this.means.clock.now();
    if (text !== this.seen.text) this.seen = { text, at: now };
    const file = parsed(text);
    if (file?.isFree === true) return true;
    if (file !== null && hasEnded(file, this.self)) return true;
    return now - this.seen.at >= GONE_MS;
  }

  private awaitBeat(): void {
    const { clock, wheel } = this.means;
    wheel.schedule(this.alarm, clock.now() + BEAT_MS);
  }

  private onBeat(): void {
    const { held } = this;
    if (held === null) return;
    this.awaitBeat();
    this.tail = this.tail.then(async () => {
      try {
        held.beat += 1;
        if ((await this.top()) === held.number) await this.rewrite(held, false);
        else this.lose();
      } catch {
        this.lose();
      }
    });
  }

  private lose(): void {
    const { held } = this;
    if (held === null) return;
    this.held = null;
    this.means.wheel.cancel(this.alarm);
    held.onLost();
  }

  /** Only where it is there still: it must not come back behind a higher one. */
  private async rewrite(held: { number: number; token: string; beat: number }, isFree: boolean): Promise<void> {
    const handle = await open(this.pathOf(held.number), 'r+');
    try {
      const text = this.textOf(held, isFree);
      await handle.write(text, 0);
      await handle.truncate(Buffer.byteLength(text));
    } finally {
      await handle.close();
    }
  }

  private textOf({ token, beat }: { token: string; beat: number }, isFree: boolean): string {
    const file: LockFile = { ...this.self, token, beat, isFree };
    return `${JSON.stringify(file)}\n`;
  }

  private async top(): Promise<number> {
    return Math.max(0, ...(await this.numbers()));
  }

  private async numbers(): Promise<number[]> {
    return (await readdir(this.folder)).flatMap((name) => {
      const [, digits] = NAME.exec(name) ?? [];
      return digits === undefined ? [] : [Number(digits)];
    });
  }

  private pathOf(number: number): string {
    return path.join(this.folder, `lock-${number}`);
  }
}

/** Null for what is not whole: who writes it is there. */
function parsed(text: string): LockFile | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const field = (key: string): unknown => Reflect.get(value, key);
    return {
      machine: String(field('machine')),
      pid: Number(field('pid')),
      since: String(field('since')),
      token: String(field('token')),
      beat: Number(field('beat')),
      isFree: field('isFree') === true,
    };
  } catch {
    return null;
  }
}
