// Upstreams and targets as the views that the admin listener answers with. Pure readings: nothing here changes what it
// looks at.

import type { CheckView, DiscoveryView, LatencyView, TargetView, UpstreamView } from '../admin/subject.ts';
import type { BalanceConfig } from '../config/types.ts';
import { printHashKey } from '../config/upstream-texts.ts';
import type { Edge } from '../edge/edge.ts';
import { mapped, type Pulled } from '../limits/pulled.ts';
import type { LogLinearHistogram } from '../observe/histogram.ts';
import type { TargetMetrics } from '../observe/upstream-metrics.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** `targetsMax`: of all upstreams together; those behind them are left out. */
export function upstreamViews(
  { metrics, snapshot, clock }: Pick<Edge, 'metrics' | 'snapshot' | 'clock'>,
  targetsMax = Number.POSITIVE_INFINITY,
): Pulled<readonly UpstreamView[]> {
  return mapped(firstUpstreams(snapshot.upstreams.values(), targetsMax), ([upstream, count]) => {
    const shares = upstream.shares();
    return {
      name: upstream.name,
      balance: balanceText(upstream.balance),
      handshakes: upstream.handshakes,
      queued: upstream.queue.size,
      discovery: discoveryView(upstream, clock.now()),
      targets: mapped(upstream.targets.slice(0, count), (target) => {
        const counted = metrics.target(upstream.name, target.name);
        return targetView(target, counted, shares.get(target) ?? 0, clock.now());
      }),
    };
  });
}

/** Upstreams until they have so many targets, and how many of each are among these. One without any counts as one. */
function firstUpstreams(upstreams: Iterable<Upstream>, targetsMax: number): (readonly [Upstream, number])[] {
  const found: (readonly [Upstream, number])[] = [];
  let left = targetsMax;
  for (const upstream of upstreams) {
    if (left <= 0) break;
    found.push([upstream, left]);
    left -= Math.max(1, upstream.targets.length);
  }
  return found;
}

function discoveryView({ discovery }: Upstream, now: number): DiscoveryView | null {
  if (discovery === null) return null;
  const { kind, targets, answeredAt, failing } = discovery;
  return {
    kind,
    targets,
    age_ms: answeredAt === null ? null : Math.round(now - answeredAt),
    failing_ms: failing === null ? null : Math.round(now - failing.since),
    error: failing === null ? null : failing.error,
  };
}

function targetView(target: Target, metrics: TargetMetrics, share: number, now: number): TargetView {
  let failed = 0;
  for (const [result, count] of metrics.dials.entries()) if (result !== 'ok') failed += count;
  const { state, why, stateMs, failingMs } = target.status(now);
  return {
    name: target.name,
    url: target.url,
    source: target.source,
    state,
    why,
    state_ms: stateMs,
    failing_ms: failingMs,
    weight: target.weight,
    share: Number(share.toFixed(4)),
    backup: target.isBackup,
    sessions: target.sessions,
    handshakes: target.handshakes,
    sessions_limit: Number.isFinite(target.sessionsMax) ? target.sessionsMax : null,
    sessions_total: target.sessionsTotal,
    dials_failed: failed,
    connect: latencyView(metrics.connectMicros),
    upgrade: latencyView(metrics.upgradeMicros),
    check: checkView(target, now),
    failures: target.watch?.failures ?? null,
    ejections: metrics.ejections,
  };
}

function checkView({ lastCheck }: Target, now: number): CheckView | null {
  if (lastCheck === null) return null;
  const { result, cause, at, ms } = lastCheck;
  return { result, cause, age_ms: Math.round(now - at), took_ms: Math.round(ms) };
}

/** Null before the first. */
function latencyView(micros: LogLinearHistogram): LatencyView | null {
  const { count, p50, p99 } = micros.summary();
  return count === 0 ? null : { count, p50_ms: p50 / 1000, p99_ms: p99 / 1000 };
}

function balanceText(balance: BalanceConfig): string {
  switch (balance.kind) {
    case 'hash':
      return `hash ${printHashKey(balance.key)}`;
    case 'sticky':
      return `sticky ${balance.cookie}`;
    default:
      return balance.kind;
  }
}
