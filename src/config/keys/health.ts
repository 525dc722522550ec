// Owns the keys of which targets of an upstream are fit for new sessions: checks, ejection, and what follows.

import type { Keys } from './row.ts';

const DAY = 24 * 3_600_000;
const MINUTE = 60_000;

const active = {
  type: {
    kind: 'choice',
    words: ['tcp', 'http', 'websocket'],
    unset: 'websocket; http where only http of routes leads',
    example: 'websocket',
    says: 'tcp: a connection; http: a GET; websocket: an upgrade, a ping and its pong, Close 1000 and its answer.',
  },
  path: {
    kind: 'text',
    form: 'check_path',
    values: 'path',
    unset: "the path of the target's url",
    example: '/health',
    says: 'What http and websocket ask for.',
  },
  host: {
    kind: 'text',
    form: 'check_host',
    values: 'host',
    unset: 'as sessions get it; of host: client the host of the url',
    example: 'chat.example.com',
    says: 'Their Host.',
  },
  headers: {
    kind: 'named',
    by: 'request_field',
    of: { kind: 'text', form: 'field_text' },
    values: 'map of fields and values',
    default: {},
    says: 'Their further fields.',
  },
  subprotocol: {
    kind: 'text',
    form: 'subprotocol',
    values: 'name',
    unset: 'none',
    example: 'chat',
    says: 'The one that a websocket check offers, and that has to be chosen.',
  },
  expect_status: {
    kind: 'list',
    of: { kind: 'text', form: 'statuses' },
    values: 'list of status codes and ranges',
    default: ['200-299'],
    says: 'Answers to http that are good.',
  },
  send: {
    kind: 'text',
    form: 'message',
    values: 'text',
    unset: 'no message',
    example: 'ping',
    says: 'A text message that a websocket check sends.',
  },
  expect: {
    kind: 'text',
    form: 'message',
    values: 'text',
    unset: 'no message is awaited',
    example: 'pong',
    says: 'What one of the messages that it gets within timeout has to contain.',
  },
  interval: {
    kind: 'duration',
    min: 100,
    max: DAY,
    default: '10s',
    says: 'Between two checks of a target, a random fifth more or less.',
  },
  timeout: { kind: 'duration', min: 10, max: 10 * MINUTE, default: '3s', says: 'For one check, all included.' },
  rise: { kind: 'count', min: 1, max: 100, default: 2, says: 'Good checks in a row that bring a target up.' },
  fall: { kind: 'count', min: 1, max: 100, default: 3, says: 'Bad checks in a row that take it down.' },
} as const satisfies Keys;

const passive = {
  failures: { kind: 'count', min: 1, max: 1_000_000, default: 5, says: 'Failures within window that eject a target.' },
  window: { kind: 'duration', min: 1_000, max: DAY, default: '30s', says: 'How long a failure counts.' },
  early_death: {
    kind: 'duration',
    min: 0,
    max: 10 * MINUTE,
    default: '2s',
    serves: 'sockets',
    says: 'A session that its backend lost within this time counts as a failure.',
  },
  eject: { kind: 'duration', min: 1_000, max: DAY, default: '30s', says: 'For how long; then one session is a trial.' },
  eject_max: {
    kind: 'duration',
    min: 1_000,
    max: 7 * DAY,
    default: '5m',
    says: 'Each ejection in a row is twice as long as the one before, up to this.',
  },
  max_ejected: {
    kind: 'share',
    default: '50%',
    says: 'Of the targets at most so many are ejected, rounded down; off: no limit but that the last one stays.',
    without: 'one bad client network empties the pool',
  },
} as const satisfies Keys;

export const health = {
  active: {
    kind: 'block',
    words: ['off'],
    keys: active,
    default: 'off',
    values: 'map, off',
    says: 'Checks that framegate makes by itself.',
  },
  passive: {
    kind: 'block',
    words: ['off'],
    keys: passive,
    default: {},
    values: 'map, off',
    says: 'Ejection by what sessions meet: failed dials; once for each client address bad answers and lost sessions.',
  },
  on_down: {
    kind: 'choice',
    words: ['keep', 'drain', 'close'],
    default: 'keep',
    serves: 'sockets',
    says: 'What live sessions of a target do that checks took down: stay, get a Close over drain.spread, or at once.',
  },
  panic: {
    kind: 'share',
    default: 'off',
    says: 'When fewer of the targets than this are up, all count as up.',
  },
} as const satisfies Keys;

export const rebalance = {
  share: {
    kind: 'share',
    default: '5%',
    says: "Of the fullest target's sessions at most so many are closed (1012) in each every.",
  },
  every: { kind: 'duration', min: 1_000, max: DAY, default: '1m', says: 'Between two steps.' },
  tolerance: { kind: 'share', default: '10%', says: 'Above its fair share a target may hold so many more.' },
  min_age: {
    kind: 'duration',
    min: 0,
    max: 30 * DAY,
    default: '10m',
    says: 'Only older sessions, the youngest first.',
  },
} as const satisfies Keys;
