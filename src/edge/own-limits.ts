// Limits per key that single routes have besides the global ones: a table for each such route. A reload changes them,
// and one that is new knows what is open already.

import type { RouteConfig } from '../config/types.ts';
import type { KeyedLimitsOptions } from '../limits/keyed-limits.ts';
import { KeyedVerdict } from '../limits/keyed-limits.ts';
import type { Route } from './snapshot.ts';

interface Table {
  acquire(key: string, now: number): KeyedVerdict;
  retune(options: KeyedLimitsOptions, now: number): void;
}

/** What was taken on a route. */
interface Taken<T> {
  readonly key: string;
  readonly route: Route;
  /** The table that it is counted in. */
  own: T | null;
}

interface OwnLimitsOptions<T> {
  make(options: KeyedLimitsOptions): T;
  /** Null for a route that has none of its own. */
  optionsOf(route: RouteConfig): KeyedLimitsOptions | null;
}

export class OwnLimits<T extends Table> {
  private readonly options: OwnLimitsOptions<T>;
  private readonly tables = new Map<string, T>();

  constructor(options: OwnLimitsOptions<T>) {
    this.options = options;
  }

  of({ config }: Route): T | null {
    return this.tables.get(config.name) ?? null;
  }

  /** `taken`: all that is; none of it is lost. */
  retune(routes: Iterable<RouteConfig>, taken: Iterable<Taken<T>>, now: number): void {
    const limited = new Map<string, KeyedLimitsOptions>();
    for (const route of routes) {
      const options = this.options.optionsOf(route);
      if (options !== null) limited.set(route.name, options);
    }
    for (const name of this.tables.keys()) if (!limited.has(name)) this.tables.delete(name);
    const fresh = new Map<string, T>();
    for (const [name, options] of limited) {
      const known = this.tables.get(name);
      // Without a cap at first: sessions that are over it stay, and are counted.
      if (known === undefined) fresh.set(name, this.options.make({ ...options, sessionsMax: Infinity }));
      else known.retune(options, now);
    }
    if (fresh.size === 0) return;
    for (const one of taken) {
      const own = fresh.get(one.route.config.name);
      if (own?.acquire(one.key, now) === KeyedVerdict.Ok) one.own = own;
    }
    for (const [name, own] of fresh) {
      const options = limited.get(name);
      if (options !== undefined) own.retune(options, now);
      this.tables.set(name, own);
    }
  }
}
