// The targets of one upstream, made of what its sources list and kept while they are listed. It looks at names and
// endpoints, never at the state of a target, and picks none.

import { isDeepStrictEqual } from 'node:util';
import type { TargetConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { TargetListener, TargetSource } from './sources/target-source.ts';
import { Target, type TargetSettings, type TargetTold } from './target.ts';

/** One source and what it has said last. */
class Feed implements TargetListener {
  readonly source: TargetSource;
  targets: readonly TargetConfig[];
  private readonly onNews: () => void;
  private state: 'idle' | 'started' | 'stopped' = 'idle';

  constructor(source: TargetSource, onNews: () => void) {
    this.source = source;
    this.targets = source.initial;
    this.onNews = onNews;
  }

  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'started';
    this.source.start(this);
  }

  stop(): void {
    const wasStarted = this.state === 'started';
    this.state = 'stopped';
    if (wasStarted) this.source.stop();
  }

  onTargets(targets: readonly TargetConfig[]): void {
    if (this.state !== 'started') return;
    this.targets = targets;
    this.onNews();
  }
}

/** What a set would be made of next: nothing has changed yet. */
export interface TargetSetPlan {
  readonly feeds: readonly Feed[];
  /** Targets that stay, unless a source says otherwise meanwhile. */
  readonly kept: readonly Target[];
}

interface TargetSetOptions {
  readonly clock: Clock;
  /** Sources have changed `list`. What `take` changes its caller knows. */
  onChange(): void;
  readonly told: TargetTold;
}

export class TargetSet {
  /** Another array when other targets are in it, or in other places. */
  list: readonly Target[] = [];
  /** What the urls of the targets put before a request's path, each once; '' where they put nothing. */
  bases: readonly string[] = [];
  private byName: ReadonlyMap<string, Target> = new Map();
  private feeds: readonly Feed[] = [];
  private settings: TargetSettings;
  private readonly options: TargetSetOptions;

  constructor(settings: TargetSettings, options: TargetSetOptions) {
    this.settings = settings;
    this.options = options;
  }

  get(name: string): Target | undefined {
    return this.byName.get(name);
  }

  /** With `sources`, of which those that are here already, with the same settings, go on as they are. */
  plan(sources: readonly TargetSource[]): TargetSetPlan {
    const feeds = sources.map((source) => this.feedLike(source) ?? new Feed(source, () => this.onNews()));
    const kept = listedBy(feeds).flatMap((config) => this.known(config) ?? []);
    return { feeds, kept };
  }

  take({ feeds }: TargetSetPlan, settings: TargetSettings): void {
    const before = this.feeds;
    this.feeds = feeds;
    this.settings = settings;
    this.refresh();
    for (const feed of before) if (!feeds.includes(feed)) feed.stop();
  }

  /** Sources that do not run yet. */
  start(): void {
    for (const feed of this.feeds) feed.start();
  }

  stop(): void {
    for (const feed of this.feeds) feed.stop();
  }

  private onNews(): void {
    if (this.refresh()) this.options.onChange();
  }

  private feedLike({ kind, settings }: TargetSource): Feed | undefined {
    return this.feeds.find(({ source }) => source.kind === kind && isDeepStrictEqual(source.settings, settings));
  }

  /** The target that is listed as `config`: one with another endpoint is another target. */
  private known({ name, endpoint }: TargetConfig): Target | null {
    const target = this.byName.get(name);
    return target !== undefined && isSame(target.endpoint, endpoint) ? target : null;
  }

  /** True when the list is another one. */
  private refresh(): boolean {
    const list = listedBy(this.feeds).map((config) => this.targetOf(config));
    if (list.length === this.list.length && list.every((target, at) => target === this.list[at])) return false;
    const stay = new Set(list);
    for (const target of this.list) if (!stay.has(target)) target.leave();
    this.list = list;
    this.byName = new Map(list.map((target) => [target.name, target]));
    this.bases = [...new Set(list.map(({ reach }) => reach.base))];
    return true;
  }

  private targetOf(config: TargetConfig): Target {
    const known = this.known(config);
    if (known !== null) {
      known.reconfigure(config, this.settings);
      return known;
    }
    const made = new Target(config, this.settings, this.options.told);
    // Whoever drained it meant the name.
    if (this.byName.get(config.name)?.draining === true) made.bar('draining', 'admin', this.options.clock.now());
    return made;
  }
}

/** A name stands for one target: who lists it first counts. */
function listedBy(feeds: readonly Feed[]): TargetConfig[] {
  const byName = new Map<string, TargetConfig>();
  for (const { targets } of feeds) {
    for (const target of targets) if (!byName.has(target.name)) byName.set(target.name, target);
  }
  return [...byName.values()];
}

type PlainValues = Readonly<Record<string, unknown>>;

/** Of flat objects: a deep comparison of many targets would take too long in the step that puts them in force. */
function isSame(a: PlainValues, b: PlainValues): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
