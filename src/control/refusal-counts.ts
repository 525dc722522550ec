// What was refused so far, over all routes and listeners: by cause, and for the caps on the whole process.

import type { Limits } from '../config/types.ts';
import type { CapInput } from '../observe/cap-advice.ts';
import { type MetricsRegistry, NO_ROUTE, type RouteMetrics } from '../observe/metrics.ts';

/** Results of a handshake that refused nobody. */
export const NOT_REFUSED: ReadonlySet<string> = new Set(['ok', 'client_gone']);

/** Told before a head is read, so no route has them: they are among the rejected connections of a listener. */
const AT_ACCEPT: ReadonlySet<string> = new Set([
  'too_many_sessions',
  'too_many_sessions_per_ip',
  'too_many_handshakes',
  'proxy_header',
]);

/** Slugs of refusals and reasons of connections that were cut off before one, the most frequent first. */
export function refusalsByCause(metrics: MetricsRegistry): Record<string, number> {
  const counts = new Map<string, number>();
  const add = (cause: string, count: number) => counts.set(cause, (counts.get(cause) ?? 0) + count);
  for (const route of [metrics.unrouted, ...metrics.routes()]) {
    for (const [result, count] of route.handshakes.entries()) if (isRefusal(route, result)) add(result, count);
  }
  for (const { rejected } of metrics.listeners()) for (const [reason, count] of rejected.entries()) add(reason, count);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** A result of a handshake that refused somebody and is not counted by a listener, too. */
export function isRefusal(route: RouteMetrics, result: string): boolean {
  return !NOT_REFUSED.has(result) && !(route.name === NO_ROUTE && AT_ACCEPT.has(result));
}

/** `sessionsMax`: what `limits.max_sessions` came to under the limit on open files. */
export function capInputs(metrics: MetricsRegistry, limits: Limits, sessionsMax: number): CapInput[] {
  const { peaks } = metrics.process;
  const all = [metrics.unrouted, ...metrics.routes()];
  const hits = (key: string) =>
    total(all, ({ fromClient, fromBackend }) => fromClient.limitHits.of(key) + fromBackend.limitHits.of(key));
  const turnedAway = total(metrics.listeners(), ({ rejected }) => rejected.of('too_many_sessions'));
  const count = (key: keyof Limits, value: number, peak: number, refused: number): CapInput => {
    return { key: `limits.${key}`, unit: 'count', value, peak, refused };
  };
  return [
    count('max_sessions', sessionsMax, peaks.connections, turnedAway),
    count('max_handshakes', limits.max_handshakes, peaks.handshakes, hits('max_handshakes')),
    count('max_waiting_handshakes', limits.max_waiting_handshakes, peaks.waiting, hits('max_waiting_handshakes')),
    ...(limits.requests_per_second_per_ip === Number.POSITIVE_INFINITY
      ? []
      : [
          {
            ...count('requests_per_second_per_ip', limits.requests_per_second_per_ip, 0, 0),
            peak: null,
            refused: hits('requests_per_second_per_ip'),
          },
        ]),
    {
      key: 'limits.max_buffered_total',
      unit: 'bytes',
      value: limits.max_buffered_total,
      peak: limits.max_buffered_total === Number.POSITIVE_INFINITY ? null : peaks.buffered,
      // New handshakes, and the sessions that were ended.
      refused: hits('max_buffered_total'),
    },
  ];
}

export function total<T>(items: Iterable<T>, value: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += value(item);
  return sum;
}
