// What all kinds of discovery share: good answers become the targets of an upstream, failures change nothing and are
// told once. How answers are got is the finder's affair.

import type { TargetConfig, UpstreamConfig } from '../../config/types.ts';
import type { UpstreamMeans } from '../means.ts';
import { HeldList } from './held-list.ts';
import type { Before, DiscoveryStatus, TargetListener, TargetSource } from './target-source.ts';

/** What of an answer, or of a fault, is shown. */
const SHOWN_MAX = 20;

/** A good one. */
export interface Answer {
  readonly targets: readonly TargetConfig[];
  /** What was left out of it and why, for people; it is good without that. */
  readonly leftOut: readonly string[];
  /** Of one without targets: in one word, why. */
  readonly absence?: string;
}

export interface Failure {
  /** One word. */
  readonly error: string;
  /** More of it, for the log. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface FinderListener {
  onAnswer(answer: Answer): void;
  /** The last good answer is what there would be now, too. */
  onUnchanged(): void;
  onFailure(failure: Failure): void;
}

export interface Finder {
  readonly kind: string;
  /** Once; it tells at any time until `stop`. */
  start(listener: FinderListener): void;
  stop(): void;
}

export class Discovery implements TargetSource, FinderListener {
  readonly initial = null;
  readonly settings: unknown;
  private readonly upstream: string;
  private readonly config: Pick<UpstreamConfig, 'hold' | 'empty'>;
  private readonly means: Pick<UpstreamMeans, 'clock' | 'log' | 'metrics'>;
  private readonly finder: Finder;
  private listener: TargetListener | null = null;
  private held: HeldList;
  private answeredAt: number | null = null;
  private answer: Answer | null = null;
  private failing: DiscoveryStatus['failing'] = null;
  /** What was told of the last answer. */
  private toldLeftOut = '';

  constructor(config: UpstreamConfig, finder: Finder, means: Pick<UpstreamMeans, 'clock' | 'log' | 'metrics'>) {
    const { name, discover, hold, empty, allow_addresses } = config;
    this.upstream = name;
    this.settings = { discover, hold, empty, allow_addresses };
    this.config = config;
    this.finder = finder;
    this.means = means;
    this.held = new HeldList(hold, []);
  }

  get kind(): string {
    return this.finder.kind;
  }

  get status(): DiscoveryStatus {
    const { kind, answeredAt, failing } = this;
    return { kind, targets: this.held.size, answeredAt, failing };
  }

  start(listener: TargetListener, before: Before): void {
    this.listener = listener;
    this.held = new HeldList(this.config.hold, before.targets);
    this.answeredAt = before.answeredAt;
    this.finder.start(this);
  }

  stop(): void {
    this.listener = null;
    this.finder.stop();
  }

  onAnswer(answer: Answer): void {
    if (this.listener === null) return;
    const { targets, leftOut, absence } = answer;
    if (targets.length === 0 && this.config.empty === 'keep') {
      this.onFailure({ error: absence ?? 'empty' });
      return;
    }
    const now = this.means.clock.now();
    this.answeredAt = now;
    this.tellGood(now);
    this.tellLeftOut(leftOut);
    this.answer = answer;
    this.held.take(targets, now);
    this.listener.onTargets(this.held.targets);
  }

  onUnchanged(): void {
    if (this.listener === null || this.answer === null) return;
    // It counts as one more only for what it is without.
    if (this.held.misses) this.onAnswer(this.answer);
    else this.answeredAt = this.means.clock.now();
  }

  onFailure({ error, fields }: Failure): void {
    if (this.listener === null) return;
    const { log, metrics, clock } = this.means;
    metrics.upstream(this.upstream).discoveryErrors += 1;
    const now = clock.now();
    const isNews = this.failing === null;
    this.failing = { since: this.failing?.since ?? now, error };
    if (!isNews) return;
    log.event('warn', 'discovery.failed', { ...this.about(), error, ...fields, targets: this.held.size });
  }

  private tellGood(now: number): void {
    const { failing } = this;
    if (failing === null) return;
    this.failing = null;
    this.means.log.event('info', 'discovery.ok', { ...this.about(), failing_ms: Math.round(now - failing.since) });
  }

  /** Once, until it is something else. */
  private tellLeftOut(leftOut: readonly string[]): void {
    const text = [...leftOut].sort().join('\n');
    if (text !== '') this.means.metrics.upstream(this.upstream).discoveryErrors += 1;
    if (text !== this.toldLeftOut && text !== '') {
      const count = leftOut.length;
      const shown = leftOut.slice(0, SHOWN_MAX);
      this.means.log.event('warn', 'discovery.left_out', { ...this.about(), count, left_out: shown });
    }
    this.toldLeftOut = text;
  }

  private about(): Readonly<Record<string, string>> {
    return { upstream: this.upstream, source: this.kind };
  }
}
