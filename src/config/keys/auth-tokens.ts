// Owns the keys of the methods of `auth` whose credentials others issue: tokens, and whatever a service decides about.

import { common, DAY, DECODE, FROM, MINUTE, SECOND } from './auth-common.ts';
import { KIB, MIB } from './bounds.ts';
import type { Keys } from './row.ts';
import { tls } from './upstreams.ts';

const TLS = { kind: 'block', unset: "the system's authorities", keys: tls, says: 'As tls of an upstream.' } as const;
const INSECURE = {
  kind: 'truth',
  default: false,
  says: 'Whether it may be http:// to another machine.',
  without: 'nobody on the way can answer in its place',
} as const;
const SERVICE_TIMEOUT = { kind: 'duration', min: 10, max: 5 * MINUTE } as const;
const IN_FLIGHT = {
  kind: 'count',
  min: 1,
  max: 10_000,
  default: 64,
  says: 'Questions under way at a time, of one address a quarter at most; beyond them 503 auth_unavailable.',
} as const;
const RECHECK = {
  kind: 'duration',
  min: SECOND,
  max: DAY,
  off: true,
  default: 'off',
  serves: 'sockets',
  says: 'How often it is asked again about open sessions; a bad answer ends them, none keeps them.',
} as const;
const REQUIRED = {
  kind: 'named',
  by: 'claim',
  of: { kind: 'list', of: { kind: 'text', form: 'claim_value' }, least: 'needs at least one value', single: true },
  values: 'map of claims and values',
  default: {},
  says: 'Claims that have to hold that value, as a whole, a word or an item of a list; else 403 scope_missing.',
  more: "A key is a claim's exact name, else a dotted path.",
} as const;
const SUBJECT = {
  kind: 'text',
  form: 'claim_off',
  values: 'claim, off',
  default: 'sub',
  says: 'The claim that names the identity; absent, no string, empty or above 256 bytes: 401. off: there is none.',
} as const;

const jwks = {
  file: { kind: 'text', form: 'file', values: 'file', unset: 'no file', example: 'jwks.json', says: 'A JWK Set.' },
  url: {
    kind: 'text',
    form: 'service_url',
    values: 'https URL',
    unset: 'no url',
    example: 'https://as.example.com/jwks',
    says: 'Where it is fetched; http only to loopback, or with insecure.',
  },
  insecure: INSECURE,
  tls: TLS,
  refresh: { kind: 'duration', min: SECOND, max: DAY, default: '10m', says: 'Between two fetches.' },
  cooldown: {
    kind: 'duration',
    min: SECOND,
    max: 60 * MINUTE,
    default: '30s',
    says: 'After a fetch a token with an unknown key makes no other one for so long.',
  },
  timeout: { ...SERVICE_TIMEOUT, default: '5s', says: 'For one fetch.' },
  max_size: { kind: 'size', min: KIB, max: 16 * MIB, default: '512KiB', says: 'Of what is fetched.' },
} as const satisfies Keys;

export const jwt = {
  from: { ...FROM, default: ['header:Authorization'] },
  decode: DECODE,
  secret: {
    kind: 'text',
    form: 'shared_secret',
    values: '{file}, text',
    unset: 'no secret',
    example: '{ file: secret.txt }',
    says: 'Key of HS256, HS384 and HS512: 32 bytes or more.',
  },
  key: {
    kind: 'text',
    form: 'public_key',
    values: '{file}, PEM',
    unset: 'no key',
    example: '{ file: pub.pem }',
    says: 'A public key in PEM.',
  },
  jwks: { kind: 'block', unset: 'no JWK Set', says: 'Keys as a JWK Set: file or url.', keys: jwks },
  algorithms: {
    kind: 'list',
    of: {
      kind: 'choice',
      words: [
        'HS256',
        'HS384',
        'HS512',
        'RS256',
        'RS384',
        'RS512',
        'PS256',
        'PS384',
        'PS512',
        'ES256',
        'ES384',
        'ES512',
        'EdDSA',
        'Ed25519',
      ],
    },
    least: 'needs at least one algorithm',
    values: 'list of RS256, ES256, EdDSA, HS256, ...',
    says: 'Algorithms that are taken; what a token says counts only among them.',
  },
  issuer: {
    kind: 'text',
    form: 'claim_text',
    values: 'text',
    unset: 'not checked',
    example: 'https://as',
    says: 'The iss.',
  },
  audience: {
    kind: 'list',
    of: { kind: 'text', form: 'claim_text' },
    least: 'needs at least one audience',
    single: true,
    values: 'text, list of texts',
    unset: 'not checked',
    example: 'chat',
    says: 'One of them has to be in aud.',
  },
  typ: {
    kind: 'text',
    form: 'claim_text',
    values: 'text',
    unset: 'not checked',
    example: 'at+jwt',
    says: 'The typ of the header.',
  },
  required: REQUIRED,
  require_exp: { kind: 'switch', default: 'on', says: 'A token without exp is refused.' },
  leeway: {
    kind: 'duration',
    min: 0,
    max: MINUTE,
    default: '30s',
    says: 'For clocks that differ, at exp, nbf and iat.',
  },
  max_age: {
    kind: 'duration',
    min: SECOND,
    max: 366 * DAY,
    off: true,
    default: 'off',
    says: 'Of a token, since its iat.',
  },
  subject: SUBJECT,
  quota_claim: {
    kind: 'text',
    form: 'claim_off',
    values: 'claim, off',
    default: 'off',
    serves: 'sockets',
    says: 'The claim that holds a quota, in the form of quota of a key.',
  },
  ...common,
} as const satisfies Keys;

export const introspection = {
  url: {
    kind: 'text',
    form: 'service_url',
    standIn: 'https://localhost',
    values: 'https URL',
    example: 'https://as.example.com/introspect',
    says: 'RFC 7662; http only to loopback, or with insecure.',
  },
  insecure: INSECURE,
  client_id: {
    kind: 'text',
    form: 'claim_text',
    standIn: '-',
    values: 'text',
    example: 'framegate',
    says: 'How framegate signs in there.',
  },
  client_secret: {
    kind: 'text',
    form: 'shared_secret',
    standIn: '-',
    values: '{file}, text',
    example: '{ file: s }',
    says: 'With what.',
  },
  client_auth: {
    kind: 'choice',
    words: ['basic', 'post'],
    default: 'basic',
    says: 'How: in Authorization or in the body.',
  },
  from: { ...FROM, default: ['header:Authorization'] },
  decode: DECODE,
  cache: {
    kind: 'duration',
    min: 0,
    max: MINUTE,
    default: '30s',
    says: 'For how long a good answer counts, never beyond its exp.',
  },
  negative_cache: { kind: 'duration', min: 0, max: MINUTE, default: '5s', says: 'For how long a bad one does.' },
  timeout: { ...SERVICE_TIMEOUT, default: '3s', says: 'For one question.' },
  max_in_flight: IN_FLIGHT,
  recheck: RECHECK,
  required: REQUIRED,
  subject: SUBJECT,
  tls: TLS,
  ...common,
} as const satisfies Keys;

export const forward = {
  url: {
    kind: 'text',
    form: 'service_url',
    standIn: 'https://localhost',
    values: 'URL',
    example: 'http://127.0.0.1:9000/check',
    says: 'Who is asked by a GET: 2xx lets in.',
  },
  timeout: { ...SERVICE_TIMEOUT, default: '3s', says: 'For one question.' },
  send: {
    kind: 'list',
    of: { kind: 'text', form: 'sent_field' },
    values: 'list of fields',
    default: ['authorization', 'cookie', 'origin'],
    says: "Fields of the client's request that it gets.",
  },
  take: {
    kind: 'list',
    of: { kind: 'text', form: 'sent_field' },
    values: 'list of fields',
    default: [],
    example: '[x-user]',
    says: 'Fields of its answer that {forward.NAME} stands for.',
  },
  max_in_flight: IN_FLIGHT,
  recheck: RECHECK,
  tls: TLS,
  ...common,
} as const satisfies Keys;
