// Owns the schema of the limits of one direction: sizes, rates, and what is judged in messages. Every key says what an
// attacker does without it. It must not merge anything.

import { choice, countOr, decimal, decimalOff, documented, onOff, size } from './scalars.ts';
import { z } from './zod.ts';

const KIB = 1024;
const GIB = KIB ** 3;
/** Wire bytes of one message; above, sums of lengths would leave the exact integers. */
const MESSAGE = { min: 1, max: 1024 * GIB, off: true };
const RATE_MAX = 1_000_000;
/** One in 1000 s. */
const RATE_MIN = 0.001;
const BURST_MAX = 1_000_000_000;

/** Events a second. */
export function rate(description: string) {
  return decimalOff(description, RATE_MIN, RATE_MAX);
}

/** Events at once, before their rate holds. */
export function burst(description: string) {
  return decimal(description, 1, BURST_MAX, { default: '2 x the rate, at least 1' });
}

const keys = {
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
  messages_per_second: rate(
    'Messages begun per second, such as 100 or 0.2. ' +
      'Without it a peer keeps the other one busy with tiny messages, each within every size.',
  ),
  message_burst: burst(
    'Messages at once, before messages_per_second holds. Without it a pause or a slow network counts as a flood.',
  ),
  bytes_per_second: size(
    'Payload bytes per second; a frame is charged whole on its header and passes while something is left, ' +
      'which may leave a debt. Without it one session takes the whole network.',
    { min: 1, max: 1024 * GIB, off: true },
  ),
  byte_burst: size(
    'Payload bytes at once, before bytes_per_second holds. Without it one large message counts as a flood.',
    { min: 1, max: 2048 * GIB, off: false },
    { default: '2 x the rate' },
  ),
  control_frames_per_second: rate(
    'Pings and pongs sent unasked per second; over it 1008, whatever on_rate_exceeded says. ' +
      'Without it a flood of pings makes the other peer answer each.',
  ),
  control_frame_burst: burst(
    'Pings and pongs sent unasked at once, before control_frames_per_second holds. ' +
      'Without it two pings in a row count as a flood.',
  ),
  on_rate_exceeded: choice(
    'Over messages_per_second or bytes_per_second: end the session, do not read that peer until the debt is paid, ' +
      'or drop the whole message, which needs compression: off.',
    ['close', 'pause', 'drop'],
  ),
  validate_utf8: onOff(
    'Whether text messages must be UTF-8 (RFC 6455 8.1), judged as they pass; on needs compression: off. ' +
      'Without it one peer makes the other close its session for a fault that is not its own.',
  ),
};

interface Defaults {
  readonly who: string;
  readonly messageSize: string;
  readonly controlFrames: number | 'off';
  readonly onRateExceeded: 'close' | 'pause';
}

const direction = ({ who, messageSize, controlFrames, onRateExceeded }: Defaults) =>
  documented(
    z.strictObject({
      max_message_size: keys.max_message_size.prefault(messageSize),
      max_frame_size: keys.max_frame_size.prefault('off'),
      max_fragments: keys.max_fragments.prefault('auto'),
      messages_per_second: keys.messages_per_second.prefault('off'),
      message_burst: keys.message_burst.optional(),
      bytes_per_second: keys.bytes_per_second.prefault('off'),
      byte_burst: keys.byte_burst.optional(),
      control_frames_per_second: keys.control_frames_per_second.prefault(controlFrames),
      control_frame_burst: keys.control_frame_burst.optional(),
      on_rate_exceeded: keys.on_rate_exceeded.prefault(onRateExceeded),
      validate_utf8: keys.validate_utf8.prefault('off'),
    }),
    `Limits on what the ${who} sends.`,
    { type: 'map' },
  ).prefault({});

const overrides = (who: string) =>
  documented(
    z.strictObject({
      max_message_size: keys.max_message_size.optional(),
      max_frame_size: keys.max_frame_size.optional(),
      max_fragments: keys.max_fragments.optional(),
      messages_per_second: keys.messages_per_second.optional(),
      message_burst: keys.message_burst.optional(),
      bytes_per_second: keys.bytes_per_second.optional(),
      byte_burst: keys.byte_burst.optional(),
      control_frames_per_second: keys.control_frames_per_second.optional(),
      control_frame_burst: keys.control_frame_burst.optional(),
      on_rate_exceeded: keys.on_rate_exceeded.optional(),
      validate_utf8: keys.validate_utf8.optional(),
    }),
    `Overrides limits on what the ${who} sends.`,
    { type: 'map' },
  ).prefault({});

export const directions = {
  from_client: direction({ who: 'client', messageSize: '1MiB', controlFrames: 10, onRateExceeded: 'close' }),
  from_backend: direction({ who: 'backend', messageSize: '16MiB', controlFrames: 'off', onRateExceeded: 'pause' }),
};

export const directionOverrides = { from_client: overrides('client'), from_backend: overrides('backend') };
