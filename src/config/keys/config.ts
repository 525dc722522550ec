// Owns the top-level keys of the config file: the root of all rows.

import { method } from './auth.ts';
import { closeCodes } from './close-codes.ts';
import { limits } from './limits.ts';
import { listener } from './listeners.ts';
import { admin, drain, log, reload, revocations } from './process.ts';
import { record } from './record.ts';
import { route, shared } from './routes.ts';
import type { Keys } from './row.ts';
import { timeouts } from './timeouts.ts';
import { upstream } from './upstreams.ts';

export const config = {
  listeners: {
    kind: 'list',
    of: { kind: 'block', keys: listener },
    least: 'needs at least one listener',
    values: 'list',
    default: [{}],
    unset: 'one on 127.0.0.1:8080',
    says: 'Where clients connect.',
  },
  trusted_proxies: {
    kind: 'list',
    of: { kind: 'text', form: 'proxy' },
    file: true,
    values: 'list of CIDR blocks and unix, {file}',
    default: [],
    says: 'Address blocks whose X-Forwarded-* and X-Request-ID are believed; unix stands for peers on unix sockets.',
  },
  client_ip_from: {
    kind: 'text',
    form: 'client_field',
    values: 'x-forwarded-for, forwarded, field name',
    default: 'x-forwarded-for',
    says: 'Where trusted proxies name the client: a chain, or one field with one address such as cf-connecting-ip.',
    more: 'Other chains are removed from requests, and made anew.',
  },
  send_forwarded: {
    kind: 'switch',
    default: 'off',
    says: 'Backends get a Forwarded field (RFC 7239) beside X-Forwarded-*.',
  },
  defaults: {
    kind: 'block',
    keys: shared,
    default: {},
    says: 'What routes do that do not say it: those keys of a route whose default names this block.',
  },
  routes: {
    kind: 'list',
    of: { kind: 'block', keys: route },
    least: 'needs at least one route',
    values: 'list',
    says: 'Which request goes where.',
  },
  auth: {
    kind: 'named',
    of: { kind: 'block', keys: method, one: `expected exactly one kind of method: ${Object.keys(method).join(', ')}` },
    default: {},
    says: 'How clients prove who they are: methods by name, which routes share.',
  },
  upstreams: {
    kind: 'named',
    of: { kind: 'block', keys: upstream },
    default: {},
    says: 'Groups of backends, by name.',
  },
  limits: {
    kind: 'block',
    keys: limits,
    default: {},
    says: 'What peers may use.',
    more: 'Routes override key by key, except keys marked (global).',
  },
  timeouts: {
    kind: 'block',
    keys: timeouts,
    default: {},
    says: 'How long anything may take.',
    more: 'Routes override key by key, except keys marked (global).',
  },
  close_codes: {
    kind: 'block',
    keys: closeCodes,
    default: {},
    says:
      'Which close code the client gets, by the cause of the end (the reason in the log). ' +
      '1001, 1008, 1011 to 1014, 3000 to 4999.',
  },
  record: {
    kind: 'block',
    keys: record,
    words: ['off'],
    default: 'off',
    values: 'map, off',
    serves: 'sockets',
    says:
      'A flight recorder: time, direction, opcode, FIN and length of the last frames of each session, but nothing of ' +
      'what is in them. Shown with a session, by "framegate why", and in session.end when the end was not clean.',
    more: 'A route overrides it.',
  },
  workers: {
    kind: 'count',
    min: 1,
    max: 64,
    words: ['auto'],
    default: 1,
    says:
      'Processes that carry clients, behind one that accepts for them and counts; auto: as many as there are cores ' +
      'for this process, by its affinity and the quota of its cgroup.',
    more: 'Only a restart changes it.',
    without: 'one process does all of it',
  },
  drain: {
    kind: 'block',
    keys: drain,
    default: {},
    says: 'How the process stops: on TERM, INT, QUIT and POST /api/v1/drain.',
  },
  reload: { kind: 'block', keys: reload, default: {}, says: 'What a reload may do.' },
  revocations: {
    kind: 'block',
    keys: revocations,
    default: {},
    says: 'What POST /api/v1/revoke refuses.',
  },
  admin: {
    kind: 'block',
    keys: admin,
    unset: 'no admin listener',
    says: 'Health, metrics, sessions, drain and reload on a listener of their own; {} takes the defaults.',
  },
  log: {
    kind: 'block',
    keys: log,
    default: {},
    says: 'The log on stdout: one JSON object a line, or text for people.',
  },
} as const satisfies Keys;
