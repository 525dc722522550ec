// What the commands say that ask a running proxy: their options and words, judged. What a proxy would refuse anyway is
// left to it.

import type { SessionSort } from '../admin/subject.ts';
import { DURATION_MAX, parseDuration } from '../config/units.ts';
import { unreachable } from '../unreachable.ts';
import type { AdminCommand, AdminPlace, DrainSubject, SessionChoice } from './commands.ts';
import { fileSource, type Values } from './options.ts';

type AdminName = AdminCommand['kind'];

const LIMIT_MAX = 1000;

/** `rest`: the words of the command. Or what is wrong with them. */
export function judgeAdminCommand(name: AdminName, values: Values, rest: readonly string[]): AdminCommand | string {
  const at: AdminPlace = { address: values.get('admin') ?? null, source: fileSource(values) };
  const format = values.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return `--format is text or json, not "${format}"`;
  const watch = values.has('watch');
  if (watch && format === 'json') return '--watch and --format json exclude each other';
  const route = values.get('route') ?? null;
  switch (name) {
    case 'status':
      return { kind: name, at, format, watch };
    case 'upstreams':
      return { kind: name, at, name: rest[0] ?? null, format, watch };
    case 'sessions':
      return judgeSessions(at, values, rest[0] ?? null);
    case 'top':
      return judgeTop(at, values);
    case 'why': {
      const [id] = rest;
      return id === undefined ? '"why" needs a session id' : { kind: name, at, id, format };
    }
    case 'close':
      return judgeClose(at, values, rest[0] ?? null);
    case 'drain':
      return judgeDrain(at, values, rest);
    case 'undrain': {
      const subject = readSubject(name, rest);
      if (typeof subject === 'string') return subject;
      return subject === null ? `"undrain" needs ${SUBJECTS}` : { kind: name, at, subject };
    }
    case 'reload':
      return { kind: name, at, force: values.has('force'), format };
    case 'restart':
      return { kind: name, at, format };
    case 'revoke':
      return judgeRevoke(at, values);
    case 'extend':
      return judgeExtend(at, values, rest[0] ?? null);
    case 'advise':
      return { kind: name, at, route, format };
    case 'healthcheck':
      return { kind: name, at, route };
    default:
      return unreachable(name);
  }
}

function judgeSessions(at: AdminPlace, values: Values, id: string | null): AdminCommand | string {
  const format = values.get('format') === 'json' ? 'json' : 'text';
  const watch = values.has('watch');
  const listing = ['route', 'client', 'target', 'identity', 'state', 'sort', 'limit', 'after'] as const;
  const filter = listing.find((one) => values.has(one));
  if (id !== null && filter !== undefined) return `a session id and --${filter} exclude each other`;
  const limit = values.get('limit') ?? null;
  if (limit !== null && (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX)) {
    return `--limit is a number from 1 to ${LIMIT_MAX}, not "${limit}"`;
  }
  const picked = judgeOrder(values);
  if (typeof picked === 'string') return picked;
  const after = values.get('after') ?? null;
  const size = limit === null ? null : Number(limit);
  return { kind: 'sessions', at, id, choice: choiceOf(values), ...picked, limit: size, after, format, watch };
}

function judgeTop(at: AdminPlace, values: Values): AdminCommand | string {
  const picked = judgeOrder(values);
  if (typeof picked === 'string') return picked;
  return { kind: 'top', at, choice: choiceOf(values), state: picked.state, sort: picked.sort ?? 'messages' };
}

const SORTS: readonly string[] = ['messages', 'bytes', 'buffered', 'rtt', 'silent', 'age'] satisfies SessionSort[];

function isSort(text: string): text is SessionSort {
  return SORTS.includes(text);
}

function judgeOrder(values: Values): { readonly state: string | null; readonly sort: SessionSort | null } | string {
  const state = values.get('state') ?? null;
  if (state !== null && !/^(open|paused|closing)$/.test(state)) {
    return `--state is open, paused or closing, not "${state}"`;
  }
  const sort = values.get('sort') ?? null;
  if (sort === null || isSort(sort)) return { state, sort };
  return `--sort is one of ${SORTS.join(', ')}, not "${sort}"`;
}

function judgeClose(at: AdminPlace, values: Values, id: string | null): AdminCommand | string {
  const choice = choiceOf(values);
  const isFiltered = Object.values(choice).some((one) => one !== null);
  if (id === null && !isFiltered) return '"close" needs a session id, or --route, --client, --target or --identity';
  if (id !== null && isFiltered) return 'a session id excludes --route, --client, --target and --identity';
  return { kind: 'close', at, id, choice, code: values.get('code') ?? null, reason: values.get('reason') ?? null };
}

function judgeDrain(at: AdminPlace, values: Values, rest: readonly string[]): AdminCommand | string {
  const subject = readSubject('drain', rest);
  if (typeof subject === 'string') return subject;
  const timeout = values.get('timeout');
  if (!values.has('wait')) {
    return timeout === undefined ? { kind: 'drain', at, subject, wait: null } : '--timeout goes with --wait';
  }
  if (subject === null) return `--wait goes with ${SUBJECTS}`;
  if (timeout === undefined) return { kind: 'drain', at, subject, wait: { timeoutMs: Number.POSITIVE_INFINITY } };
  const parsed = parseDuration(timeout, { min: 0, max: DURATION_MAX, off: false });
  if ('problem' in parsed) return `--timeout: ${parsed.problem}`;
  return { kind: 'drain', at, subject, wait: { timeoutMs: parsed.value } };
}

function judgeRevoke(at: AdminPlace, values: Values): AdminCommand | string {
  const auth = values.get('auth');
  if (auth === undefined) return '"revoke" needs --auth';
  const [kind, ...others] = (['identity', 'key', 'jti', 'all'] as const).filter((one) => values.has(one));
  if (kind === undefined || others.length > 0) return '"revoke" needs one of --identity, --key, --jti and --all';
  const value = kind === 'all' ? '1' : (values.get(kind) ?? '');
  return { kind: 'revoke', at, choice: { auth, kind, value }, time: values.get('for') ?? null };
}

function judgeExtend(at: AdminPlace, values: Values, id: string | null): AdminCommand | string {
  const text = values.get('until');
  if (id === null || text === undefined) return '"extend" needs a session id and --until';
  const until = /^[0-9]{1,11}$/.test(text) ? Number(text) : secondsOf(text);
  if (until === null) return `--until is seconds since 1970, or a time such as 2027-01-31T00:00:00Z, not "${text}"`;
  return { kind: 'extend', at, id, until };
}

/** RFC 3339. */
function secondsOf(text: string): number | null {
  const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;
  const ms = form.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}

function choiceOf(values: Values): SessionChoice {
  return {
    route: values.get('route') ?? null,
    client: values.get('client') ?? null,
    target: values.get('target') ?? null,
    identity: values.get('identity') ?? null,
  };
}

const SUBJECTS = '"route NAME" or "target UPSTREAM NAME"';

/** Null when there are no words: the process itself. */
function readSubject(name: AdminName, rest: readonly string[]): DrainSubject | null | string {
  const [what, first, second] = rest;
  if (what === undefined) return null;
  if (what === 'route' && first !== undefined && second === undefined) return { kind: 'route', route: first };
  if (what === 'target' && first !== undefined && second !== undefined) {
    return { kind: 'target', upstream: first, target: second };
  }
  return `"${name}" takes ${SUBJECTS}${what === 'route' || what === 'target' ? '' : `, not "${what}"`}`;
}
