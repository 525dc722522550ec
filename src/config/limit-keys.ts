// Owns the schema of limits and timeouts: the blocks that routes override key by key. Every key says what an attacker
// does without it. It must not merge anything.

import { burst, directionOverrides, directions, rate } from './rate-keys.ts';
import { count, countOr, documented, duration, size } from './scalars.ts';
import { DURATION_MAX } from './units.ts';
import { z } from './zod.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const GIB = KIB * MIB;
const TIMEOUT = { min: 1, max: DURATION_MAX, off: true };
const SESSIONS_MAX = 10_000_000;

const limit = {
  max_head_size: size(
    'Request line and header fields together; over it 431 (global). Without it one request head fills the memory.',
    {
      min: 64,
      max: MIB,
      off: false,
    },
  ),
  max_target_size: size(
    'The request target; over it 414 (global). Without it long targets reach every log and backend.',
    {
      min: 16,
      max: MIB,
      off: false,
    },
  ),
  max_header_fields: count(
    'Header fields of a request; over it 431 (global). Without it thousands of tiny fields cost more CPU than bytes.',
    5,
    10_000,
  ),
  max_early_bytes: size(
    "Bytes of the client held until the backend's 101; beyond them the client is not read. " +
      'Without it data before the 101 fills the memory.',
    { min: 0, max: 16 * MIB, off: false },
  ),
  max_sessions: countOr(
    'Accepted connections, from accept to destroy; over it 503. ' +
      "In a route: that route's own cap besides this one. " +
      'Without it a flood of connections uses up descriptors and memory.',
    1,
    SESSIONS_MAX,
    ['off'],
  ),
  max_handshakes: countOr(
    "Handshakes that wait for a backend's 101; above it complete heads wait for their turn (global). " +
      'Without it a hung backend collects clients up to max_sessions.',
    1,
    SESSIONS_MAX,
    ['off'],
  ),
  max_waiting_handshakes: countOr(
    'Complete heads that wait for one of max_handshakes, the clients in turn, for timeouts.open at most; ' +
      'over it 503 (global). Without it a reconnect storm is refused, or fills max_sessions.',
    0,
    SESSIONS_MAX,
    ['off'],
  ),
  handshakes_per_second: rate(
    'New handshakes per second from all clients together; over it 503 (global). ' +
      'Without it a reconnect storm reaches the backends at full speed.',
  ),
  handshake_burst: burst(
    'Handshakes at once, before handshakes_per_second holds (global). Without it two clients at once are a storm.',
  ),
  max_sessions_per_ip: countOr(
    'Connections of one client address from accept on, IPv6 by its /64 and 8 times as many by its /48; over it 429. ' +
      "In a route: that route's own cap on sessions besides this one. " +
      'Without it one client takes all of max_sessions.',
    1,
    SESSIONS_MAX,
    ['off'],
  ),
  handshakes_per_second_per_ip: rate(
    'New handshakes per second of one client address, IPv6 by its /64 and 8 times as many by its /48, twice as many ' +
      'at once; over it 429. ' +
      "In a route: that route's own rate besides this one. " +
      'Without it one client takes all of handshakes_per_second.',
  ),
  max_buffered: size(
    'Per session and direction: memory for what the slower peer has not taken; from here on its source is not ' +
      'read. Without it a peer that never reads fills the memory.',
    { min: KIB, max: GIB, off: false },
  ),
  max_buffered_total: size(
    'Memory that all sessions together hold for slower peers, early bytes included (global). Above it new ' +
      'handshakes get 503 and the fullest session ends. ' +
      'Without it max_buffered times max_sessions has to fit in the memory.',
    { min: KIB, max: 1024 * GIB, off: true },
  ),
};

const timeout = {
  handshake: duration(
    'From accept to the complete request head, absolute; then 408 (global). ' +
      'Without it heads sent one byte a minute hold connections for ever.',
    TIMEOUT,
  ),
  connect: duration(
    'One try of one target: name look-up, TCP to each of its addresses, TLS. ' +
      'Without it a silent host holds clients for minutes.',
    TIMEOUT,
  ),
  upgrade: duration(
    'From the request sent to the complete 101 of the backend. Without it a hung backend holds clients for ever.',
    TIMEOUT,
  ),
  open: duration(
    'From the complete request head to our 101, all tries together; then 504, or 503 where it still waits for its ' +
      'turn. Without it retries add up.',
    TIMEOUT,
  ),
  idle: duration(
    'Not one byte of any frame from the client nor from the backend for this long ends the session with 1001. ' +
      'Without it abandoned sessions stay for ever.',
    TIMEOUT,
  ),
  message_stall: duration(
    'A message begun, and not one more byte of it for this long while we were reading that peer. ' +
      'Without it half messages hold buffers for ever.',
    TIMEOUT,
  ),
  write_stall: duration(
    'Data waits for a peer and no write to it finished for this long. ' +
      'Without it a peer that never reads holds its session for ever.',
    TIMEOUT,
  ),
  slow_reader: duration(
    'Data has waited for a peer without a break for this long, though it takes some. ' +
      'Without it a peer that reads a byte a minute holds its buffers for ever.',
    TIMEOUT,
  ),
  close: duration(
    'From Close sent to Close received, and then to the end of the connection. ' +
      'Without it peers that ignore a Close keep their connection.',
    TIMEOUT,
  ),
  client_ping_interval: duration(
    'Not one byte from the client for this long: it is sent a ping. ' +
      'Without it a client that vanished without a word keeps its session until idle.',
    TIMEOUT,
  ),
  backend_ping_interval: duration(
    'Not one byte from the backend for this long: it is sent a ping. ' +
      'Without it a backend that vanished without a word keeps its sessions until idle.',
    TIMEOUT,
  ),
  pong: duration(
    'After a ping of ours was written: no byte came, and nothing that waited was taken. ' +
      'Without it pings find nobody missing.',
    TIMEOUT,
  ),
  lifetime: duration(
    'The longest life of a session, which ends at a random point between 90 % and 100 % of it. ' +
      'Without it a session outlives every change of what it was allowed.',
    TIMEOUT,
  ),
};

export const limits = documented(
  z.strictObject({
    max_head_size: limit.max_head_size.prefault('16KiB'),
    max_target_size: limit.max_target_size.prefault('8KiB'),
    max_header_fields: limit.max_header_fields.prefault(100),
    max_early_bytes: limit.max_early_bytes.prefault('64KiB'),
    max_sessions: limit.max_sessions.prefault(10_000),
    max_handshakes: limit.max_handshakes.prefault(1000),
    max_waiting_handshakes: limit.max_waiting_handshakes.prefault(4000),
    handshakes_per_second: limit.handshakes_per_second.prefault('off'),
    handshake_burst: limit.handshake_burst.optional(),
    max_sessions_per_ip: limit.max_sessions_per_ip.prefault('off'),
    handshakes_per_second_per_ip: limit.handshakes_per_second_per_ip.prefault('off'),
    max_buffered: limit.max_buffered.prefault('256KiB'),
    max_buffered_total: limit.max_buffered_total.prefault('off'),
    from_client: directions.from_client,
    from_backend: directions.from_backend,
  }),
  'What peers may use. Routes override key by key, except keys marked (global).',
  { type: 'map' },
).prefault({});

export const limitOverrides = z.strictObject({
  max_early_bytes: limit.max_early_bytes.optional(),
  max_sessions: limit.max_sessions.optional(),
  max_sessions_per_ip: limit.max_sessions_per_ip.optional(),
  handshakes_per_second_per_ip: limit.handshakes_per_second_per_ip.optional(),
  max_buffered: limit.max_buffered.optional(),
  from_client: directionOverrides.from_client,
  from_backend: directionOverrides.from_backend,
});

export const timeouts = documented(
  z.strictObject({
    handshake: timeout.handshake.prefault('10s'),
    connect: timeout.connect.prefault('5s'),
    upgrade: timeout.upgrade.prefault('10s'),
    open: timeout.open.prefault('15s'),
    idle: timeout.idle.prefault('1h'),
    message_stall: timeout.message_stall.prefault('60s'),
    write_stall: timeout.write_stall.prefault('60s'),
    slow_reader: timeout.slow_reader.prefault('off'),
    close: timeout.close.prefault('5s'),
    client_ping_interval: timeout.client_ping_interval.prefault('30s'),
    backend_ping_interval: timeout.backend_ping_interval.prefault('off'),
    pong: timeout.pong.prefault('20s'),
    lifetime: timeout.lifetime.prefault('off'),
  }),
  'How long anything may take. Routes override key by key, except keys marked (global).',
  { type: 'map' },
).prefault({});

export const timeoutOverrides = z.strictObject({
  connect: timeout.connect.optional(),
  upgrade: timeout.upgrade.optional(),
  open: timeout.open.optional(),
  idle: timeout.idle.optional(),
  message_stall: timeout.message_stall.optional(),
  write_stall: timeout.write_stall.optional(),
  slow_reader: timeout.slow_reader.optional(),
  close: timeout.close.optional(),
  client_ping_interval: timeout.client_ping_interval.optional(),
  backend_ping_interval: timeout.backend_ping_interval.optional(),
  pong: timeout.pong.optional(),
  lifetime: timeout.lifetime.optional(),
});
