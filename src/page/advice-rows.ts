// What `framegate advise` says, as rows of a table: limits that are tight or loose, caps that were come near to,
// checks that nobody needs any more. What fits is not repeated. Pure.

import type { Advice, LimitAdvice } from '../admin/page-types.ts';
import { durationText, groupedText, NONE, percentText, sizeText } from './format.ts';

type Unit = LimitAdvice['unit'];

/** One thing worth a look. */
export interface AdviceRow {
  readonly verdict: 'tight' | 'loose';
  readonly route: string;
  readonly key: string;
  readonly value: string;
  readonly seen: string;
  readonly suggested: string;
}

/** The tight ones first. */
export function adviceRows({ caps, routes }: Advice): AdviceRow[] {
  const rows: AdviceRow[] = caps
    .filter(({ verdict }) => verdict === 'tight')
    .map(({ key, unit, value, peak, refused, suggested, provisional }) => ({
      verdict: 'tight',
      route: 'all',
      key,
      value: amountText(unit, value),
      // How near a rate was come to nobody counts.
      seen: `${peak === null ? '' : `at most ${amountText(unit, peak)} at a time, `}${groupedText(refused)} refused`,
      suggested: suggestion(unit, suggested, provisional),
    }));
  for (const { route, from_client: client, from_backend: backend, timeouts, http, credentials, relaxed } of routes) {
    for (const limit of [...client.limits, ...backend.limits, ...timeouts, ...(http?.limits ?? [])]) {
      if (limit.verdict === 'tight' || limit.verdict === 'loose') rows.push(limitRow(route, limit, limit.verdict));
    }
    if (credentials.verdict === 'tight') {
      const { expired_early: early, ended } = credentials;
      const seen = `${groupedText(early)} of ${groupedText(ended)} sessions ended with it within 15 minutes`;
      rows.push({ verdict: 'tight', route, key: 'auth', value: NONE, seen, suggested: 'bind: off, or grace' });
    }
    for (const { check, key, used } of relaxed) {
      if (used === 0)
        rows.push({
          verdict: 'loose',
          route,
          key: `${key}: ${check}`,
          value: 'relaxed',
          seen: 'nobody needed it',
          suggested: 'take it out',
        });
    }
  }
  return rows.sort((a, b) => Number(a.verdict === 'loose') - Number(b.verdict === 'loose'));
}

function limitRow(route: string, limit: LimitAdvice, verdict: AdviceRow['verdict']): AdviceRow {
  const { key, unit, value, of, seen, refused, hits, largest, suggested, provisional } = limit;
  const above = seen > 0 && refused > 0 ? `, ${percentText(refused / seen)} of them above it` : '';
  const hit = hits > 0 ? `, hit ${hits === 1 ? 'once' : `${groupedText(hits)} times`}` : '';
  return {
    verdict,
    route,
    key,
    value: amountText(unit, value),
    seen: `largest of ${groupedText(seen)} ${of} ${amountText(unit, largest)}${above}${hit}`,
    suggested: suggestion(unit, suggested, provisional),
  };
}

function suggestion(unit: Unit, value: number | null, isProvisional: boolean): string {
  if (value === null) return NONE;
  return `${amountText(unit, value)}${isProvisional ? ', of less than a day' : ''}`;
}

function amountText(unit: Unit, value: number | null): string {
  if (value === null) return 'off';
  if (unit === 'bytes') return sizeText(value);
  return unit === 'ms' ? durationText(value) : groupedText(value);
}
