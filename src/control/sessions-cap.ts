// How many sessions there may be: what the config says, as far as the open-file limit allows. With more sessions than
// descriptors libuv would drop clients that the kernel accepted, without a word.

import { wasGiven } from '../config/origin.ts';
import type { Config } from '../config/types.ts';
import { PROBES_MAX } from '../edge/overflow.ts';
import { openFilesNeededFor, sessionsMaxFor } from '../net/open-files.ts';
import { IDLE_MAX, IDLE_OF_SERVICE_MAX } from '../services/idle-connections.ts';
import { CHECKS_MAX } from '../upstream/health/check-turns.ts';

export interface SessionsCap {
  readonly sessionsMax: number;
  /** Why it is less than the config says; null when it is not. */
  readonly lowered: string | null;
  /** True when the config asks for a number that cannot be had, or nobody could be let in. */
  readonly isRefused: boolean;
}

export function sessionsCap(config: Config, openFiles: number): SessionsCap {
  const wanted = config.limits.max_sessions;
  // Probes get in when every place is taken.
  const probes = config.listeners.some((listener) => listener.health_path !== null) ? PROBES_MAX : 0;
  const besides = probes + checksAtOnce(config) + idleOfServices(config);
  const sessionsMax = Math.min(wanted, sessionsMaxFor(openFiles, besides));
  if (wanted <= sessionsMax) return { sessionsMax, lowered: null, isRefused: false };
  // `off` asks for no number, so it gets what there is.
  if (!Number.isFinite(wanted)) {
    const lowered = `limits.max_sessions off: as many as the open-file limit of ${openFiles} allows`;
    return { sessionsMax, lowered, isRefused: sessionsMax === 0 };
  }
  const needed = openFilesNeededFor(wanted, besides);
  const lowered = `limits.max_sessions ${wanted} needs an open-file limit of ${needed}, it is ${openFiles}`;
  return { sessionsMax, lowered, isRefused: sessionsMax === 0 || wasGiven(config, 'limits.max_sessions') };
}

/** Each has one connection for its checks at most; how many targets discovery finds is not known before. */
function checksAtOnce({ upstreams }: Config): number {
  const checked = Object.values(upstreams).filter(({ health }) => health.active !== 'off');
  if (checked.some(({ discover }) => discover !== null)) return CHECKS_MAX;
  const targets = checked.reduce((sum, one) => sum + one.targets.length, 0);
  return Math.min(CHECKS_MAX, targets);
}

/** What is left open for the next question about a credential. */
function idleOfServices({ auth }: Config): number {
  const asking = Object.values(auth).filter(({ kind }) => kind === 'introspection' || kind === 'forward');
  return Math.min(IDLE_MAX, asking.length * IDLE_OF_SERVICE_MAX);
}
