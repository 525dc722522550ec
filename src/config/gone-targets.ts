// Owns what holds of targets that discovery has no longer, where the config does not say it.

import type { ParsedConfig } from './types.ts';

type ParsedUpstream = ParsedConfig['upstreams'][string];

/** Of targets that were looked up: an answer may leave some out. */
const HOLD_MS = 60_000;

/** By where they were found; milliseconds. */
export function goneRules({ discover }: Pick<ParsedUpstream, 'discover'>): { on_gone: 'drain' | 'keep'; hold: number } {
  return {
    on_gone: discover?.dns === undefined ? 'drain' : 'keep',
    hold: discover?.file === undefined ? HOLD_MS : 0,
  };
}
