// What goes on a second, between two looks at counters that only grow. It asks nobody; times come with the counters.

import type { RouteView, SessionView, StatusView, UpstreamView } from '../admin/subject.ts';
import { countText, groupedText } from '../observe/quantities.ts';

/** A second. */
export interface Rate {
  readonly sessions: number;
  readonly messages: number;
  readonly bytes: number;
}

/** By the name of what was counted; nothing of what was not there, or began anew. */
export type Rates = ReadonlyMap<string, Rate>;

interface Counters extends Rate {
  /** In milliseconds, on any clock that both looks went by. */
  readonly at: number;
}

/** Holds one look: at most as many counters as it saw. */
export class Meter {
  private last: ReadonlyMap<string, Counters> = new Map();

  /** What went on since the last look; empty for the first. */
  look(now: ReadonlyMap<string, Counters>): Rates {
    const rates = new Map<string, Rate>();
    for (const [name, counters] of now) {
      const rate = rateOf(this.last.get(name), counters);
      if (rate !== null) rates.set(name, rate);
    }
    this.last = now;
    return rates;
  }
}

function rateOf(before: Counters | undefined, now: Counters): Rate | null {
  if (before === undefined || now.at <= before.at) return null;
  const seconds = (now.at - before.at) / 1000;
  const sessions = (now.sessions - before.sessions) / seconds;
  const messages = (now.messages - before.messages) / seconds;
  const bytes = (now.bytes - before.bytes) / seconds;
  // Another process counts from the beginning.
  return sessions < 0 || messages < 0 || bytes < 0 ? null : { sessions, messages, bytes };
}

/** All routes together: no route is named so. */
export const ALL_ROUTES = '';

export function routeCounters({ routes, uptime_ms: at }: StatusView): Map<string, Counters> {
  const own = routes.map((route) => [route.name, { at, ...routeTotals(route) }] as const);
  const all = own.reduce(
    (sum, [, { sessions, messages, bytes }]) => ({
      at,
      sessions: sum.sessions + sessions,
      messages: sum.messages + messages,
      bytes: sum.bytes + bytes,
    }),
    { at, sessions: 0, messages: 0, bytes: 0 },
  );
  return new Map([...own, [ALL_ROUTES, all]]);
}

function routeTotals({ sessions_total, from_client, from_backend }: RouteView): Rate {
  return {
    sessions: sessions_total,
    messages: from_client.messages + from_backend.messages,
    bytes: from_client.bytes + from_backend.bytes,
  };
}

/** Each by its own age. */
export function sessionCounters(sessions: readonly SessionView[]): Map<string, Counters> {
  return new Map(
    sessions.map(({ id, age_ms, from_client, from_backend }) => [
      id,
      {
        at: age_ms,
        sessions: 0,
        messages: from_client.messages + from_backend.messages,
        bytes: from_client.bytes + from_backend.bytes,
      },
    ]),
  );
}

/** Of targets only their sessions are counted. `at`: when that was. */
export function targetCounters(upstreams: readonly UpstreamView[], at: number): Map<string, Counters> {
  const pairs = upstreams.flatMap(({ name: upstream, targets }) =>
    targets.map(({ name, sessions_total }) => {
      return [targetKey(upstream, name), { at, sessions: sessions_total, messages: 0, bytes: 0 }] as const;
    }),
  );
  return new Map(pairs);
}

export function targetKey(upstream: string, target: string): string {
  return JSON.stringify([upstream, target]);
}

/** Not known yet; not a dash, which is what there never is. */
export const UNKNOWN = '?';

/** 12, 0.2, 3 400. */
export function rateText(rate: number | undefined): string {
  if (rate === undefined) return UNKNOWN;
  return rate < 999.5 ? countText(rate) : groupedText(rate);
}
