// Owns the keys of `limits`, which routes override key by key. `without` says what an attacker does without a limit.

import { BURST, GIB, KIB, MIB, RATE, SESSIONS_MAX } from './bounds.ts';
import { directions } from './directions.ts';
import type { Keys } from './row.ts';

export const limits = {
  max_head_size: {
    kind: 'size',
    min: 64,
    max: MIB,
    default: '16KiB',
    scope: 'global',
    says: 'Request line and header fields together; over it 431.',
    without: 'one request head fills the memory',
  },
  max_target_size: {
    kind: 'size',
    min: 16,
    max: MIB,
    default: '8KiB',
    scope: 'global',
    says: 'The request target; over it 414.',
    without: 'long targets reach every log and backend',
  },
  max_header_fields: {
    kind: 'count',
    min: 5,
    max: 10_000,
    default: 100,
    scope: 'global',
    says: 'Header fields of a request; over it 431.',
    without: 'thousands of tiny fields cost more CPU than bytes',
  },
  max_early_bytes: {
    kind: 'size',
    min: 0,
    max: 16 * MIB,
    default: '64KiB',
    serves: 'sockets',
    says: "Bytes of the client held until the backend's 101; beyond them the client is not read.",
    without: 'data before the 101 fills the memory',
  },
  max_sessions: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 10_000,
    scope: 'both',
    says:
      'Accepted connections, from accept to destroy; over it 503. ' +
      "In a route: that route's own cap besides this one.",
    without: 'a flood of connections uses up descriptors and memory',
  },
  max_handshakes: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 1000,
    scope: 'global',
    serves: 'sockets',
    says: "Handshakes that wait for a backend's 101; above it complete heads wait for their turn.",
    without: 'a hung backend collects clients up to max_sessions',
  },
  max_waiting_handshakes: {
    kind: 'count',
    min: 0,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 4000,
    scope: 'global',
    serves: 'sockets',
    says:
      'Complete heads that wait for one of max_handshakes, the clients in turn, for timeouts.open at most; ' +
      'over it 503.',
    without: 'a reconnect storm is refused, or fills max_sessions',
  },
  max_tls_handshakes: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 1000,
    scope: 'global',
    says:
      'TLS handshakes under way; later ones wait unread, the clients in turn, within timeouts.handshake, and are ' +
      'closed when that has passed.',
    without: 'half a handshake holds memory for as long as it likes',
  },
  tls_handshakes_per_second: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    scope: 'global',
    says: 'TLS handshakes that begin per second, from all clients together; later ones wait as above.',
    without: 'a few thousand connections a second take all of the CPU',
  },
  handshakes_per_second: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    scope: 'global',
    serves: 'sockets',
    says: 'New handshakes per second from all clients together; over it 503.',
    without: 'a reconnect storm reaches the backends at full speed',
  },
  handshake_burst: {
    kind: 'number',
    ...BURST,
    unset: '2 x the rate, at least 1',
    example: '20',
    scope: 'global',
    follows: { rule: 'burst', key: 'handshakes_per_second' },
    serves: 'sockets',
    says: 'Handshakes at once, before handshakes_per_second holds.',
    without: 'two clients at once are a storm',
  },
  max_sessions_per_ip: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 'off',
    scope: 'both',
    says:
      'Connections of one client address from accept on, IPv6 by its /64 and 8 times as many by its /48; over it ' +
      "429. In a route: that route's own cap on sessions besides this one.",
    without: 'one client takes all of max_sessions',
  },
  handshakes_per_second_per_ip: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    scope: 'both',
    serves: 'sockets',
    says:
      'New handshakes per second of one client address, IPv6 by its /64 and 8 times as many by its /48, twice as ' +
      "many at once; over it 429. In a route: that route's own rate besides this one.",
    without: 'one client takes all of handshakes_per_second',
  },
  max_sessions_per_identity: {
    kind: 'count',
    min: 1,
    max: SESSIONS_MAX,
    words: ['off'],
    default: 'off',
    scope: 'both',
    serves: 'sockets',
    says:
      'Sessions of one identity at a time; over it 429 too_many_sessions_per_identity. ' +
      "In a route: that route's own cap besides this one.",
    without: 'one account that everybody knows serves everybody',
  },
  handshakes_per_second_per_identity: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    scope: 'both',
    serves: 'sockets',
    says:
      'New handshakes per second of one identity, twice as many at once; over it 429 ' +
      "too_many_handshakes_per_identity. In a route: that route's own rate besides this one.",
    without: 'one account takes all of handshakes_per_second from many addresses',
  },
  auth_failures_per_minute_per_ip: {
    kind: 'count',
    min: 1,
    max: 1_000_000,
    words: ['off'],
    default: 60,
    scope: 'global',
    says:
      'Different bad credentials of one client address, IPv6 by its /64, for basic, api_key, introspection and ' +
      'forward; over it 429 too_many_auth_failures.',
    more: 'basic counts 10 a minute for each user besides, of addresses that were never let in as that user.',
    without: 'passwords and keys can be guessed at full speed',
  },
  requests_per_second_per_ip: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    scope: 'global',
    serves: 'http',
    says:
      'Requests without upgrade per second of one client address, IPv6 by its /64 and 8 times as many by its /48, ' +
      'twice as many at once; over it 429 too_many_requests_per_ip.',
    without: 'one client takes all that the backend of the pages can do',
  },
  max_requests_per_connection: {
    kind: 'count',
    min: 1,
    max: 1_000_000_000,
    words: ['off'],
    default: 1000,
    scope: 'global',
    serves: 'http',
    says: 'Requests without upgrade of one connection; with the answer to the last one it closes.',
    without: 'a connection never ends, and no other instance gets its requests',
  },
  max_body_size: {
    kind: 'size',
    min: 0,
    max: 1024 * GIB,
    off: true,
    default: '10MiB',
    serves: 'http',
    says: 'The body of a request without upgrade; over it 413.',
    without: 'one request sends the backend bytes without end',
  },
  max_buffered: {
    kind: 'size',
    min: KIB,
    max: GIB,
    default: '256KiB',
    serves: 'sockets',
    says:
      'Per session and direction: memory for what the slower peer has not taken; from here on its source is not ' +
      'read.',
    without: 'a peer that never reads fills the memory',
  },
  max_buffered_total: {
    kind: 'size',
    min: KIB,
    max: 1024 * GIB,
    off: true,
    default: 'off',
    scope: 'global',
    says:
      'Memory that all sessions and plain requests hold for slower peers, early bytes included. Above it new ' +
      'handshakes get 503 and the fullest of them ends.',
    without: 'max_buffered times max_sessions has to fit in the memory',
  },
  max_memory: {
    kind: 'size',
    min: 64 * MIB,
    max: 1024 * GIB,
    off: true,
    default: 'off',
    scope: 'global',
    says:
      'Resident memory of a process, looked at four times a second. Above 90 % of it new handshakes and requests get ' +
      '503; above 95 % sessions and requests end that hold the most for slow readers.',
    without: 'whatever grows grows until the kernel ends the process with all its sessions',
  },
  ...directions,
} as const satisfies Keys;
