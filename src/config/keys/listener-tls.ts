// Owns the keys of a listener's tls block.

import { acme } from './acme.ts';
import type { Keys } from './row.ts';

const FILE = { kind: 'text', form: 'file', values: 'file' } as const;

const certificate = {
  cert: {
    ...FILE,
    unset: 'acme instead',
    example: 'chain.pem',
    says: 'PEM file with the certificate, then those between it and its authority.',
    more: 'Its DNS names are the ones it is chosen for.',
  },
  key: { ...FILE, unset: 'acme instead', example: 'key.pem', says: 'PEM file with the key of cert.' },
  passphrase: {
    kind: 'text',
    form: 'passphrase',
    values: '{file: path}, text, off',
    default: 'off',
    says: 'What opens an encrypted key.',
  },
  acme: {
    kind: 'block',
    instead: true,
    unset: 'cert and key instead',
    says: 'A certificate that framegate gets from an ACME authority (RFC 8555) by itself, and renews.',
    keys: acme,
  },
} as const satisfies Keys;

export const listenerTls = {
  certificates: {
    kind: 'list',
    of: { kind: 'block', keys: certificate },
    least: 'needs at least one certificate',
    values: 'list',
    says: 'Chosen by the name that the client asks for: the exact one, then "*.", then the first of the list.',
  },
  unknown_name: {
    kind: 'choice',
    words: ['first', 'refuse'],
    default: 'first',
    says: 'A name that no certificate is for: it gets the first, or (refuse) the alert unrecognized_name.',
    more: 'A client that names none gets the first.',
  },
  min_version: {
    kind: 'choice',
    words: ['TLSv1.2', 'TLSv1.3'],
    default: 'TLSv1.2',
    says: 'The oldest version of TLS that is spoken.',
  },
  ciphers: {
    kind: 'text',
    form: 'ciphers',
    values: 'OpenSSL cipher list',
    unset: "Node's",
    example: 'ECDHE+AESGCM:ECDHE+CHACHA20',
    says: 'Ciphers of TLSv1.2, in the words of OpenSSL.',
    more: 'Those of TLSv1.3 stay unless it names some (TLS_...).',
  },
  client_auth: {
    kind: 'choice',
    words: ['none', 'request', 'require'],
    default: 'none',
    says: 'Whether clients are asked for a certificate, or need one.',
    more: 'One that does not verify ends the handshake in both.',
  },
  client_ca: {
    ...FILE,
    unset: 'none',
    example: 'clients-ca.pem',
    says: 'PEM file of the authorities whose client certificates are good.',
  },
  client_crl: {
    kind: 'text',
    form: 'file_off',
    values: 'file, off',
    default: 'off',
    says: 'PEM file of revocation lists, one of each authority in use.',
    without: 'a stolen client certificate is good until it ends',
  },
  tickets: {
    kind: 'text',
    form: 'tickets',
    values: 'on, off, {file: path}',
    default: 'on',
    says:
      'How sessions are resumed: by a random key, new every 12 h and one for all workers; not at all; or by a key of ' +
      'your own in 96 hex digits, the same on every machine.',
  },
} as const satisfies Keys;
