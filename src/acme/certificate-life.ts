// One certificate that framegate gets by itself: what is served, when it is ordered, and what follows when that fails.
// The last good one is served until another one is there, whatever happens to files, clocks and authorities.

import type { AcmeCertificate, ListenerCertificate } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { Abort } from '../net/abort.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import { AcmeError, cleaned } from './acme-error.ts';
import { type Attempts, asked, NO_ATTEMPTS, readAttempts, waitOf, writeAttempts } from './attempts.ts';
import type { AcmeFolder } from './folder.ts';
import { certificateIn } from './kept-certificate.ts';
import { backoffMs, renewalAt } from './schedule.ts';
import { whatToDo } from './what-to-do.ts';

/** How often the folder and the wall clock are looked at: both may change behind us. */
const LOOK_MS = 300_000;
/** While another order is under way, here or elsewhere. */
const BUSY_MS = 2_000;
/** For one order, its waits included. */
const ORDER_MS = 600_000;

/** Gets a certificate: the key and the chain in PEM. Rejects with AcmeError. */
export type OrderCertificate = (settings: AcmeCertificate, folder: AcmeFolder, signal: Abort) => Promise<string>;

export interface LifeMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly random: () => number;
  readonly order: OrderCertificate;
  /** One of them serves another certificate than before. */
  onServed(): void;
}

export class CertificateLife {
  private kept: ListenerCertificate | null = null;
  private current: AcmeCertificate;
  private readonly folder: AcmeFolder;
  private readonly means: LifeMeans;
  private readonly alarm = new Alarm(() => this.look());
  private readonly jitter: number;
  private attempts: Attempts = NO_ATTEMPTS;
  /** By the monotonic clock. */
  private retryAt = Number.NEGATIVE_INFINITY;
  /** Of the file that was read last, good or not. */
  private version: string | null = null;
  private working: Promise<void> | null = null;
  private abort: Abort | null = null;
  /** What is under way is for what was asked for before. */
  private isStale = false;
  private isOver = false;

  constructor(settings: AcmeCertificate, folder: AcmeFolder, means: LifeMeans) {
    this.current = settings;
    this.folder = folder;
    this.means = means;
    this.jitter = means.random();
  }

  /** What is served; null before the first was got. */
  get certificate(): ListenerCertificate | null {
    return this.kept;
  }

  /** Of the config in force. */
  get settings(): AcmeCertificate {
    return this.current;
  }

  /** What is asked for in another way is asked for at once. */
  retune(settings: AcmeCertificate): void {
    const isOther = asked(settings) !== asked(this.current);
    this.current = settings;
    if (!isOther) return;
    this.attempts = { ...this.attempts, failures: 0, retryAt: null };
    this.retryAt = Number.NEGATIVE_INFINITY;
    if (this.working === null) return;
    this.isStale = true;
    this.abort?.abort();
  }

  /** Take what the folder has. Rejects with AcmeError. */
  async load(): Promise<void> {
    await this.adopt(false);
    await this.readAttempts();
  }

  /** From now on it is looked after. */
  begin(): void {
    if (!this.isOver && this.working === null) this.look();
  }

  /** An order under way is given up; resolves when nothing of it is left. */
  async end(): Promise<void> {
    this.isOver = true;
    this.means.wheel.cancel(this.alarm);
    this.abort?.abort();
    await this.working;
  }

  /** When the next order is due, in milliseconds since 1970. */
  get nextAt(): number {
    const { clock, wallNow } = this.means;
    const now = wallNow();
    return Math.max(this.dueAt(now), now + (this.retryAt - clock.now()));
  }

  private look(): void {
    // One look at a time: `begin` does not wait for the one that is due.
    this.means.wheel.cancel(this.alarm);
    this.working = this.step()
      .catch((error: unknown) => this.fail(error))
      // A fault of ours in telling of one must not end the looking.
      .catch(() => LOOK_MS)
      .then((ms) => {
        this.working = null;
        if (this.isOver) return;
        const { wheel, clock } = this.means;
        wheel.schedule(this.alarm, clock.now() + (this.isStale ? 0 : ms));
        this.isStale = false;
      });
  }

  /** What is due, and how long after it the next look is. */
  private async step(): Promise<number> {
    const isWaiting = this.retryAt > this.means.clock.now();
    await this.adopt(true).catch((error: unknown) => {
      // It has been told, and is told again with the next try.
      if (!isWaiting) throw error;
    });
    const wait = this.waitMs();
    if (wait > 0) return Math.min(wait, LOOK_MS);
    const abort = new Abort();
    this.abort = abort;
    if (this.isOver || this.isStale) abort.abort();
    const entered = await this.folder.enter(() => abort.abort());
    if (!entered) return BUSY_MS * (1 + this.means.random());
    try {
      // Whoever was in there before may have done it, or failed.
      await this.adopt(true);
      await this.readAttempts();
      const left = this.waitMs();
      if (left > 0) return Math.min(left, LOOK_MS);
      return await this.order(abort);
    } finally {
      this.abort = null;
      await this.folder.leave();
    }
  }

  private async order(abort: Abort): Promise<number> {
    const { means, settings, folder } = this;
    const { clock, wheel, wallNow } = means;
    const startedAt = clock.now();
    let isLate = false;
    const alarm = new Alarm(() => {
      isLate = true;
      abort.abort();
    });
    wheel.schedule(alarm, startedAt + ORDER_MS);
    let text: string;
    try {
      text = await means.order(settings, folder, abort);
    } catch (error) {
      throw isLate ? new AcmeError('late', `not done in ${ORDER_MS / 60_000} min`, { cause: error }) : error;
    } finally {
      wheel.cancel(alarm);
    }
    try {
      // It is served also where it cannot be kept.
      this.serve(certificateIn(text, settings.domains));
    } catch (error) {
      // The same order would give the same.
      await folder.forgetOrder(settings);
      throw error;
    }
    this.attempts = { failures: 0, retryAt: null, obtainedAt: wallNow(), by: asked(settings) };
    this.retryAt = Number.NEGATIVE_INFINITY;
    means.metrics.acmeOrders.add('ok');
    this.tellObtained(Math.round(clock.now() - startedAt));
    await folder.store.write(this.fileName, text);
    this.version = await folder.store.version(this.fileName);
    await writeAttempts(folder.store, settings.id, this.attempts);
    await folder.forgetOrder(settings);
    return Math.min(this.waitMs(), LOOK_MS);
  }

  /** What another process has got, or somebody has put there, is taken; what is damaged is not. */
  private async adopt(isTold: boolean): Promise<void> {
    const { store } = this.folder;
    if ((await store.version(this.fileName)) === this.version) return;
    const file = await store.read(this.fileName);
    // What is served stays.
    if (file === null) {
      this.version = null;
      return;
    }
    this.version = file.version;
    try {
      const found = certificateIn(file.text, this.settings.domains);
      if (this.certificate !== null && this.certificate.not_after >= found.not_after) return;
      this.serve(found);
      if (isTold) this.tellObtained(null);
    } catch (error) {
      if (!(error instanceof AcmeError)) throw error;
      const why = new AcmeError('storage', `${store.folder}/${this.fileName}: ${error.message}`, { cause: error });
      this.tellFailed(why, null);
    }
  }

  private serve(certificate: ListenerCertificate): void {
    this.kept = certificate;
    this.means.onServed();
  }

  private async readAttempts(): Promise<void> {
    const { clock, wallNow } = this.means;
    const { attempts } = this;
    this.attempts = await readAttempts(this.folder.store, this.settings);
    // Where it could not be written: a wait that is known holds.
    if (attempts.retryAt !== null && this.attempts.by === '' && attempts.by === asked(this.settings))
      this.attempts = attempts;
    const wait = waitOf(this.attempts, wallNow());
    this.retryAt = wait > 0 ? clock.now() + wait : Number.NEGATIVE_INFINITY;
  }

  private waitMs(): number {
    const { clock, wallNow } = this.means;
    const now = wallNow();
    return Math.max(this.retryAt - clock.now(), this.dueAt(now) - now, 0);
  }

  private dueAt(now: number): number {
    if (this.certificate === null) return now;
    const { not_before: notBefore, not_after: notAfter } = this.certificate;
    return renewalAt({ notBefore, notAfter, obtainedAt: this.attempts.obtainedAt, now, jitter: this.jitter });
  }

  /** How long after it the next look is. */
  private async fail(error: unknown): Promise<number> {
    if (this.isOver || this.isStale) return 0;
    const { clock, wallNow, random, metrics } = this.means;
    const fault =
      error instanceof AcmeError ? error : new AcmeError('internal', cleaned(messageOf(error)), { cause: error });
    metrics.acmeOrders.add(fault.fault);
    const failures = this.attempts.failures + 1;
    const wait = Math.max(backoffMs(failures, random()), fault.retryAfterMs ?? 0);
    this.attempts = { ...this.attempts, failures, retryAt: wallNow() + wait, by: asked(this.settings) };
    this.retryAt = clock.now() + wait;
    this.tellFailed(fault, wait);
    // Where it cannot be written, the next one fails for that.
    await writeAttempts(this.folder.store, this.settings.id, this.attempts).catch(() => undefined);
    return Math.min(wait, LOOK_MS);
  }

  private tellObtained(ms: number | null): void {
    const { log, wallNow } = this.means;
    const { certificate, settings } = this;
    if (certificate === null) return;
    const { not_before, not_after, name } = certificate;
    const now = wallNow();
    const isOdd = now < not_before || now > not_after;
    log.event(isOdd ? 'warn' : 'info', 'acme.obtained', {
      name,
      domains: settings.domains,
      directory: settings.directory.text,
      not_after: iso(not_after),
      next_renewal: iso(this.nextAt),
      by: ms === null ? 'another process' : 'this process',
      ms: ms ?? undefined,
      do: isOdd ? `set the clock of this machine: by it the certificate is not valid at ${iso(now)}` : undefined,
    });
  }

  private tellFailed(error: AcmeError, wait: number | null): void {
    const { log, wallNow } = this.means;
    const { settings, folder, certificate, attempts } = this;
    const now = wallNow();
    log.event('error', 'acme.failed', {
      name: settings.domains[0],
      domains: settings.domains,
      directory: settings.directory.text,
      fault: error.fault,
      cause: error.message,
      do: whatToDo(error, { settings, folder: folder.store.folder, wallNow: now }),
      failures: attempts.failures,
      next_try: wait === null ? undefined : iso(now + wait),
      serves_until: certificate === null ? null : iso(certificate.not_after),
    });
  }

  private get fileName(): string {
    return `${this.settings.id}.pem`;
  }
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
