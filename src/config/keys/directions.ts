// Owns the keys of the limits of one direction: sizes, rates, and what is judged in messages. `without` says what an
// attacker does without a limit.

import { BURST, GIB, RATE } from './bounds.ts';
import type { Keys } from './row.ts';

/** Wire bytes of one message; above, sums of lengths would leave the exact integers. */
const MESSAGE = { min: 1, max: 1024 * GIB } as const;

const fromClient = {
  max_message_size: {
    kind: 'size',
    ...MESSAGE,
    off: true,
    default: '1MiB',
    says: 'Wire bytes of one message, all fragments together; compressed messages count compressed.',
    without: 'one peer makes the other collect gigabytes',
  },
  max_frame_size: {
    kind: 'size',
    ...MESSAGE,
    off: true,
    default: 'off',
    follows: { rule: 'at_most', key: 'max_message_size' },
    says: 'Payload bytes of one frame; off means max_message_size.',
    without: 'a peer declares a frame that blocks its direction for hours',
  },
  max_fragments: {
    kind: 'count',
    min: 1,
    max: 2 ** 31 - 1,
    words: ['auto', 'off'],
    default: 'auto',
    follows: { rule: 'fragments', key: 'max_message_size' },
    says: 'Frames of one message; auto is one per KiB of max_message_size, at least 1024.',
    without: 'a message of empty fragments costs CPU for ever',
  },
  messages_per_second: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 'off',
    says: 'Messages begun per second, such as 100 or 0.2.',
    without: 'a peer keeps the other one busy with tiny messages, each within every size',
  },
  message_burst: {
    kind: 'number',
    ...BURST,
    unset: '2 x the rate, at least 1',
    example: '20',
    follows: { rule: 'burst', key: 'messages_per_second' },
    says: 'Messages at once, before messages_per_second holds.',
    without: 'a pause or a slow network counts as a flood',
  },
  bytes_per_second: {
    kind: 'size',
    min: 1,
    max: 1024 * GIB,
    off: true,
    default: 'off',
    says:
      'Payload bytes per second; a frame is charged whole on its header and passes while something is left, ' +
      'which may leave a debt.',
    without: 'one session takes the whole network',
  },
  byte_burst: {
    kind: 'size',
    min: 1,
    max: 2048 * GIB,
    unset: '2 x the rate',
    example: '2MiB',
    follows: { rule: 'burst', key: 'bytes_per_second' },
    says: 'Payload bytes at once, before bytes_per_second holds.',
    without: 'one large message counts as a flood',
  },
  control_frames_per_second: {
    kind: 'number',
    ...RATE,
    off: true,
    default: 10,
    says: 'Pings and pongs sent unasked per second; over it 1008, whatever on_rate_exceeded says.',
    without: 'a flood of pings makes the other peer answer each',
  },
  control_frame_burst: {
    kind: 'number',
    ...BURST,
    unset: '2 x the rate, at least 1',
    example: '20',
    follows: { rule: 'burst', key: 'control_frames_per_second' },
    says: 'Pings and pongs sent unasked at once, before control_frames_per_second holds.',
    without: 'two pings in a row count as a flood',
  },
  on_rate_exceeded: {
    kind: 'choice',
    words: ['close', 'pause', 'drop'],
    default: 'close',
    says:
      'Over messages_per_second or bytes_per_second: end the session, do not read that peer until the debt is paid, ' +
      'or drop the whole message, which needs compression: off.',
  },
  validate_utf8: {
    kind: 'switch',
    default: 'off',
    says: 'Whether text messages must be UTF-8 (RFC 6455 8.1), judged as they pass; on needs compression: off.',
    without: 'one peer makes the other close its session for a fault that is not its own',
  },
} as const satisfies Keys;

/** The same keys; a backend is trusted with more. */
const fromBackend = {
  ...fromClient,
  max_message_size: { ...fromClient.max_message_size, default: '16MiB' },
  control_frames_per_second: { ...fromClient.control_frames_per_second, default: 'off' },
  on_rate_exceeded: { ...fromClient.on_rate_exceeded, default: 'pause' },
} as const satisfies Keys;

export const directions = {
  from_client: {
    kind: 'block',
    default: {},
    serves: 'sockets',
    says: 'Limits on what the client sends.',
    keys: fromClient,
  },
  from_backend: {
    kind: 'block',
    default: {},
    serves: 'sockets',
    says: 'Limits on what the backend sends.',
    keys: fromBackend,
  },
} as const satisfies Keys;
