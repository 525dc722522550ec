// Certificates by themselves with a clock that a test moves, a wall clock of its own, a real folder and a fake
// authority.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { AcmeCertificates } from '../../src/acme/certificates.ts';
import { loadObject } from '../../src/config/load.ts';
import type { AcmeCertificate, Config, ListenerCertificate } from '../../src/config/types.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Log } from '../../src/observe/log.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { nowhere } from '../support/harness.ts';
import { type LogLine, LogTap } from '../support/log-tap.ts';
import { FakeAuthority, HOST } from './fake-authority.ts';

export type Acme = NonNullable<
  NonNullable<NonNullable<ConfigInput['listeners']>[number]['tls']>['certificates'][number]['acme']
>;

const STEP_MIN_MS = 10;
const STEP_MAX_MS = 30_000;
const STEP_FACTOR = 1.05;
const LEAP_MS = 3_600_000;
/** What Node calls work on files that is under way. */
const FILES = /^(?:FSReq|FileHandle)/;
/** In turns of the event loop. */
const PATIENCE = 500_000;

export function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'acme-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export class AcmeRig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly metrics = new MetricsRegistry();
  readonly certificates: AcmeCertificates;
  /** What the wall clock shows beside the monotonic one. */
  wallOffset = Date.now() - this.clock.now();
  readonly folder: string;
  readonly authority: FakeAuthority;
  private readonly tap = new LogTap();
  private isStopped = false;

  constructor(folder = newFolder(), authority = new FakeAuthority()) {
    this.folder = folder;
    this.authority = authority;
    const { clock, wheel, metrics } = this;
    const lines = { write: (line: string) => this.tap.write(line.endsWith('\n') ? line : `${line}\n`) };
    const wallNow = () => this.wallNow();
    const log = new Log({ level: 'debug', format: 'json', clock, wallClock: wallNow, destination: lines });
    const means = { clock, wheel, metrics, log, wallNow, random: () => 0, stateFolder: '' };
    this.certificates = new AcmeCertificates({ ...means, service: authority });
    authority.now = wallNow;
    authority.live ??= this.certificates;
    atTestEnd(() => this.stop());
  }

  wallNow(): number {
    return this.clock.now() + this.wallOffset;
  }

  config(acme: Partial<Acme> = {}): Config {
    const own: Acme = {
      domains: ['a.test'],
      directory: `${HOST}/directory`,
      challenge: 'http-01',
      dir: this.folder,
      agree: true,
      ...acme,
    };
    const listeners = [{ name: 'secure', address: '127.0.0.1:0', tls: { certificates: [{ acme: own }] } }];
    return loadObject({ listeners, routes: [nowhere] }, { baseDir: '.' }).config;
  }

  /** As a start does it. */
  async start(acme: Partial<Acme> = {}): Promise<AcmeCertificate> {
    const settings = await this.reload(acme);
    this.certificates.begin();
    return settings;
  }

  async reload(acme: Partial<Acme> = {}): Promise<AcmeCertificate> {
    const config = this.config(acme);
    (await this.certificates.prepare(config)).commit();
    return config.listeners[0]?.tls?.acme[0] as AcmeCertificate; // the one above
  }

  served(settings: AcmeCertificate): ListenerCertificate | null {
    return this.certificates.current(settings);
  }

  /** Time passes while nothing else goes on, the faster the longer that is so, until `isDone`. */
  async until(isDone: () => boolean, others: readonly AcmeRig[] = [], leap = (): number => 0): Promise<void> {
    let step = STEP_MIN_MS;
    let seen = '';
    for (let turn = 0; turn < PATIENCE; turn += 1) {
      if (isDone()) return;
      await new Promise((resolve) => setImmediate(resolve));
      const now = `${this.authority.asked.length} ${this.tap.lines.length}`;
      // Files and keys are real, and take the time that they take.
      if (now !== seen || [this, ...others].some((rig) => rig.isBusy)) {
        step = STEP_MIN_MS;
        seen = now;
        continue;
      }
      for (const { clock, wheel } of [this, ...others]) {
        clock.advance(step + leap());
        wheel.advance(clock.now());
      }
      step = Math.min(step * STEP_FACTOR, STEP_MAX_MS);
    }
    throw new Error(`not in time; the log: ${JSON.stringify(this.tap.lines)}`);
  }

  /**
   * Somebody is at work, and waits for no time: a wait of an order is the third in the wheel, beside its deadline and
   * the next sign of its lock.
   */
  private get isBusy(): boolean {
    const lives: ReadonlyMap<string, object> = Reflect.get(this.certificates, 'lives');
    const works = [...lives.values()].some((life) => Reflect.get(life, 'working') !== null);
    return (works && this.wheel.size !== 3) || process.getActiveResourcesInfo().some((name) => FILES.test(name));
  }

  /** So much time passes, a little more at most. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    const left = (): number => end - this.clock.now();
    await this.until(
      () => left() <= 0,
      [],
      () => (left() > 2 * LEAP_MS ? LEAP_MS : 0),
    );
  }

  /** What was got is in the folder, and the order is over. */
  async untilKept(): Promise<void> {
    await this.until(() => {
      const files = this.files();
      const has = (form: RegExp): boolean => files.some((name) => form.test(name));
      return has(/^a\..*\.pem$/) && has(/^attempts-/) && !has(/^order-/) && !has(/\.tmp$/);
    });
  }

  logsOf(event: string): LogLine[] {
    return this.tap.lines.filter((line) => line.event === event);
  }

  async untilLogged(event: string, count = 1): Promise<LogLine> {
    await this.until(() => this.logsOf(event).length >= count);
    return this.logsOf(event)[count - 1] as LogLine; // just waited for
  }

  files(): string[] {
    return readdirSync(this.folder).sort();
  }

  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    await this.certificates.stop();
  }
}
