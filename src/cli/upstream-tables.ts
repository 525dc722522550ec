// Owns the pictures of upstreams and their targets, in two tables: where sessions go, and how targets fare. Pure.

import type { DiscoveryView, LatencyView, TargetView, UpstreamView } from '../admin/subject.ts';
import { durationText, groupedText } from '../observe/quantities.ts';
import { type Block, tableBlocks } from './layout.ts';
import { flow, type Line, line, piece, type Tone } from './line.ts';
import { type Rates, rateText, targetKey } from './rates.ts';
import { type Column, left, limitText, NONE, right } from './table.ts';

/** A target, and the upstream that it belongs to. */
type TargetRow = TargetView & { readonly upstream: string };

const nameColumn: Column<TargetRow> = left('TARGET', ({ name }) => name, { gives: 8 });
const upstreamColumn: Column<TargetRow> = left('UPSTREAM', ({ upstream }) => upstream, { gives: 8 });

/** `rates`: by `targetKey`; null when nobody measures. */
function loadColumns(rates: Rates | null): readonly Column<TargetRow>[] {
  const newText = ({ upstream, name }: TargetRow) => rateText(rates?.get(targetKey(upstream, name))?.sessions);
  return [
    nameColumn,
    left('STATE', ({ state }) => state, { tone: stateTone }),
    right('SINCE', sinceText, { rank: 3 }),
    left('WHY', ({ why }) => why ?? NONE, { rank: 2 }),
    right('SESSIONS', ({ sessions }) => groupedText(sessions)),
    right('LIMIT', ({ sessions_limit }) => limitText(sessions_limit), { rank: 6 }),
    ...(rates === null ? [] : [right<TargetRow>('NEW/S', newText)]),
    right('HANDSHAKES', ({ handshakes }) => groupedText(handshakes), { rank: 5 }),
    right('WEIGHT', ({ weight, backup }) => `${weight}${backup ? ' backup' : ''}`, { rank: 7 }),
    right('SHARE', shareText, { rank: 1 }),
    right('TOTAL', ({ sessions_total }) => groupedText(sessions_total), { rank: 4 }),
    left('SOURCE', ({ source }) => source, { rank: 8 }),
  ];
}

const healthColumns: readonly Column<TargetRow>[] = [
  nameColumn,
  right('CONNECT P50', ({ connect }) => latencyText(connect, 'p50_ms'), { rank: 5 }),
  right('P99', ({ connect }) => latencyText(connect, 'p99_ms'), { rank: 5 }),
  right('UPGRADE P50', ({ upgrade }) => latencyText(upgrade, 'p50_ms'), { rank: 4 }),
  right('P99', ({ upgrade }) => latencyText(upgrade, 'p99_ms'), { rank: 4 }),
  left('LAST CHECK', checkText, { rank: 1 }),
  right('DIALS FAILED', ({ dials_failed }) => groupedText(dials_failed)),
  right('FAILURES', ({ failures }) => (failures === null ? NONE : groupedText(failures)), { rank: 2 }),
  right('EJECTIONS', ({ ejections }) => groupedText(ejections), { rank: 3 }),
];

/** Of all upstreams, for `status`. */
export function targetBlocks(upstreams: readonly UpstreamView[], rates: Rates | null, width: number): Block[] {
  const rows = upstreams.flatMap(rowsOf);
  return [loadColumns(rates), healthColumns].flatMap((columns) =>
    tableBlocks([upstreamColumn, ...columns], rows, width),
  );
}

/** All that is known of them. */
export function upstreamBlocks(upstreams: readonly UpstreamView[], rates: Rates | null, width: number): Block[] {
  return upstreams.flatMap((upstream): Block[] => {
    const { targets } = upstream;
    const up = targets.filter(({ why }) => why === null).length;
    const facts = [
      line(piece(upstream.name, 'strong'), `  ${upstream.balance}`),
      line(piece(`${up} of ${targets.length} targets up`, up < targets.length ? 'warn' : null)),
      line(`handshakes ${groupedText(upstream.handshakes)}, ${groupedText(upstream.queued)} queued`),
    ];
    const rows = rowsOf(upstream);
    return [
      { head: [...flow(facts, width), ...discoveryLines(upstream.discovery, width)], rows: [] },
      ...tableBlocks(loadColumns(rates), rows, width),
      ...tableBlocks(healthColumns, rows, width),
    ];
  });
}

function rowsOf({ name: upstream, targets }: UpstreamView): TargetRow[] {
  return targets.map((target) => ({ ...target, upstream }));
}

function stateTone({ state }: TargetView): Tone {
  if (state === 'up') return 'good';
  return state === 'draining' || state === 'gone' ? 'warn' : 'bad';
}

function discoveryLines(discovery: DiscoveryView | null, width: number): Line[] {
  if (discovery === null) return [];
  const { kind, targets, age_ms, failing_ms, error } = discovery;
  const found = age_ms === null ? 'no good answer yet' : `last good answer ${durationText(age_ms)} ago`;
  const facts = [line(`found by ${kind}: ${groupedText(targets)} targets, ${found}`)];
  if (failing_ms !== null) facts.push(line(piece(`FAILING for ${durationText(failing_ms)}`, 'bad'), `: ${error}`));
  return flow(facts, width);
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
