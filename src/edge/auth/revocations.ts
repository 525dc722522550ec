// Credentials that are refused though they would be good: which, from when on, until when. Bounded, looked up at once,
// and kept in a file where there is one. It ends no session.

import { createHash } from 'node:crypto';
import type { AuthConfig } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import type { Log } from '../../observe/log.ts';
import type { Standing } from './method.ts';
import { lineOf, parseLine, type Revocation, RevocationFile, type Revoked } from './revocation-file.ts';

const REVOCATIONS_MAX = 100_000;
/** What has run out is let go once a minute. */
const SWEEP_MS = 60_000;
/** A file is written anew when it has this many lines more than twice what counts. */
const LINES_SPARE = 1_000;
const MARK_LENGTH = 16;

/** One that counts. */
interface Entry extends Revocation {
  /** What was judged up to then was judged before it; by the monotonic clock. */
  readonly appliedAt: number;
  readonly marked: ReadonlySet<string> | null;
  /** The sweep that lets it go. */
  readonly ending: number;
}

interface RevocationsMeans {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly log: Log;
}

/** There are as many as there may be: none is forgotten for another. */
export class RevocationsFull extends Error {}

/** Another process has been told what there is. */
export class RevocationsSealed extends Error {}

export class Revocations {
  private readonly means: RevocationsMeans;
  private readonly max: number;
  private readonly entries = new Map<string, Entry>();
  /** Keys of entries by the sweep that lets them go. */
  private readonly endings = new Map<number, Set<string>>();
  private sweptAt: number;
  /** Null: in memory only. */
  private file: RevocationFile | null = null;
  private isSealed = false;
  /** One write after the other. */
  private tail: Promise<unknown> = Promise.resolve();
  /** Names and marks of what the config has, made when first asked for. */
  private readonly marksOf = new WeakMap<AuthConfig, ReadonlyMap<string, readonly string[]>>();

  constructor(means: RevocationsMeans, max = REVOCATIONS_MAX) {
    this.means = means;
    this.max = max;
    this.sweptAt = sweepOf(means.wallNow());
  }

  get size(): number {
    this.sweep();
    return this.entries.size;
  }

  get isDurable(): boolean {
    return this.file !== null;
  }

  /** What `folder` holds counts again. Rejects when it cannot be read whole. */
  async open(folder: string): Promise<void> {
    const file = new RevocationFile(folder);
    const { revocations, broken } = await file.read();
    if (broken !== null) this.means.log.event('warn', 'revocations.broken', { file: file.path, line: broken });
    const now = this.means.wallNow();
    for (const one of revocations) if (one.until > now) this.put(one, Number.NEGATIVE_INFINITY);
    this.file = file;
  }

  /** Nothing is added any more once this resolves, until it is unsealed. */
  async seal(): Promise<void> {
    this.isSealed = true;
    await this.tail;
  }

  unseal(): void {
    this.isSealed = false;
  }

  /** All that count, in the form of the file, for the next process. */
  *lines(): Generator<string> {
    this.sweep();
    for (const entry of this.entries.values()) yield lineOf(entry);
  }

  /** What another process had. Before anybody is judged. */
  adopt(lines: Iterable<string>): void {
    for (const line of lines) {
      const one = parseLine(line);
      if (one !== null && one.until > this.means.wallNow()) this.put(one, Number.NEGATIVE_INFINITY);
    }
  }

  async close(): Promise<void> {
    await this.tail;
    await this.file?.close();
  }

  /**
   * Counts when this resolves: `applied` is called in the moment in which it begins to. Rejects, with nothing changed,
   * when there are too many, it cannot be written, or it is sealed. `until`: milliseconds since 1970.
   */
  add(revoked: Revoked, until: number, config: AuthConfig, applied: () => void): Promise<void> {
    if (this.isSealed) return Promise.reject(new RevocationsSealed());
    const at = this.means.wallNow();
    const result = this.tail.then(async () => {
      const one = this.joined({ ...revoked, at, until, marks: this.marksFor(revoked, config) });
      this.sweep();
      if (!this.entries.has(keyOf(one)) && this.entries.size >= this.max) throw new RevocationsFull();
      await this.file?.append(one, () => this.live(one));
      this.put(one, this.means.clock.now());
      applied();
    });
    this.tail = result.then(
      () => this.compact(),
      () => undefined,
    );
    return result;
  }

  /** `judgedAt`: when it was first looked at, by the monotonic clock. */
  refuses(grant: Standing, config: AuthConfig, judgedAt: number): boolean {
    if (this.entries.size === 0) return false;
    const { auth, identity, key, jti } = grant;
    const hits = (kind: Revoked['kind'], value: string | null): boolean => {
      const found = value === null ? undefined : this.entries.get(keyOf({ auth, kind, value }));
      if (found === undefined || found.until <= this.means.wallNow()) return false;
      return this.isBefore(found, grant, config, judgedAt);
    };
    return hits('all', '') || hits('identity', identity) || hits('key', key) || hits('jti', jti);
  }

  /** Whether what was let in is of those that `found` is about. */
  private isBefore(found: Entry, grant: Standing, config: AuthConfig, judgedAt: number): boolean {
    switch (config.kind) {
      case 'introspection':
      case 'forward':
        // Who decides is asked anew.
        return judgedAt <= found.appliedAt;
      case 'jwt':
      case 'certificate':
        // One jti is one token, whenever its issuer says that was.
        return found.kind === 'jti' || grant.issuedAt === null || grant.issuedAt <= found.at;
      case 'api_key':
        return found.marked === null || found.marked.has(markOf(grant.key ?? '', grant.entry ?? ''));
      case 'basic':
      case 'hmac':
        return (
          found.marked === null || this.marksNamed(config, grant.key ?? '').some((mark) => found.marked?.has(mark))
        );
    }
  }

  /** With what the one that it takes the place of says. */
  private joined(one: Revocation): Revocation {
    const known = this.entries.get(keyOf(one));
    if (known === undefined) return one;
    const marks = known.marks === null || one.marks === null ? null : [...new Set([...known.marks, ...one.marks])];
    return { ...one, until: Math.max(one.until, known.until), marks };
  }

  /** Entries that there are; null for others, of which nobody knows what they were. */
  private marksFor({ kind, value }: Revoked, config: AuthConfig): readonly string[] | null {
    if (kind === 'all') return [...this.allMarks(config).values()].flat();
    const marks = this.marksNamed(config, value);
    return marks.length === 0 ? null : marks;
  }

  private marksNamed(config: AuthConfig, name: string): readonly string[] {
    return this.allMarks(config).get(name) ?? [];
  }

  private allMarks(config: AuthConfig): ReadonlyMap<string, readonly string[]> {
    const known = this.marksOf.get(config);
    if (known !== undefined) return known;
    const made = new Map<string, string[]>();
    for (const [name, entry] of entriesOf(config)) {
      const marks = made.get(name);
      if (marks === undefined) made.set(name, [markOf(name, entry)]);
      else marks.push(markOf(name, entry));
    }
    this.marksOf.set(config, made);
    return made;
  }

  private put(one: Revocation, appliedAt: number): void {
    const key = keyOf(one);
    // A wall clock that was set back has been swept up to later already.
    const ending = Math.max(sweepOf(one.until) + 1, this.sweptAt);
    this.endings.get(this.entries.get(key)?.ending ?? ending)?.delete(key);
    this.entries.set(key, { ...one, appliedAt, marked: one.marks === null ? null : new Set(one.marks), ending });
    const keys = this.endings.get(ending) ?? new Set();
    this.endings.set(ending, keys.add(key));
  }

  /** Looks at what there is, not at each minute: a wall clock may be set forward by years. */
  private sweep(): void {
    const last = sweepOf(this.means.wallNow());
    if (last < this.sweptAt) return;
    this.sweptAt = last + 1;
    for (const [ending, keys] of this.endings) {
      if (ending > last) continue;
      for (const key of keys) this.entries.delete(key);
      this.endings.delete(ending);
    }
  }

  private *live(one: Revocation): Generator<Revocation> {
    const key = keyOf(one);
    for (const [at, entry] of this.entries) if (at !== key) yield entry;
    yield one;
  }

  private async compact(): Promise<void> {
    const { file, entries, means } = this;
    if (file === null || file.lines <= 2 * entries.size + LINES_SPARE) return;
    try {
      await file.rewrite(entries.values());
    } catch (error) {
      means.log.event('warn', 'revocations.failed', { file: file.path, error: String(error) });
    }
  }
}

/** No name of a method holds a line feed. */
function keyOf({ auth, kind, value }: Revoked): string {
  return `${auth}\n${kind}\n${value}`;
}

function sweepOf(wall: number): number {
  return Math.floor(wall / SWEEP_MS);
}

/** Tells one entry of the config from another of the same name, and nothing else of it. */
function markOf(name: string, entry: string): string {
  return createHash('sha256').update(`${name}\n${entry}`).digest('base64url').slice(0, MARK_LENGTH);
}

/** Names, and what changes when an entry becomes another one. */
function entriesOf(config: AuthConfig): readonly (readonly [name: string, entry: string])[] {
  switch (config.kind) {
    case 'api_key':
      return config.keys.map(({ name, sha256 }) => [name, sha256]);
    case 'basic':
      return config.users.map(({ name, password }) => [name, JSON.stringify(password)]);
    case 'hmac':
      return config.keys.map(({ name, secret }) => [name, secret]);
    default:
      return [];
  }
}
