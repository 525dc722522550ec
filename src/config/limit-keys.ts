// Owns the schema of limits, timeouts and close codes: the blocks that routes override key by key.
// Every key says what an attacker does without it. It must not merge anything.

import * as z from 'zod';
import { isCloseCodeConfigurable } from '../protocol/close-codes.ts';
import { END_CAUSES, MAPPABLE_CAUSES } from '../protocol/end-causes.ts';
import { count, countOr, documented, duration, size } from './scalars.ts';
import { DURATION_MAX } from './units.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const GIB = KIB * MIB;
const TIMEOUT = { min: 1, max: DURATION_MAX, off: true };
/** Wire bytes of one message; above, sums of lengths would leave the exact integers. */
const MESSAGE = { min: 1, max: 1024 * GIB, off: true };
const SESSIONS_MAX = 10_000_000;

const message = {
  max_message_size: size(
    'Wire bytes of one message, all fragments together; compressed messages count compressed. ' +
      'Without it one peer makes the other collect gigabytes.',
    MESSAGE,
  ),
  max_frame_size: size(
    'Payload bytes of one frame; off means max_message_size. ' +
      'Without it a peer declares a frame that blocks its direction for hours.',
    MESSAGE,
  ),
  max_fragments: countOr(
    'Frames of one message; auto is one per KiB of max_message_size, at least 1024. ' +
      'Without it a message of empty fragments costs CPU for ever.',
    1,
    2 ** 31 - 1,
    ['auto', 'off'],
  ),
};

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
  max_buffered: size(
    'Per session and direction: bytes the slower peer has not taken; from here on its source is not read. ' +
      'Without it a peer that never reads fills the memory.',
    { min: KIB, max: GIB, off: false },
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
    'From the complete request head to our 101, all tries together; then 504. Without it retries add up.',
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
  close: duration(
    'From Close sent to Close received, and then to the end of the connection. ' +
      'Without it peers that ignore a Close keep their connection.',
    TIMEOUT,
  ),
};

const causeNotes = (cause: (typeof MAPPABLE_CAUSES)[number]) => ({
  type: 'close code',
  default: String(END_CAUSES[cause].client?.code ?? ''),
});

const closeCode = (cause: (typeof MAPPABLE_CAUSES)[number]) =>
  documented(
    z.int({ error: CLOSE_CODE_PROBLEM }).refine(isCloseCodeConfigurable, { error: CLOSE_CODE_PROBLEM }),
    `Code for the client when a session ends by ${cause}.`,
    causeNotes(cause),
  ).optional();

const CLOSE_CODE_PROBLEM = 'a close code to choose is 1001, 1008, 1011 to 1014, or 3000 to 4999';

export const closeCodes = documented(
  z.strictObject(Object.fromEntries(MAPPABLE_CAUSES.map((cause) => [cause, closeCode(cause)]))),
  'Which close code the client gets, by the cause of the end (the reason in the log). ' +
    '1001, 1008, 1011 to 1014, 3000 to 4999.',
  { type: 'map' },
).prefault({});

const direction = (messageSize: string, who: string) =>
  documented(
    z.strictObject({
      max_message_size: message.max_message_size.prefault(messageSize),
      max_frame_size: message.max_frame_size.prefault('off'),
      max_fragments: message.max_fragments.prefault('auto'),
    }),
    `Limits on what the ${who} sends.`,
    { type: 'map' },
  ).prefault({});

const directionOverrides = (who: string) =>
  documented(
    z.strictObject({
      max_message_size: message.max_message_size.optional(),
      max_frame_size: message.max_frame_size.optional(),
      max_fragments: message.max_fragments.optional(),
    }),
    `Overrides limits on what the ${who} sends.`,
    { type: 'map' },
  ).prefault({});

export const limits = documented(
  z.strictObject({
    max_head_size: limit.max_head_size.prefault('16KiB'),
    max_target_size: limit.max_target_size.prefault('8KiB'),
    max_header_fields: limit.max_header_fields.prefault(100),
    max_early_bytes: limit.max_early_bytes.prefault('64KiB'),
    max_sessions: limit.max_sessions.prefault(10_000),
    max_buffered: limit.max_buffered.prefault('256KiB'),
    from_client: direction('1MiB', 'client'),
    from_backend: direction('16MiB', 'backend'),
  }),
  'What peers may use. Routes override key by key, except keys marked (global).',
  { type: 'map' },
).prefault({});

export const limitOverrides = z.strictObject({
  max_early_bytes: limit.max_early_bytes.optional(),
  max_sessions: limit.max_sessions.optional(),
  max_buffered: limit.max_buffered.optional(),
  from_client: directionOverrides('client'),
  from_backend: directionOverrides('backend'),
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
    close: timeout.close.prefault('5s'),
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
  close: timeout.close.optional(),
});
