// Owns the keys of an upstream and of its targets.

import { ROUTE_CHECKS, UPSTREAM_CHECKS } from '../../protocol/relax.ts';
import { MIB, SESSIONS_MAX } from './bounds.ts';
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
} as const satisfies Keys;

const FILE = { kind: 'text', form: 'file', values: 'file', unset: 'none' } as const;

const tls = {
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

/** The names of the policies: `upstream/balance` has a file and a row for each. */
const BALANCES = ['least_sessions', 'round_robin'] as const;
const INSTEAD = `expected one of ${BALANCES.join(', ')}`;

export const upstream = {
  targets: {
    kind: 'list',
    of: { kind: 'block', keys: target },
    least: 'needs at least one target',
    values: 'list',
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
    kind: 'choice',
    words: BALANCES,
    later: { random_two: INSTEAD, source_ip: INSTEAD, hash: INSTEAD },
    default: 'least_sessions',
    says: 'How a target is chosen, by weight.',
  },
  max_handshakes: {
    kind: 'count_or_share',
    min: 1,
    max: SESSIONS_MAX,
    default: '75%',
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
    says: 'More targets tried after a failed dial, each once, never after a byte of the request was sent.',
    without: 'one dead target fails its share of clients',
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
