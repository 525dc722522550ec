// Owns the pictures of upstreams and their targets, in two tables: where sessions go, and how targets fare. Pure.

import type { DiscoveryView, LatencyView, TargetView, UpstreamView } from '../admin/subject.ts';
import { durationText, groupedText } from '../observe/quantities.ts';
import { type Column, harmless, left, limitText, right, section, table } from './table.ts';

const NONE = '-';

/** A target, and the upstream that it belongs to. */
type TargetRow = TargetView & { readonly upstream: string };

const nameColumn: Column<TargetView> = { ...left('TARGET', ({ name }: TargetView) => name), gives: true };

const loadColumns: readonly Column<TargetView>[] = [
  nameColumn,
  left('STATE', ({ state }) => state),
  right('SINCE', sinceText),
  left('WHY', ({ why }) => why ?? NONE),
  right('SESSIONS', ({ sessions }) => groupedText(sessions)),
  right('LIMIT', ({ sessions_limit }) => limitText(sessions_limit)),
  right('HANDSHAKES', ({ handshakes }) => groupedText(handshakes)),
  right('WEIGHT', ({ weight, backup }) => `${weight}${backup ? ' backup' : ''}`),
  right('SHARE', shareText),
  right('TOTAL', ({ sessions_total }) => groupedText(sessions_total)),
  left('SOURCE', ({ source }) => source),
];

const healthColumns: readonly Column<TargetView>[] = [
  nameColumn,
  right('CONNECT P50', ({ connect }) => latencyText(connect, 'p50_ms')),
  right('P99', ({ connect }) => latencyText(connect, 'p99_ms')),
  right('UPGRADE P50', ({ upgrade }) => latencyText(upgrade, 'p50_ms')),
  right('P99', ({ upgrade }) => latencyText(upgrade, 'p99_ms')),
  left('LAST CHECK', checkText),
  right('DIALS FAILED', ({ dials_failed }) => groupedText(dials_failed)),
  right('FAILURES', ({ failures }) => (failures === null ? NONE : groupedText(failures))),
  right('EJECTIONS', ({ ejections }) => groupedText(ejections)),
];

const upstreamColumn: Column<TargetRow> = { ...left('UPSTREAM', ({ upstream }: TargetRow) => upstream), gives: true };

/** Of all upstreams, for `status`. */
export function targetSections(upstreams: readonly UpstreamView[], width: number): string[] {
  const rows = upstreams.flatMap(({ name, targets }) => targets.map((target) => ({ ...target, upstream: name })));
  const sections = [loadColumns, healthColumns].map((columns) => section([upstreamColumn, ...columns], rows, width));
  return sections.flat();
}

/** All that is known of them. */
export function renderUpstreams(upstreams: readonly UpstreamView[], width: number): string {
  const blocks = upstreams.map(({ targets, ...upstream }) => {
    const isUp = ({ why }: TargetView) => why === null;
    const facts = [
      `${upstream.name}  ${upstream.balance}`,
      `${targets.filter(isUp).length} of ${targets.length} targets up`,
      `handshakes ${groupedText(upstream.handshakes)}, ${groupedText(upstream.queued)} queued`,
    ];
    const tables =
      targets.length === 0 ? [] : [table(loadColumns, targets, width), table(healthColumns, targets, width)];
    const lines = [harmless(facts.join('; ')), ...discoveryLines(upstream.discovery)];
    return [lines, ...tables].map((one) => one.join('\n')).join('\n\n');
  });
  return `${blocks.join('\n\n\n')}\n`;
}

function discoveryLines(discovery: DiscoveryView | null): string[] {
  if (discovery === null) return [];
  const { kind, targets, age_ms, failing_ms, error } = discovery;
  const found = age_ms === null ? 'no good answer yet' : `last good answer ${durationText(age_ms)} ago`;
  const failing = failing_ms === null ? '' : `; FAILING for ${durationText(failing_ms)}: ${error}`;
  return [harmless(`found by ${kind}: ${groupedText(targets)} targets, ${found}${failing}`)];
}

function sinceText({ state, state_ms, failing_ms }: TargetView): string {
  const ms = state === 'failing' ? failing_ms : state_ms;
  return ms === null ? NONE : durationText(ms);
}

/** What failed is a slug, such as backend_unreachable; more of it is in the JSON, but for a status, which has none. */
function checkText({ check }: TargetView): string {
  if (check === null) return NONE;
  const { result, cause, age_ms } = check;
  return `${result === 'status' ? `status ${cause},` : result} ${durationText(age_ms)} ago`;
}

function shareText({ share }: TargetView): string {
  return `${Math.round(share * 100)} %`;
}

function latencyText(latency: LatencyView | null, key: 'p50_ms' | 'p99_ms'): string {
  return latency === null ? NONE : durationText(latency[key]);
}
