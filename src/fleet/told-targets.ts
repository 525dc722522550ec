// What a worker knows of targets: what its config lists, and what the primary tells it, which finds, checks and judges
// them for all. Nothing is found, checked or counted here.

import type { UpstreamConfig } from '../config/types.ts';
import type { PartHost, UpstreamPart } from '../upstream/part.ts';
import { ConfigSource } from '../upstream/sources/config.ts';
import type { TargetListener, TargetSource } from '../upstream/sources/target-source.ts';
import type { Target } from '../upstream/target.ts';
import type { DeskAsk, DeskNews, FoundTarget, ToldState } from './desk-messages.ts';
import { RemoteWatch } from './remote-watch.ts';

type TargetNews = Exclude<DeskNews, readonly ['move' | 'seen', ...unknown[]]>;

/** Of one upstream, by its name: it may be told of before a config has it here. */
class Told {
  found: readonly FoundTarget[] = [];
  /** Of those that are not as usual. */
  readonly states = new Map<string, ToldState>();
  /** The one that is in force here. */
  source: ToldSource | null = null;
  mirror: MirrorPart | null = null;
}

/** Of what discovery of an upstream has found. */
class ToldSource implements TargetSource {
  readonly kind: string;
  readonly settings: unknown;
  readonly initial = null;
  readonly status = null;
  private readonly told: Told;
  private listener: TargetListener | null = null;

  constructor(kind: string, settings: unknown, told: Told) {
    this.kind = kind;
    this.settings = settings;
    this.told = told;
  }

  start(listener: TargetListener): void {
    this.listener = listener;
    this.told.source = this;
    if (this.told.found.length > 0) this.tell();
  }

  stop(): void {
    this.listener = null;
    if (this.told.source === this) this.told.source = null;
  }

  tell(): void {
    const targets = this.told.found.map(({ source: _, ...target }) => ({ ...target, max_sessions: Infinity }));
    this.listener?.onTargets(targets);
  }
}

/** Keeps the targets of an upstream as they were told of, and tells what comes of their sessions. */
class MirrorPart implements UpstreamPart {
  private readonly host: PartHost;
  private readonly told: Told;
  private readonly post: (message: DeskAsk) => void;

  constructor(host: PartHost, told: Told, post: (message: DeskAsk) => void) {
    this.host = host;
    this.told = told;
    this.post = post;
  }

  update(): void {
    this.told.mirror = this;
    for (const target of this.host.targets) {
      target.watch ??= new RemoteWatch(this.host, target, this.post, () => this.told.states.get(target.name));
      this.apply(target);
    }
  }

  stop(): void {
    if (this.told.mirror === this) this.told.mirror = null;
  }

  onState(name: string): void {
    const target = this.find(name);
    if (target !== undefined) this.apply(target);
  }

  onDown(name: string): void {
    const target = this.find(name);
    if (target !== undefined) this.host.onDown(target);
  }

  private find(name: string): Target | undefined {
    return this.host.targets.find((target) => target.name === name);
  }

  private apply(target: Target): void {
    const state = this.told.states.get(target.name);
    const now = this.host.means.clock.now();
    if (state?.draining === true) target.bar('draining', 'admin', now);
    else target.lift('draining', now);
    if (state?.down === true) target.bar('down', 'check', now);
    else target.lift('down', now);
  }
}

/** By upstream. The same over all reloads, as long as the worker lives. */
export class ToldTargets {
  private readonly post: (message: DeskAsk) => void;
  /** At most the upstreams that the primary has had. */
  private readonly byUpstream = new Map<string, Told>();

  /** `post`: to the primary, as that of the worker's `DeskClient`. */
  constructor(post: (message: DeskAsk) => void) {
    this.post = post;
  }

  take(news: TargetNews): void {
    const told = this.of(news[1]);
    switch (news[0]) {
      case 'found':
        told.found = news[2];
        told.source?.tell();
        return;
      case 'state': {
        const [, , name, state] = news;
        if (state.draining || state.down || state.failing) told.states.set(name, state);
        else told.states.delete(name);
        told.mirror?.onState(name);
        return;
      }
      default:
        told.mirror?.onDown(news[2]);
    }
  }

  sourcesOf({ name, targets, discover }: UpstreamConfig): TargetSource[] {
    const listed = new ConfigSource(targets);
    return discover === null ? [listed] : [listed, new ToldSource(discover.kind, discover, this.of(name))];
  }

  partsOf(host: PartHost): readonly UpstreamPart[] {
    return [new MirrorPart(host, this.of(host.name), this.post)];
  }

  private of(upstream: string): Told {
    const known = this.byUpstream.get(upstream);
    if (known !== undefined) return known;
    const told = new Told();
    this.byUpstream.set(upstream, told);
    return told;
  }
}
