// The counters of all routes and listeners added up, in steps: what has happened since the start, and what is the case
// now. A reload that drops a route takes what it counted out of them.

import type { EndCountView, LimitHitView } from '../admin/page-types.ts';
import type { DirectionMetrics, MetricsRegistry, RouteMetrics } from '../observe/metrics.ts';
import type { Tally } from '../observe/tally.ts';
import { isRefusal } from './refusal-counts.ts';

/** Routes that are added up in one step. */
const ROUTES_PER_STEP = 16;

/** As it comes from another process. */
export type ToldTotals = Omit<Totals, 'add' | 'plus'>;

export class Totals {
  opened = 0;
  ended = 0;
  refused = 0;
  httpRequests = 0;
  messagesFromClient = 0;
  messagesFromBackend = 0;
  bytesFromClient = 0;
  bytesFromBackend = 0;
  limitHits = 0;
  pings = 0;
  pingSeconds = 0;
  /** Of now. */
  paused = 0;
  buffered = 0;
  /** By all that tells them apart, where they were asked for. */
  readonly ends = new Map<string, EndCountView>();
  readonly limits = new Map<string, LimitHitView>();

  /** `inFull`: ends and limits by their kinds, too. */
  add(route: RouteMetrics, inFull: boolean): void {
    const { fromClient, fromBackend, pingRtt } = route;
    this.opened += route.sessionsTotal;
    this.ended += route.sessionsTotal - route.sessionsOpen;
    for (const [result, count] of route.handshakes.entries()) if (isRefusal(route, result)) this.refused += count;
    this.httpRequests += sumOf(route.http.requests);
    this.messagesFromClient += messagesOf(fromClient);
    this.messagesFromBackend += messagesOf(fromBackend);
    this.bytesFromClient += fromClient.bytes;
    this.bytesFromBackend += fromBackend.bytes;
    this.pings += pingRtt.count;
    this.pingSeconds += pingRtt.sum;
    this.paused += fromClient.paused + fromBackend.paused;
    this.buffered += fromClient.buffered + fromBackend.buffered;
    this.limitHits += sumOf(fromClient.limitHits) + sumOf(fromBackend.limitHits);
    if (inFull) this.addKinds(route);
  }

  /** Those of another process. */
  plus(other: ToldTotals): void {
    for (const key of COUNTS) this[key] += other[key];
    for (const end of other.ends.values()) this.addEnd(end);
    for (const hit of other.limits.values()) this.addHit(hit);
  }

  private addKinds(route: RouteMetrics): void {
    for (const end of route.ends.all()) this.addEnd(end);
    for (const [tally, from] of hitsOf(route)) {
      for (const [limit, hits] of tally.entries()) this.addHit({ limit, from, hits });
    }
  }

  private addEnd({ by, reason, code, count }: EndCountView): void {
    const key = `${by} ${reason} ${code}`;
    this.ends.set(key, { by, reason, code, count: count + (this.ends.get(key)?.count ?? 0) });
  }

  private addHit({ limit, from, hits }: LimitHitView): void {
    const key = `${from} ${limit}`;
    this.limits.set(key, { limit, from, hits: hits + (this.limits.get(key)?.hits ?? 0) });
  }
}

const COUNTS = [
  'opened',
  'ended',
  'refused',
  'httpRequests',
  'messagesFromClient',
  'messagesFromBackend',
  'bytesFromClient',
  'bytesFromBackend',
  'limitHits',
  'pings',
  'pingSeconds',
  'paused',
  'buffered',
] as const;

/** Each step is far below a millisecond. */
export function* totalsOf(metrics: MetricsRegistry, inFull: boolean): Generator<void, Totals> {
  const totals = new Totals();
  totals.add(metrics.unrouted, inFull);
  for (const { rejected } of metrics.listeners()) totals.refused += sumOf(rejected);
  let left = ROUTES_PER_STEP;
  for (const route of metrics.routes()) {
    totals.add(route, inFull);
    left -= 1;
    if (left > 0) continue;
    left = ROUTES_PER_STEP;
    yield;
  }
  return totals;
}

/** What limits did in a route, and to whose messages; null: to handshakes, sessions and requests as a whole. */
function hitsOf(route: RouteMetrics): readonly (readonly [hits: Tally, from: LimitHitView['from']])[] {
  const { fromClient, fromBackend, limitEnds, http } = route;
  return [
    [fromClient.limitHits, 'client'],
    [fromBackend.limitHits, 'backend'],
    [limitEnds, null],
    [http.limitEnds, null],
  ];
}

function messagesOf({ textMessages, binaryMessages }: DirectionMetrics): number {
  return textMessages + binaryMessages;
}

function sumOf(tally: Tally): number {
  let sum = 0;
  for (const [, count] of tally.entries()) sum += count;
  return sum;
}
