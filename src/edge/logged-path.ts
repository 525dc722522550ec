// How a request's path stands in the log: tokens travel in paths and queries, so the config says how much is shown.

import type { LogConfig } from '../config/schema.ts';

export interface PathToLog {
  readonly path: string;
  /** '' or from the question mark on. */
  readonly query: string;
  /** The pattern of the route, once one is known. */
  readonly pattern: string | null;
  readonly log: LogConfig;
}

/** The path as `log.path` and `log.query` allow it: never a value of the query, whatever they say. */
export function loggedPath(options: PathToLog): string {
  const { path, query, pattern, log } = options;
  if (log.path === 'route') return pattern ?? '-';
  if (log.query === 'off' || query === '') return path;
  const names = query
    .slice(1)
    .split('&')
    .map((pair) => {
      const equalsAt = pair.indexOf('=');
      return equalsAt < 0 ? '***' : `${pair.slice(0, equalsAt)}=***`;
    });
  return `${path}?${names.join('&')}`;
}
