// The targets of one upstream, made of what its sources list and kept while they are listed. It looks at names and
// endpoints, never at the state of a target, and picks none.

import { isDeepStrictEqual } from 'node:util';
import type { TargetConfig, UpstreamConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { DiscoveryStatus, TargetListener, TargetSource } from './sources/target-source.ts';
import { Target, type TargetSettings, type TargetTold } from './target.ts';

/** One source and what it has said last. */
class Feed implements TargetListener {
  readonly source: TargetSource;
  private readonly onNews: () => void;
  /** What it takes the place of, and goes on with until it knows better. */
  private before: Feed | null;
  private said: readonly TargetConfig[];
  private state: 'idle' | 'started' | 'stopped' = 'idle';

  constructor(source: TargetSource, before: Feed | null, onNews: () => void) {
    this.source = source;
    this.before = before;
    this.said = source.initial ?? [];
    this.onNews = onNews;
  }

  get targets(): readonly TargetConfig[] {
    return this.before?.targets ?? this.said;
  }

  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'started';
    this.said = this.targets;
    const answeredAt = this.before?.source.status?.answeredAt ?? null;
    this.before = null;
    this.source.start(this, { targets: this.said, answeredAt });
  }

  stop(): void {
    const wasStarted = this.state === 'started';
    this.state = 'stopped';
    if (wasStarted) this.source.stop();
  }

  onTargets(targets: readonly TargetConfig[]): void {
    if (this.state !== 'started') return;
    this.said = targets;
    this.onNews();
  }
}

/** Targets that are gone and may come back to their sessions, at most; of more the first ones are forgotten. */
const DEPARTED_MAX = 1_024;

/** What of its upstream's config a set goes by. */
type SetSettings = TargetSettings & Pick<UpstreamConfig, 'on_gone' | 'drain'>;

/** One that is gone, with sessions that are still on it. */
interface Departed {
  readonly target: Target;
  /** Or a config dropped it. */
  readonly byDiscovery: boolean;
}

/** What a set would be made of next: nothing has changed yet. */
export interface TargetSetPlan {
  readonly feeds: readonly Feed[];
  /** Targets whose sessions stay, unless a source says otherwise meanwhile. */
  readonly kept: readonly Target[];
}

interface TargetSetOptions {
  readonly clock: Clock;
  /** Sources have changed `list`. What `take` changes its caller knows. */
  onChange(isAnyGone: boolean): void;
  readonly told: TargetTold;
  /** Discovery has it, and sessions may go there; or has it no longer, and they did. */
  found(target: Target, isHere: boolean): void;
  /** One of its targets may take a session that it could not take before. */
  onRoom(): void;
}

export class TargetSet {
  /** Another array when other targets are in it, or in other places. */
  list: readonly Target[] = [];
  /** What the urls of the targets put before a request's path, each once; '' where they put nothing. */
  bases: readonly string[] = [];
  private byName: ReadonlyMap<string, Target> = new Map();
  private feeds: readonly Feed[] = [];
  private readonly departed = new Map<string, Departed>();
  /** Ever. */
  private departures = 0;
  private settings: SetSettings;
  private readonly options: TargetSetOptions;

  constructor(settings: SetSettings, options: TargetSetOptions) {
    this.settings = settings;
    this.options = options;
  }

  get discovery(): DiscoveryStatus | null {
    for (const { source } of this.feeds) if (source.status !== null) return source.status;
    return null;
  }

  get(name: string): Target | undefined {
    return this.byName.get(name);
  }

  /** With `sources`, of which those that are here already, with the same settings, go on as they are. */
  plan(sources: readonly TargetSource[], settings: SetSettings): TargetSetPlan {
    const feeds = sources.map((source) => this.feedLike(source) ?? this.newFeed(source));
    const kept = listedBy(feeds).flatMap(({ config }) => this.known(config) ?? []);
    for (const one of this.departed.values()) if (keepsSessions(settings, one.byDiscovery)) kept.push(one.target);
    if (keepsSessions(settings, false)) kept.push(...this.list);
    return { feeds, kept };
  }

  /** As `refresh`. */
  take({ feeds }: TargetSetPlan, settings: SetSettings): boolean {
    const before = this.feeds;
    this.feeds = feeds;
    this.settings = settings;
    for (const { target, byDiscovery } of this.departed.values()) target.leave(keepsSessions(settings, byDiscovery));
    // All of them go on: what they list is what there is. Thousands of upstreams are put in force in one step.
    if (feeds.length === before.length && feeds.every((feed, at) => feed === before[at])) {
      for (const target of this.list) target.retune(settings);
      return false;
    }
    const isOther = this.refresh(false);
    for (const feed of before) if (!feeds.includes(feed)) feed.stop();
    return isOther;
  }

  /** Sources that do not run yet. */
  start(): void {
    for (const feed of this.feeds) feed.start();
  }

  stop(): void {
    for (const feed of this.feeds) feed.stop();
  }

  /** It is in no config any more. */
  leave(): void {
    this.stop();
    for (const target of this.list) target.leave(false);
    for (const { target } of this.departed.values()) target.leave(false);
  }

  private onNews(): void {
    const { departures } = this;
    if (this.refresh(true)) this.options.onChange(this.departures > departures);
    // The same ones may have more room.
    else this.options.onRoom();
  }

  private newFeed(source: TargetSource): Feed {
    const before = source.initial === null ? this.feeds.find((feed) => feed.source.initial === null) : undefined;
    return new Feed(source, before ?? null, () => this.onNews());
  }

  private feedLike({ kind, settings }: TargetSource): Feed | undefined {
    return this.feeds.find(({ source }) => source.kind === kind && isDeepStrictEqual(source.settings, settings));
  }

  /** The target that is listed as `config`: one with another endpoint is another target. */
  private known({ name, endpoint }: TargetConfig): Target | null {
    for (const target of [this.byName.get(name), this.departed.get(name)?.target])
      if (target !== undefined && isSame(target.endpoint, endpoint)) return target;
    return null;
  }

  /** True when the list is another one, or what counts for picking from it. */
  private refresh(byDiscovery: boolean): boolean {
    const before = this.list.map(({ weight, isBackup }) => ({ weight, isBackup }));
    const list = listedBy(this.feeds).map((listed) => this.targetOf(listed));
    if (list.length === this.list.length && list.every((target, at) => target === this.list[at])) {
      return list.some(
        ({ weight, isBackup }, at) => weight !== before[at]?.weight || isBackup !== before[at]?.isBackup,
      );
    }
    const [here, stay] = [new Set(this.list), new Set(list)];
    for (const target of this.list) {
      if (stay.has(target)) continue;
      if (byDiscovery && !target.isBarred) this.options.found(target, false);
      this.depart({ target, byDiscovery });
    }
    if (byDiscovery)
      for (const target of list) if (!here.has(target) && !target.isBarred) this.options.found(target, true);
    this.forgetEmpty();
    this.list = list;
    this.byName = new Map(list.map((target) => [target.name, target]));
    this.bases = [...new Set(list.map(({ reach }) => reach.base))];
    return true;
  }

  private targetOf({ config, source }: Listed): Target {
    const target = this.known(config) ?? this.newTarget(config);
    if (target.gone) {
      target.comeBack(this.options.clock.now());
      this.departed.delete(target.name);
    }
    target.reconfigure(config, this.settings);
    target.source = source;
    return target;
  }

  private depart(one: Departed): void {
    const { target, byDiscovery } = one;
    this.departures += 1;
    target.leave(keepsSessions(this.settings, byDiscovery));
    this.departed.delete(target.name);
    this.departed.set(target.name, one);
  }

  private forgetEmpty(): void {
    let over = this.departed.size - DEPARTED_MAX;
    for (const [name, { target }] of this.departed) {
      if (target.sessions > 0 && over <= 0) continue;
      this.departed.delete(name);
      over -= 1;
    }
  }

  private newTarget(config: TargetConfig): Target {
    const made = new Target(config, this.settings, this.options.told);
    made.onRoom = this.options.onRoom;
    // Whoever drained it meant the name.
    if (this.byName.get(config.name)?.draining === true) made.bar('draining', 'admin', this.options.clock.now());
    return made;
  }
}

/** Whether sessions of a target that is gone stay. One that a config dropped drains, as `drain` says. */
function keepsSessions({ on_gone, drain }: SetSettings, byDiscovery: boolean): boolean {
  return drain.mode === 'keep' || (byDiscovery && on_gone === 'keep');
}

interface Listed {
  readonly config: TargetConfig;
  /** The kind of the source. */
  readonly source: string;
}

/** A name stands for one target: who lists it first counts. */
function listedBy(feeds: readonly Feed[]): Listed[] {
  const byName = new Map<string, Listed>();
  for (const { targets, source } of feeds) {
    for (const config of targets)
      if (!byName.has(config.name)) byName.set(config.name, { config, source: source.kind });
  }
  return [...byName.values()];
}

type PlainValues = Readonly<Record<string, unknown>>;

/** Of flat objects: a deep comparison of many targets would take too long in the step that puts them in force. */
function isSame(a: PlainValues, b: PlainValues): boolean {
  for (const key in a) if (a[key] !== b[key]) return false;
  for (const key in b) if (!(key in a)) return false;
  return true;
}
