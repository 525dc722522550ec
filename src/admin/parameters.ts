// The parameters of a request to the admin listener: what each may say, and what they come to. Pure.

import type { AdminError } from './answer.ts';
import type { AskedClose, RevokeAsk, SessionFilter, SessionQuery, SessionSort, SessionState } from './subject.ts';

/** By their names; each is one that the endpoint knows. */
export type Parameters = ReadonlyMap<string, string>;

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;
/** RFC 6455 5.5: 125 bytes of a control frame, less two for the code. */
const REASON_BYTES_MAX = 123;

/** Null for a parameter that is unknown, empty or there twice: a mistyped filter must not close everything. */
export function readParameters(known: readonly string[], query: string): Parameters | null {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name) || parameters.has(name) || value === '') return null;
    parameters.set(name, value);
  }
  return parameters;
}

export function readQuery(parameters: Parameters): SessionQuery | null {
  const state = parameters.get('state');
  const limit = parameters.get('limit') ?? String(LIMIT_DEFAULT);
  const after = parameters.get('after');
  const sort = parameters.get('sort');
  if (sort !== undefined && !isSessionSort(sort)) return null;
  // In such an order a page does not go on from an id alone.
  if (sort !== undefined && after !== undefined && !/^-?[0-9]{1,16}\/./.test(after)) return null;
  if (state !== undefined && !isSessionState(state)) return null;
  if (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX) return null;
  return {
    ...filterOf(parameters),
    ...(state === undefined ? {} : { state }),
    ...(sort === undefined ? {} : { sort }),
    ...(after === undefined ? {} : { after }),
    limit: Number(limit),
  };
}

function isSessionState(text: string): text is SessionState {
  return text === 'open' || text === 'paused' || text === 'closing';
}

function isSessionSort(text: string): text is SessionSort {
  return /^(?:messages|bytes|buffered|rtt|silent|age)$/.test(text);
}

export function filterOf(parameters: Parameters): SessionFilter {
  const filter: Record<string, string> = {};
  for (const name of ['route', 'client', 'target', 'identity']) {
    const value = parameters.get(name);
    if (value !== undefined) filter[name] = value;
  }
  return filter;
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** Ten years. */
const FOR_MAX_MS = 3_650 * UNITS.d;

/** Exactly one of what may be named. */
export function readRevoke(parameters: Parameters): RevokeAsk | AdminError {
  const auth = parameters.get('auth');
  const [named, ...others] = (['identity', 'key', 'jti', 'all'] as const).filter((kind) => parameters.has(kind));
  if (auth === undefined || named === undefined || others.length > 0) return 'no_subject';
  const value = parameters.get(named) ?? '';
  const time = parameters.get('for');
  const forMs = time === undefined ? null : msOf(time);
  if (named === 'all' && value !== '1') return 'no_subject';
  if (Number.isNaN(forMs)) return 'bad_for';
  return { auth, kind: named, value: named === 'all' ? '' : value, forMs };
}

function msOf(text: string): number {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,8})([smhd])$/.exec(text) ?? [];
  const ms = Number(count || Number.NaN) * UNITS[unit as keyof typeof UNITS];
  return ms <= FOR_MAX_MS ? ms : Number.NaN;
}

/** In milliseconds; null when it is none. */
export function readUntil(parameters: Parameters): number | null {
  const seconds = parameters.get('until') ?? '';
  return /^[1-9][0-9]{0,10}$/.test(seconds) ? Number(seconds) * 1000 : null;
}

/** What is left out is as `close_codes.admin` has it. */
export function readClose(parameters: Parameters): AskedClose | AdminError {
  const code = parameters.get('code');
  if (code !== undefined && !(/^[0-9]{4}$/.test(code) && isCodeToSend(Number(code)))) return 'bad_code';
  const reason = parameters.get('reason');
  if (reason !== undefined && !isReason(reason)) return 'bad_reason';
  return { ...(code === undefined ? {} : { code: Number(code) }), ...(reason === undefined ? {} : { text: reason }) };
}

function isReason(text: string): boolean {
  const isPlain = Array.from(text).every((character) => !isControl(character.codePointAt(0) ?? 0));
  return isPlain && Buffer.byteLength(text) <= REASON_BYTES_MAX;
}

/** Codes that an operator can truthfully send; the others blame the client for its bytes, or never go on the wire. */
function isCodeToSend(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code === 1000 || code === 1001 || code === 1008 || (code >= 1011 && code <= 1014);
}

function isControl(codePoint: number): boolean {
  return codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0);
}
