// How a request's path stands in the log: tokens travel in paths and queries, so the config says how much is shown.
// And how whatever may hold user information does: without it.

import type { LogConfig } from '../config/types.ts';

interface PathToLog {
  readonly path: string;
  /** '' or from the question mark on. */
  readonly query: string;
  /** The pattern of the route, once one is known. */
  readonly pattern: string | null;
  readonly log: LogConfig;
}

/** Longer values of host, path, origin and user_agent are cut. */
const FIELD_BYTES_MAX = 256;

/** The path of a request for a line of the log. */
export function shownPath(options: PathToLog): string {
  return cutToLog(loggedPath({ ...options, path: withoutUserinfo(options.path) }));
}

/** Heads are latin1, so a character is a byte. */
export function cutToLog(text: string): string {
  return text.length <= FIELD_BYTES_MAX ? text : text.slice(0, FIELD_BYTES_MAX);
}

/** The path as `log.path` and `log.query` allow it: never a value of the query, whatever they say. */
function loggedPath(options: PathToLog): string {
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

/**
 * Without what may be a password (RFC 3986 3.2.1): all up to the last @ behind the scheme. A Host or a target with one
 * is refused, and its line would tell it. In a path, which begins with a single slash, @ is a byte like any other.
 */
export function withoutUserinfo(text: string): string {
  const at = text.lastIndexOf('@');
  if (at < 0 || /^\/(?!\/)/.test(text)) return text;
  const slashesAt = text.indexOf('//');
  const start = slashesAt < 0 || slashesAt > at ? 0 : slashesAt + 2;
  return `${text.slice(0, start)}***${text.slice(at)}`;
}
