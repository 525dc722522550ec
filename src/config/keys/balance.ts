// Owns the keys of how an upstream chooses a target for a session.

import type { Keys } from './row.ts';

const sticky = {
  cookie: {
    kind: 'text',
    form: 'cookie_name',
    values: 'cookie name',
    unset: '"fg-" and the name of the upstream',
    example: 'fg-chat',
    says: 'Cookie that names the target of a client, set on the 101, or a plain answer; backends do not see it.',
  },
  path: { kind: 'text', form: 'cookie_path', values: 'path', default: '/', says: 'Its Path.' },
  max_age: {
    kind: 'text',
    form: 'cookie_age',
    values: 'duration, session',
    default: 'session',
    says: 'Its Max-Age; session: until the browser ends.',
  },
  secure: {
    kind: 'choice',
    words: ['auto', 'on'],
    off: true,
    default: 'auto',
    says: 'Whether it is Secure; auto: when the client came by https.',
  },
  same_site: {
    kind: 'choice',
    words: ['lax', 'strict', 'none'],
    default: 'lax',
    says: 'Its SameSite; none is for pages of other sites, and needs Secure.',
  },
  secret: {
    kind: 'text',
    form: 'secret',
    values: 'text, off',
    default: 'off',
    says: 'Secret that signs it, better as {file: path}; a forged one counts as none.',
    without: 'a client chooses its target',
  },
} as const satisfies Keys;

/** Policies without settings: `upstream/balance` has a file and a row for each. */
export const PLAIN_BALANCES = ['least_sessions', 'round_robin', 'random_two', 'source_ip'] as const;

export const balance = {
  hash: {
    kind: 'text',
    form: 'hash_key',
    values: 'header:NAME, cookie:NAME, query:NAME, path, segment:N, identity, claim:NAME',
    unset: 'no hash',
    example: 'header:X-Room',
    says: 'Requests with the same value go to the same target.',
    more: 'identity and claim:NAME are of the credential that let the client in, where the route has auth.',
  },
  sticky: {
    kind: 'block',
    unset: 'no cookie',
    says: 'A client goes to the target that its cookie names.',
    keys: sticky,
  },
} as const satisfies Keys;
