// One upstream whose targets are checked, on a clock that the test moves, and whatever it tells.

import { expect } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { UpstreamConfig } from '../../src/config/types.ts';
import { atOnce } from '../../src/limits/slices.ts';
import { type TimerEntry, TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { Log } from '../../src/observe/log.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import { TargetChecks } from '../../src/upstream/health/target-checks.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import type { LastCheck, Target } from '../../src/upstream/target.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { atTestEnd } from './cleanup.ts';
import { FakeClock } from './fake-clock.ts';
import { LogTap } from './log-tap.ts';
import { transportMode } from './transport-mode.ts';
import { upstreamMeans } from './upstreams.ts';

/** Every key of an upstream as the config file has it. */
export type UpstreamInput = Readonly<Record<string, unknown>>;

const youngestOn = async () => [];

/** Knows which targets wait for their next check. */
class WatchedWheel extends TimerWheel {
  private readonly checks = new Set<TimerEntry>();

  override schedule(entry: TimerEntry, at: number): void {
    super.schedule(entry, at);
    if (entry instanceof TargetChecks) this.checks.add(entry);
  }

  get waiting(): number {
    return [...this.checks].filter(({ dueAt }) => dueAt < Number.POSITIVE_INFINITY).length;
  }
}

export class ChecksRig {
  readonly clock = new FakeClock();
  readonly wheel = new WatchedWheel(this.clock, 1);
  readonly metrics = new MetricsRegistry();
  readonly tap = new LogTap();
  readonly downs: string[] = [];
  readonly registry: UpstreamRegistry;

  /** `chance`: what is drawn, from 0 to below 1: by default the middle. */
  constructor(input: UpstreamInput, chance = 0.5) {
    const { clock, wheel, metrics } = this;
    const lines = { write: (line: string) => this.tap.write(line) };
    const { log: config } = loadObject({ routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' }).config;
    const log = new Log({ ...config, level: 'debug', clock, destination: lines });
    const dialer = new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier: new Carrier(transportMode) });
    this.registry = new UpstreamRegistry(upstreamMeans({ clock, wheel, log, metrics, dialer, random: () => chance }));
    this.registry.listener = { onTargets() {}, onDown: (_upstream, { name }) => this.downs.push(name), youngestOn };
    this.load(input);
    this.registry.start();
    atTestEnd(() => this.registry.stop());
  }

  load(input: UpstreamInput): void {
    atOnce(this.registry.plan(configOf(input))).commit();
  }

  get upstream(): Upstream {
    const found = this.registry.get('chat');
    if (found === undefined) throw new Error('there is no upstream chat');
    return found;
  }

  target(name = 'a'): Target {
    const found = this.upstream.target(name);
    if (found === undefined) throw new Error(`there is no target ${name}`);
    return found;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  /** For polls: time goes on with each. */
  passed(ms: number): this {
    this.pass(ms);
    return this;
  }

  /** No check is under way: each target waits for its next one. */
  async settled(): Promise<void> {
    await expect.poll(() => this.wheel.waiting, { interval: 1, timeout: 5_000 }).toBe(this.upstream.targets.length);
  }

  /** The next check of the target, from `ms` later on, and what comes of it. */
  async checked(ms: number, name = 'a'): Promise<LastCheck> {
    await this.settled();
    const before = this.target(name).lastCheck;
    this.pass(ms);
    return this.verdict(before, name);
  }

  /** The first check after `before`. */
  async verdict(before: LastCheck | null, name = 'a'): Promise<LastCheck> {
    await expect.poll(() => this.target(name).lastCheck, { interval: 1, timeout: 5_000 }).not.toBe(before);
    const { lastCheck } = this.target(name);
    if (lastCheck === null) throw new Error('it is not checked');
    return lastCheck;
  }

  checks(name = 'a'): Record<string, number> {
    return Object.fromEntries(this.metrics.target('chat', name).checks.entries());
  }
}

export function configOf(chat: UpstreamInput): {
  readonly upstreams: Readonly<Record<string, UpstreamConfig>>;
  readonly limits: ReturnType<typeof loadObject>['config']['limits'];
} {
  const upstreams = { chat } as Parameters<typeof loadObject>[0]['upstreams'] & object; // what is wrong with it is told
  return loadObject({ routes: [{ upstream: 'chat' }], upstreams }, { baseDir: '.' }).config;
}
