// Owns the keys of a certificate that framegate gets by itself.

import type { Keys } from './row.ts';

export const acme = {
  domains: {
    kind: 'list',
    of: { kind: 'text', form: 'acme_domain' },
    least: 'needs at least one domain',
    values: 'list of host names',
    example: '[chat.example.com]',
    says: 'The names that it is for, and is chosen for; at most 100, no "*.".',
  },
  email: {
    kind: 'text',
    form: 'email',
    values: 'address',
    unset: 'none',
    example: 'ops@example.com',
    says: 'Where the authority writes about the account.',
  },
  directory: {
    kind: 'text',
    form: 'acme_directory',
    values: 'letsencrypt, letsencrypt-staging, https URL',
    default: 'letsencrypt',
    says: 'The authority: the URL of its directory.',
  },
  tls: {
    kind: 'block',
    unset: "the system's authorities",
    says: 'How the directory is verified.',
    keys: {
      ca: {
        kind: 'text',
        form: 'file',
        values: 'file',
        unset: "the system's",
        example: 'acme-ca.pem',
        says: 'PEM file of the authorities to trust instead.',
      },
    },
  },
  challenge: {
    kind: 'choice',
    words: ['tls-alpn-01', 'http-01'],
    default: 'tls-alpn-01',
    elsewhere: { 'dns-01': 'dns-01 is not spoken: get that certificate elsewhere, and name its cert and key' },
    says: 'How the names are proved: on port 443 by TLS, or on port 80 by HTTP on a listener without tls.',
  },
  dir: {
    kind: 'text',
    form: 'plain',
    values: 'folder',
    unset: '$STATE_DIRECTORY/acme, else required',
    example: '/var/lib/framegate/acme',
    says: 'Where keys, certificates and open challenges are kept; processes that share it order one at a time.',
  },
  key: {
    kind: 'choice',
    words: ['ecdsa', 'rsa'],
    default: 'ecdsa',
    says: 'The key of the certificate, new each time: P-256, or RSA with 2048 bits.',
  },
  eab: {
    kind: 'block',
    unset: 'none',
    says: 'External account binding, where the authority asks for one.',
    keys: {
      kid: { kind: 'text', form: 'claim_text', values: 'text', example: 'kid-1', says: 'Its key identifier.' },
      hmac: {
        kind: 'text',
        form: 'shared_secret',
        values: '{file}, text',
        example: '{ file: eab.txt }',
        says: 'Its key in base64url, as the authority gives it.',
      },
    },
  },
  agree: {
    kind: 'truth',
    example: 'true',
    says: "Has to be true: you agree to the authority's terms of service.",
  },
} as const satisfies Keys;
