// Owns the keys of the methods of `auth` whose credentials stand in the config: keys, passwords, secrets, certificates.

import { common, DECODE, FROM, MINUTE, NAME, QUOTA, SECOND } from './auth-common.ts';
import type { Keys } from './row.ts';

const apiKeyEntry = {
  name: { ...NAME, example: 'acme' },
  sha256: {
    kind: 'text',
    form: 'sha256',
    values: '64 hex digits',
    standIn: '0'.repeat(64),
    example: '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b',
    says: 'SHA-256 of the key; hash-key prints it.',
  },
  expires: {
    kind: 'text',
    form: 'time',
    values: 'time such as 2027-01-31T00:00:00Z',
    unset: 'never',
    example: '2027-01-31T00:00:00Z',
    says: 'From when on it is worth nothing.',
  },
  routes: {
    kind: 'list',
    of: { kind: 'text', form: 'plain' },
    least: 'needs at least one route',
    values: 'list of names',
    unset: 'all that take this method',
    example: '[echo]',
    says: 'Routes that it opens; on others 403 scope_missing.',
  },
  quota: QUOTA,
} as const satisfies Keys;

export const apiKey = {
  from: { ...FROM, default: ['header:X-API-Key'] },
  prefix: {
    kind: 'text',
    form: 'key_prefix',
    values: 'text',
    unset: 'nothing',
    example: 'fgk_',
    says: 'What keys begin with.',
  },
  decode: DECODE,
  keys: {
    kind: 'list',
    of: { kind: 'block', keys: apiKeyEntry },
    file: true,
    values: 'list, {file}',
    says: 'The keys that are good.',
  },
  ...common,
} as const satisfies Keys;

const user = {
  name: { ...NAME, form: 'user_name' },
  password: {
    kind: 'text',
    form: 'password_hash',
    standIn: `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    values: '$scrypt$...',
    says: 'As hash-password prints it: scrypt with ln 10 to 17, r 8, p 1 to 4.',
  },
  quota: QUOTA,
} as const satisfies Keys;

export const basic = {
  realm: {
    kind: 'text',
    form: 'realm',
    values: 'text',
    unset: 'framegate',
    example: 'staff',
    says: 'What browsers show.',
  },
  users: {
    kind: 'list',
    of: { kind: 'block', keys: user },
    file: true,
    values: 'list, {file}',
    says: 'Who may come in.',
  },
  ...common,
} as const satisfies Keys;

const hmacKey = {
  name: { ...NAME, says: 'Its keyId, and who it is in logs and quotas.' },
  secret: {
    kind: 'text',
    form: 'shared_secret',
    standIn: '-',
    values: '{file}, text',
    example: '{ file: k }',
    says: 'What is signed with.',
  },
  quota: QUOTA,
} as const satisfies Keys;

export const hmac = {
  keys: {
    kind: 'list',
    of: { kind: 'block', keys: hmacKey },
    least: 'needs at least one key',
    values: 'list',
    says: 'The keys that are good.',
  },
  algorithms: {
    kind: 'list',
    of: { kind: 'choice', words: ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] },
    least: 'needs at least one algorithm',
    values: 'list of hmac-sha256, hmac-sha384, hmac-sha512',
    default: ['hmac-sha256', 'hmac-sha512'],
    says: 'Algorithms that are taken.',
  },
  headers: {
    kind: 'list',
    of: { kind: 'text', form: 'signed_field' },
    least: 'needs at least one',
    values: 'list of fields',
    default: ['(request-target)', 'host', 'date'],
    says: 'What has to be signed at least; date or x-aux-date tells when.',
  },
  clock_skew: { kind: 'duration', min: SECOND, max: 60 * MINUTE, default: '30s', says: 'How far date may be off.' },
  replay: {
    kind: 'choice',
    words: ['allow', 'refuse'],
    default: 'allow',
    says: 'Whether a signature may come again within clock_skew; refuse needs x-nonce among headers.',
  },
  ...common,
} as const satisfies Keys;

export const certificate = {
  subject: {
    kind: 'choice',
    words: ['san_uri', 'san_dns', 'cn', 'sha256'],
    default: 'san_uri',
    says: 'What of a verified client certificate names the identity.',
  },
  allow: {
    kind: 'list',
    of: { kind: 'text', form: 'identity_pattern' },
    least: 'needs at least one name',
    values: 'list of names, "*.y" for all that end in .y',
    unset: 'every certificate that client_ca verifies',
    example: '[device-1, "*.devices.example.com"]',
    says: 'Identities that are let in; others: 403 scope_missing.',
  },
  ...common,
} as const satisfies Keys;
