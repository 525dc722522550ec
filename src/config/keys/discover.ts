// Owns the keys of how targets of an upstream are found while framegate runs.

import type { Keys } from './row.ts';

const DAY = 24 * 3_600_000;

const dns = {
  name: {
    kind: 'text',
    form: 'dns_name',
    values: 'host',
    example: 'chat.internal',
    says: 'Looked up again and again: each address is a target.',
  },
  type: {
    kind: 'choice',
    words: ['a', 'srv'],
    default: 'a',
    says: 'a: A and AAAA; srv: port and weight come with it, and those of lower priority are backups.',
  },
  port: {
    kind: 'count',
    min: 1,
    max: 65_535,
    unset: '80, or 443 of wss',
    example: '9001',
    says: 'Of the targets of type a.',
  },
  scheme: { kind: 'choice', words: ['ws', 'wss'], default: 'ws', says: 'How they are reached.' },
  path: { kind: 'text', form: 'base_path', values: 'path', default: '/', says: "Goes before a request's path." },
  every: { kind: 'duration', min: 1_000, max: DAY, default: '30s', says: 'Between two look-ups.' },
  servers: {
    kind: 'list',
    of: { kind: 'text', form: 'dns_server' },
    values: 'list of addresses',
    default: [],
    unset: "the system's",
    says: 'Who is asked, with a port or without.',
  },
} as const satisfies Keys;

const file = {
  path: {
    kind: 'text',
    form: 'file',
    values: 'file',
    example: 'targets.yaml',
    says: 'A list as targets, in YAML or JSON; it is read again when it changes.',
  },
} as const satisfies Keys;

export const discover = {
  dns: { kind: 'block', unset: 'no look-up', says: 'By the addresses of a name.', keys: dns },
  file: { kind: 'block', unset: 'no file', says: 'By a file that something else writes.', keys: file },
} as const satisfies Keys;
