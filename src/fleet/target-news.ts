// What of its targets the primary has to tell its workers: those that were found, and states that matter to sessions.
// It is told by the parts of upstreams, and tells what has changed.

import type { PartHost, UpstreamPart } from '../upstream/part.ts';
import type { Target } from '../upstream/target.ts';
import type { DeskNews, FoundTarget, ToldState } from './desk-messages.ts';

const USUAL: ToldState = { draining: false, down: false, failing: false };

/** What was told last of one upstream, whichever of that name it was. */
class Told {
  found: readonly FoundTarget[] = [];
  /** Of those that are not as usual. */
  readonly states = new Map<string, ToldState>();
}

class NewsPart implements UpstreamPart {
  private readonly host: PartHost;
  private readonly news: TargetNews;

  constructor(host: PartHost, news: TargetNews) {
    this.host = host;
    this.news = news;
  }

  update(): void {
    const { news, host } = this;
    news.add(host.name, this);
    const found = host.targets.filter(({ source }) => source !== 'config').map(foundOf);
    news.noteFound(host.name, found);
    const left = new Set(news.namesOf(host.name));
    for (const target of host.targets) {
      left.delete(target.name);
      target.onBars = () => this.look(target);
      this.look(target);
    }
    for (const name of left) news.noteState(host.name, name, USUAL);
  }

  stop(): void {
    this.news.remove(this.host.name, this);
  }

  look(target: Target): void {
    const { news, host } = this;
    // One that is gone has its name no longer.
    if (!target.gone) news.noteState(host.name, target.name, stateOf(target));
  }
}

/** Made before the primary's upstreams, whose parts `partOf` makes, one for each besides the usual ones. */
export class TargetNews {
  /** Those in force, by the names of their upstreams. */
  private readonly parts = new Map<string, NewsPart>();
  /** At most the upstreams that there were. */
  private readonly told = new Map<string, Told>();
  private readonly listeners = new Set<(news: DeskNews) => void>();

  partOf(host: PartHost): UpstreamPart {
    return new NewsPart(host, this);
  }

  /** `listener` is told all that it has to know now, and each change from then on. */
  attach(listener: (news: DeskNews) => void): void {
    for (const [upstream, { found, states }] of this.told) {
      if (found.length > 0) listener(['found', upstream, found]);
      for (const [name, state] of states) listener(['state', upstream, name, state]);
    }
    this.listeners.add(listener);
  }

  detach(listener: (news: DeskNews) => void): void {
    this.listeners.delete(listener);
  }

  /** Something that is no bar may have changed. */
  look(upstream: string, target: Target): void {
    this.parts.get(upstream)?.look(target);
  }

  /** Whose states are not as usual. */
  namesOf(upstream: string): Iterable<string> {
    return this.of(upstream).states.keys();
  }

  noteFound(upstream: string, found: readonly FoundTarget[]): void {
    const told = this.of(upstream);
    if (isSameList(found, told.found)) return;
    told.found = found;
    this.tell(['found', upstream, found]);
  }

  noteState(upstream: string, name: string, state: ToldState): void {
    const { states } = this.of(upstream);
    if (isSameState(state, states.get(name) ?? USUAL)) return;
    if (isSameState(state, USUAL)) states.delete(name);
    else states.set(name, state);
    this.tell(['state', upstream, name, state]);
  }

  private of(upstream: string): Told {
    const known = this.told.get(upstream);
    if (known !== undefined) return known;
    const told = new Told();
    this.told.set(upstream, told);
    return told;
  }

  private tell(news: DeskNews): void {
    for (const listener of this.listeners) listener(news);
  }

  add(upstream: string, part: NewsPart): void {
    this.parts.set(upstream, part);
  }

  remove(upstream: string, part: NewsPart): void {
    if (this.parts.get(upstream) === part) this.parts.delete(upstream);
  }
}

function foundOf(target: Target): FoundTarget {
  const { name, url, endpoint, weight, isBackup: backup, source } = target;
  return { name, url, endpoint, weight, backup, source };
}

function stateOf(target: Target): ToldState {
  return {
    draining: target.draining,
    down: target.has('down'),
    failing: target.dials.failingSince !== null,
  };
}

function isSameState(a: ToldState, b: ToldState): boolean {
  return a.draining === b.draining && a.down === b.down && a.failing === b.failing;
}

/** An endpoint is as long as its target the same object. */
function isSameList(a: readonly FoundTarget[], b: readonly FoundTarget[]): boolean {
  return a.length === b.length && a.every((one, at) => isSame(one, b[at]));
}

function isSame(a: FoundTarget, b: FoundTarget | undefined): boolean {
  return (
    a.name === b?.name &&
    a.url === b.url &&
    a.endpoint === b.endpoint &&
    a.weight === b.weight &&
    a.backup === b.backup &&
    a.source === b.source
  );
}
