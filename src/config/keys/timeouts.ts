// Owns the keys of `timeouts`, which routes override key by key. `without` says what an attacker does without one.

import { DURATION_MAX } from '../units.ts';
import type { Keys } from './row.ts';

const TIMEOUT = { kind: 'duration', min: 1, max: DURATION_MAX, off: true } as const;

export const timeouts = {
  handshake: {
    ...TIMEOUT,
    default: '10s',
    scope: 'global',
    needed: true,
    says: 'From accept to the complete request head, absolute; then 408.',
    without: 'heads sent one byte a minute hold connections for ever',
  },
  connect: {
    ...TIMEOUT,
    default: '5s',
    needed: true,
    says: 'One try of one target: name look-up, TCP to each of its addresses, TLS.',
    without: 'a silent host holds clients for minutes',
  },
  upgrade: {
    ...TIMEOUT,
    default: '10s',
    needed: true,
    serves: 'sockets',
    says: 'From the request sent to the complete 101 of the backend.',
    without: 'a hung backend holds clients for ever',
  },
  open: {
    ...TIMEOUT,
    default: '15s',
    needed: true,
    says:
      'From the complete request head to our 101, all tries together; then 504, or 503 where it still waits for its ' +
      'turn.',
    without: 'retries add up',
  },
  auth: {
    ...TIMEOUT,
    default: '5s',
    needed: true,
    says: 'All methods of one handshake or request together; then 503 auth_unavailable.',
    without: 'a hung authorization server holds clients until timeouts.open',
  },
  idle: {
    ...TIMEOUT,
    default: '1h',
    says:
      'No byte of a frame from either side for this long ends the session with 1001; no byte of an answer cuts it. ' +
      'A pong to a ping of ours is one, so a client that is pinged more often is idle only when it does not answer.',
    without: 'abandoned sessions stay for ever',
  },
  message_stall: {
    ...TIMEOUT,
    default: '60s',
    serves: 'sockets',
    says: 'A message begun, and not one more byte of it for this long while we were reading that peer.',
    without: 'half messages hold buffers for ever',
  },
  write_stall: {
    ...TIMEOUT,
    default: '60s',
    needed: true,
    says: 'Data waits for a peer and no write to it finished for this long.',
    without: 'a peer that never reads holds its session for ever',
  },
  slow_reader: {
    ...TIMEOUT,
    default: 'off',
    serves: 'sockets',
    says: 'Data has waited for a peer without a break for this long, though it takes some.',
    without: 'a peer that reads a byte a minute holds its buffers for ever',
  },
  close: {
    ...TIMEOUT,
    default: '5s',
    needed: true,
    serves: 'sockets',
    says: 'From Close sent to Close received, and then to the end of the connection.',
    without: 'peers that ignore a Close keep their connection',
  },
  client_ping_interval: {
    ...TIMEOUT,
    default: '30s',
    serves: 'sockets',
    says: 'Not one byte from the client for this long: it is sent a ping.',
    without: 'a client that vanished without a word keeps its session until idle',
  },
  backend_ping_interval: {
    ...TIMEOUT,
    default: 'off',
    serves: 'sockets',
    says: 'Not one byte from the backend for this long: it is sent a ping.',
    without: 'a backend that vanished without a word keeps its sessions until idle',
  },
  pong: {
    ...TIMEOUT,
    default: '20s',
    serves: 'sockets',
    says: 'After a ping of ours was written: no byte came, and nothing that waited was taken.',
    without: 'pings find nobody missing',
  },
  keep_alive: {
    ...TIMEOUT,
    default: '15s',
    scope: 'global',
    needed: true,
    serves: 'http',
    says: 'A connection that served a request without upgrade waits for the next one, without a byte of it.',
    without: 'connections of browsers that do nothing stay',
  },
  body: {
    ...TIMEOUT,
    default: '60s',
    needed: true,
    serves: 'http',
    says: 'Not one byte of the body of a request without upgrade for this long, while it was read; then 408.',
    without: 'bodies sent one byte an hour hold connections for ever',
  },
  response: {
    ...TIMEOUT,
    default: '2m',
    needed: true,
    serves: 'http',
    says: 'From a request without upgrade sent to the head of its answer; then 504.',
    without: 'a hung backend holds requests for ever',
  },
  lifetime: {
    ...TIMEOUT,
    default: 'off',
    serves: 'sockets',
    says: 'The longest life of a session, which ends at a random point between 90 % and 100 % of it.',
    without: 'a session outlives every change of what it was allowed',
  },
} as const satisfies Keys;
