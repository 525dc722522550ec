// Owns the keys of what the process does besides proxying: how it stops, what a reload may do, its admin listener, its
// log.

import type { Keys } from './row.ts';

const DAY = 24 * 3_600_000;
const WAIT = { kind: 'duration', min: 0, max: DAY } as const;

export const drain = {
  delay: {
    ...WAIT,
    default: '0s',
    says:
      'After the signal: not ready any more, but listeners still accept, which is what a balancer needs to notice; ' +
      'Kubernetes: 5s.',
    without: 'clients that are still sent here are refused',
  },
  grace: {
    ...WAIT,
    default: '0s',
    says: 'Then listeners are closed, and sessions may end by themselves.',
    without: 'every session is told to reconnect',
  },
  spread: {
    ...WAIT,
    default: '5s',
    says: 'Then one Close per session, evenly over this time.',
    without: 'all clients reconnect in the same moment',
  },
  timeout: {
    kind: 'duration',
    min: 1,
    max: 4 * DAY,
    default: '25s',
    says: 'From the signal to the last cut, all included; above delay + grace + spread.',
    without: 'one peer that does not answer keeps the process',
  },
} as const satisfies Keys;

export const reload = {
  max_ended: {
    kind: 'share',
    default: '50%',
    says:
      'Of the open sessions: a reload that would end more of them than this, and more than 100, because their ' +
      'routes, targets or credentials are gone, is rejected unless it is forced.',
    without: 'a file that is cut short sends everybody away',
  },
} as const satisfies Keys;

export const revocations = {
  dir: {
    kind: 'text',
    form: 'file',
    values: 'folder',
    unset: '$STATE_DIRECTORY, else in memory only',
    example: '/var/lib/framegate',
    says: 'Where what was revoked is kept over a restart, in revocations.jsonl; of one process alone.',
  },
} as const satisfies Keys;

export const admin = {
  address: {
    kind: 'text',
    form: 'address',
    values: 'address',
    default: '127.0.0.1:9464',
    says:
      'host:port, "[v6]:port", ":port" for all addresses, or unix:/path.sock, for the own user only. ' +
      'Port 0 takes any free port.',
  },
  token: {
    kind: 'text',
    form: 'token',
    values: 'text, off',
    default: 'off',
    says:
      'Secret that requests show as "Authorization: Bearer ...", better as {file: path}. ' +
      'Required when the address is neither loopback nor a unix socket.',
  },
  hosts: {
    kind: 'list',
    of: { kind: 'text', form: 'admin_host' },
    values: 'list of hosts',
    default: [],
    says:
      'Host names under which it may be asked, besides IP addresses and localhost; else 421, ' +
      'so that no web page can reach it under a name of its own.',
  },
  public: {
    kind: 'list',
    of: { kind: 'choice', words: ['health', 'metrics'], says: 'What needs no token and no Host.' },
    values: 'list of health, metrics',
    default: ['health'],
    says: 'What needs neither token nor Host: health (/healthz and /readyz), metrics (/metrics).',
  },
  page: {
    kind: 'switch',
    default: 'on',
    says: 'A page for people at GET /, which shows what goes on; itself it holds no data while there is a token.',
  },
} as const satisfies Keys;

export const log = {
  level: {
    kind: 'choice',
    words: ['trace', 'debug', 'info', 'warn', 'error'],
    default: 'info',
    says: 'The least important lines that are written.',
  },
  format: {
    kind: 'choice',
    words: ['auto', 'json', 'pretty'],
    default: 'auto',
    says: 'JSON lines, or text for people; auto is pretty on a terminal, else json.',
  },
  query: {
    kind: 'choice',
    words: ['names'],
    off: true,
    default: 'off',
    says: 'Whether the query of a request is left out, or its names are logged (?token=***).',
  },
  path: {
    kind: 'choice',
    words: ['full', 'route'],
    default: 'full',
    says: "The path as requested, or the route's pattern.",
  },
  session_open: { kind: 'choice', words: ['debug', 'info'], default: 'debug', says: 'Level of session.open.' },
  lines_per_second: {
    kind: 'count',
    min: 1,
    max: 1_000_000,
    words: ['off'],
    default: 'off',
    says: 'All lines together; what is left out is counted by event and reason.',
    without: 'every session gets its session.end, and a flood of ends fills the disk',
  },
} as const satisfies Keys;
