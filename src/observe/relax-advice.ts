// What came of the checks that a route or its upstream switches off: how often each was needed, as facts and as text.
// A check that nobody needs is better switched on again.

import { groupedText } from './quantities.ts';

export interface RelaxedUse {
  readonly check: string;
  /** The config key that switches it off. */
  readonly key: string;
  /** Handshakes since the start that it would have refused. */
  readonly used: number;
}

interface RelaxSettings {
  readonly route: readonly string[];
  readonly upstream: readonly string[];
  readonly upstreamName: string;
}

export function relaxedUses(settings: RelaxSettings, used: (check: string) => number): RelaxedUse[] {
  const of = (checks: readonly string[], key: string) => checks.map((check) => ({ check, key, used: used(check) }));
  return [
    ...of(settings.route, 'routes[].relax'),
    ...of(settings.upstream, `upstreams.${settings.upstreamName}.relax`),
  ];
}

/** A head line and one for each check; nothing where none is switched off. */
export function relaxedLines(uses: readonly RelaxedUse[]): string[] {
  if (uses.length === 0) return [];
  const lines = uses.map(({ check, key, used }) => {
    const times = used === 1 ? 'once' : `${groupedText(used)} times`;
    return used === 0
      ? `    ${check}: not needed so far; take it out of ${key}`
      : `    ${check}: would have refused ${times}; ${key} lets it pass`;
  });
  return ['', '  checks that are switched off', ...lines];
}
