// Owns the keys that several kinds of methods of `auth` have: where a credential stands, what it binds, and quotas.

import { KIB, MIB, RATE, SESSIONS_MAX } from './bounds.ts';
import type { Keys } from './row.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const DAY = 24 * 60 * MINUTE;

export const FROM = {
  kind: 'list',
  of: { kind: 'text', form: 'carrier' },
  least: 'needs at least one place',
  values: 'list of header:NAME, query:NAME, cookie:NAME, subprotocol:NAME, subprotocol_prefix:TEXT',
  says: 'Where clients bring it.',
  more:
    'header:Authorization takes "Bearer X" and "X"; subprotocol:NAME is the entry after NAME, ' +
    'subprotocol_prefix:TEXT the rest of the entry that begins so.',
} as const;

export const DECODE = {
  kind: 'choice',
  words: ['base64url'],
  off: true,
  default: 'off',
  says: 'Whether clients encode it in subprotocol_prefix entries.',
} as const;

/** Of every method: how long its sessions live, and what of it goes on to backends. */
export const common = {
  bind: {
    kind: 'switch',
    default: 'on',
    serves: 'sockets',
    says: 'A session ends when its credential does; off: it outlives it.',
  },
  grace: { kind: 'duration', min: 0, max: DAY, default: '0s', serves: 'sockets', says: 'How much later it ends.' },
  strip: {
    kind: 'switch',
    default: 'on',
    says: 'The places that this method reads do not reach the backend, whichever method of the route decided.',
    more: 'off: what it has checked goes on as it came.',
  },
} as const satisfies Keys;

const handshakes = {
  count: { kind: 'count', min: 1, max: 1_000_000_000, standIn: 1, example: '10000', says: 'So many handshakes.' },
  every: {
    kind: 'duration',
    min: SECOND,
    max: 366 * DAY,
    standIn: '24h',
    example: '24h',
    says: 'In this time, from the first that is counted.',
  },
} as const satisfies Keys;

const quotaFromClient = {
  messages_per_second: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    says: 'Messages per second of each session; the stricter of this and the limits of the route holds.',
  },
  bytes_per_second: { kind: 'size', min: 1, max: 1024 * MIB * KIB, off: true, default: 'off', says: 'Bytes likewise.' },
} as const satisfies Keys;

const quota = {
  max_sessions: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 'off',
    says: 'Sessions at a time; over it 429 too_many_sessions_per_identity.',
  },
  handshakes_per_second: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    says: 'Handshakes per second, twice as many at once; over it 429 too_many_handshakes_per_identity.',
  },
  handshakes: {
    kind: 'block',
    unset: 'no such quota',
    says: 'Handshakes in a longer time; over it 429 quota_used.',
    keys: handshakes,
  },
  from_client: { kind: 'block', default: {}, says: 'Rates of each of its sessions.', keys: quotaFromClient },
} as const satisfies Keys;

export const QUOTA = {
  kind: 'block',
  default: {},
  serves: 'sockets',
  says: 'What all its sessions and handshakes together may use.',
  keys: quota,
} as const;

export const NAME = {
  kind: 'text',
  form: 'identity',
  values: 'name',
  standIn: '-',
  says: 'Who it is, in logs and quotas.',
} as const;
