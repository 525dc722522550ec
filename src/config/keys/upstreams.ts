// Owns the keys of an upstream and of its targets.

import { ROUTE_CHECKS, UPSTREAM_CHECKS } from '../../protocol/relax.ts';
import { balance, PLAIN_BALANCES } from './balance.ts';
import { MIB, SESSIONS_MAX } from './bounds.ts';
import { discover } from './discover.ts';
import { health, rebalance } from './health.ts';
import type { Keys } from './row.ts';

const target = {
  name: {
    kind: 'text',
    form: 'name',
    values: 'name',
    unset: 'host:port',
    example: 'a',
    says: 'Name in logs and metrics; unique in its upstream.',
  },
  url: {
    kind: 'text',
    form: 'url',
    standIn: 'builtin:echo',
    values: 'URL',
    example: 'wss://127.0.0.1:9001/base',
    says: 'ws://, wss://, http:// or https://host:port/base, ws+unix:/path.sock:/base, or builtin:echo for trying out.',
    more: 'One from a file needs a name beside it.',
  },
  weight: {
    kind: 'count',
    min: 1,
    max: 256,
    default: 1,
    says: 'Share of new sessions, relative to the other targets.',
  },
  max_sessions: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 'off',
    says: 'Sessions on this target at a time; when all are full, 503.',
    without: 'one surge takes a backend down',
  },
  backup: {
    kind: 'truth',
    default: false,
    says: 'It gets sessions only while no other target can take one.',
  },
} as const satisfies Keys;

const queue = {
  size: {
    kind: 'count',
    min: 0,
    max: SESSIONS_MAX,
    default: 0,
    says: 'Handshakes that wait, first come first served, while every target is full; the next one is refused.',
  },
  timeout: {
    kind: 'duration',
    min: 1,
    max: 10 * 60_000,
    default: '5s',
    says: 'For how long; then 503. timeouts.open runs on meanwhile.',
  },
} as const satisfies Keys;

const drain = {
  mode: {
    kind: 'choice',
    words: ['close', 'keep'],
    default: 'close',
    says: 'What happens to sessions of a target that drains, or is gone under on_gone: drain.',
  },
  spread: {
    kind: 'duration',
    min: 0,
    max: 24 * 3_600_000,
    unset: 'drain.spread',
    example: '5s',
    says: 'Over which time they get their Close.',
  },
} as const satisfies Keys;

const FILE = { kind: 'text', form: 'file', values: 'file', unset: 'none' } as const;

export const tls = {
  ca: { ...FILE, example: 'ca.pem', says: "PEM file of the authorities to trust instead of the system's." },
  cert: { ...FILE, example: 'client.pem', says: 'PEM file with the client certificate and its chain.' },
  key: { ...FILE, example: 'client.key', says: 'PEM file with the key of cert.' },
  server_name: {
    kind: 'text',
    form: 'server_name',
    values: 'host',
    unset: 'the host of the url',
    example: 'backend.example.com',
    says: "Name to ask for and to verify, instead of the URL's.",
  },
  verify: {
    kind: 'truth',
    default: true,
    says: 'Whether the certificate must be valid.',
    without: 'anyone on the way can read and change everything',
  },
} as const satisfies Keys;

export const upstream = {
  targets: {
    kind: 'list',
    of: { kind: 'block', keys: target },
    values: 'list',
    default: [],
    unset: 'none; then discover is required',
    says: 'Backends of this upstream.',
  },
  host: {
    kind: 'text',
    form: 'upstream_host',
    values: 'client, target, host',
    default: 'client',
    says: "Host sent to the backend: the client's, the target's host:port, or a literal.",
  },
  balance: {
    kind: 'block',
    keys: balance,
    words: PLAIN_BALANCES,
    one: 'expected hash or sticky, one of the two',
    default: 'least_sessions',
    values: 'least_sessions, round_robin, random_two, source_ip, {hash}, {sticky}',
    says: 'How a target is chosen, by weight.',
    more:
      'random_two takes the one with fewer sessions of two that are drawn. source_ip and hash send equal keys to the ' +
      'same target, whichever framegate is asked, and a target that comes or goes moves its own share only.',
  },
  fallback: {
    kind: 'choice',
    words: ['least_sessions', 'round_robin', 'random_two'],
    default: 'least_sessions',
    says: 'How source_ip, hash and sticky choose when there is no key, or its target takes no session.',
  },
  max_handshakes: {
    kind: 'count_or_share',
    min: 1,
    max: SESSIONS_MAX,
    default: '75%',
    serves: 'sockets',
    says:
      'Of limits.max_handshakes those that may wait for this upstream at a time, a share being all with one ' +
      'upstream; above it they wait for their turn.',
    without: 'one silent backend refuses the clients of all others',
  },
  retries: {
    kind: 'count',
    min: 0,
    max: 255,
    default: 2,
    says: 'More targets tried after a failed dial, each once; not for requests with a body, nor once a byte was sent.',
    without: 'one dead target fails its share of clients',
  },
  retry_budget: {
    kind: 'share',
    default: '20%',
    says: "Of the upstream's handshakes of the last 10 s so many may be retries, and at least 3.",
    without: 'a pool that is down is dialed once more for each retry',
  },
  max_handshakes_per_target: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 'off',
    says: 'Under way on one target at a time; above it the target counts as full.',
    without: 'a backend that has just come up gets a storm of handshakes',
  },
  queue: {
    kind: 'block',
    default: {},
    serves: 'sockets',
    says: 'What handshakes do when every target is full.',
    keys: queue,
  },
  slow_start: {
    kind: 'duration',
    min: 1_000,
    max: 24 * 3_600_000,
    off: true,
    default: 'off',
    says: 'The share of a target that came up grows from a tenth over this time; not for source_ip, hash and sticky.',
    without: 'a cold backend gets every new session',
  },
  proxy_protocol: {
    kind: 'choice',
    words: ['v1', 'v2'],
    off: true,
    default: 'off',
    says: 'PROXY header that targets get first, before TLS.',
  },
  health: { kind: 'block', default: {}, says: 'Which targets are fit for new sessions.', keys: health },
  rebalance: {
    kind: 'block',
    words: ['off'],
    keys: rebalance,
    default: 'off',
    values: 'map, off',
    serves: 'sockets',
    says: 'Whether sessions are moved, by closing some, from targets that hold more than their share.',
    more: 'Not while a target is down, draining or in slow start, nor for every after that.',
  },
  discover: {
    kind: 'block',
    one: 'expected dns or file, one of the two',
    unset: 'no discovery',
    says: 'Where targets are found besides targets.',
    keys: discover,
  },
  on_gone: {
    kind: 'choice',
    words: ['drain', 'keep'],
    unset: 'drain; keep for dns',
    example: 'drain',
    says: 'What sessions of a target do that discovery has no longer: drain as drain says, or stay.',
  },
  hold: {
    kind: 'duration',
    min: 0,
    max: 24 * 3_600_000,
    unset: '60s; 0s for file',
    example: '60s',
    says: 'So long, and in two answers at least, a target has to be missing before it is gone.',
    without: 'one incomplete answer sends sessions away',
  },
  drain: { kind: 'block', default: {}, serves: 'sockets', says: 'How targets drain.', keys: drain },
  allow_addresses: {
    kind: 'list',
    of: { kind: 'text', form: 'cidr' },
    or: { word: 'any', problem: 'expected a list of CIDR blocks, or any' },
    values: 'list of CIDR blocks, any',
    default: 'any',
    unset: 'any but loopback, link-local, multicast and those of metadata services',
    says: 'Addresses that dns may name; others are left out.',
    without: 'whoever answers the look-up has framegate connect to anything',
  },
  empty: {
    kind: 'choice',
    words: ['keep', 'allow'],
    default: 'keep',
    says: 'Whether a well-formed answer without any target empties the pool; a broken one never does.',
  },
  local_addresses: {
    kind: 'list',
    of: { kind: 'text', form: 'ip' },
    values: 'list of addresses',
    default: [],
    unset: "the system's choice",
    says: 'Source addresses used in turn; each carries about 28000 sessions to one target.',
  },
  max_head_size: {
    kind: 'size',
    min: 64,
    max: MIB,
    default: '16KiB',
    says: "Status line and header fields of a backend's answer; over it 502.",
    without: 'one answer fills the memory',
  },
  relax: {
    kind: 'list',
    of: {
      kind: 'choice',
      words: UPSTREAM_CHECKS,
      elsewhere: Object.fromEntries(
        ROUTE_CHECKS.map((name) => [name, `${name} is a check of requests: it belongs in routes[].relax`]),
      ),
    },
    values: 'list of accept, bare_lf',
    default: [],
    serves: 'sockets',
    says:
      "Checks of a backend's 101 that are switched off, for devices that cannot be mended: accept (the value of " +
      'Sec-WebSocket-Accept), bare_lf (lines that end in LF alone).',
    more: 'Each use is counted.',
  },
  tls: {
    kind: 'block',
    unset: 'verify with the system authorities',
    says: 'TLS towards wss:// and https:// targets.',
    keys: tls,
  },
} as const satisfies Keys;
