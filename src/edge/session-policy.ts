// A route's limits and timeouts in the form that its sessions work with.

import type { DirectionLimits, QuotaConfig, RouteConfig } from '../config/types.ts';
import type { EndCause } from '../protocol/end-causes.ts';
import type { ScannerLimits } from '../protocol/frame-scanner.ts';
import type { SessionPolicy, SidePolicy } from '../session/policy.ts';

export function policyOf(route: RouteConfig): SessionPolicy {
  const { limits, timeouts } = route;
  return {
    fromClient: scannerLimits(limits.from_client),
    fromBackend: scannerLimits(limits.from_backend),
    client: sidePolicy(limits.from_client, timeouts.client_ping_interval),
    backend: sidePolicy(limits.from_backend, timeouts.backend_ping_interval),
    bufferedBytesMax: limits.max_buffered,
    idleMs: timeouts.idle,
    messageStallMs: timeouts.message_stall,
    writeStallMs: timeouts.write_stall,
    slowReaderMs: timeouts.slow_reader,
    closeMs: timeouts.close,
    pongMs: timeouts.pong,
    lifetimeMs: timeouts.lifetime,
    recordedFrames: route.record === 'off' ? 0 : route.record.frames,
    closeCodes: route.close_codes as Partial<Record<EndCause, number>>, // its keys were checked; others are of refusals
  };
}

/** The same object where the quota of its credential asks for nothing stricter. */
export function policyWithin(policy: SessionPolicy, quota: QuotaConfig | null): SessionPolicy {
  if (quota === null) return policy;
  const { rates } = policy.client;
  const { messages_per_second: messages, bytes_per_second: bytes } = quota.from_client;
  if (messages >= rates.messagesPerSecond && bytes >= rates.bytesPerSecond) return policy;
  const ofMessages = stricter(messages, { rate: rates.messagesPerSecond, burst: rates.messageBurst });
  const ofBytes = stricter(bytes, { rate: rates.bytesPerSecond, burst: rates.byteBurst });
  const within = {
    ...rates,
    messagesPerSecond: ofMessages.rate,
    messageBurst: ofMessages.burst,
    bytesPerSecond: ofBytes.rate,
    byteBurst: ofBytes.burst,
  };
  return { ...policy, client: { ...policy.client, rates: within } };
}

interface Rate {
  readonly rate: number;
  readonly burst: number;
}

/** A quota has the usual burst, but no larger one than its route. */
function stricter(quota: number, own: Rate): Rate {
  return quota < own.rate ? { rate: quota, burst: Math.min(own.burst, Math.max(1, 2 * quota)) } : own;
}

function scannerLimits(limits: DirectionLimits): ScannerLimits {
  return {
    messageBytesMax: limits.max_message_size,
    frameBytesMax: limits.max_frame_size,
    fragmentsMax: limits.max_fragments,
  };
}

function sidePolicy(limits: DirectionLimits, pingIntervalMs: number): SidePolicy {
  return {
    rates: {
      messagesPerSecond: limits.messages_per_second,
      messageBurst: limits.message_burst,
      bytesPerSecond: limits.bytes_per_second,
      byteBurst: limits.byte_burst,
      controlFramesPerSecond: limits.control_frames_per_second,
      controlFrameBurst: limits.control_frame_burst,
      onExceeded: limits.on_rate_exceeded,
    },
    validateUtf8: limits.validate_utf8,
    pingIntervalMs,
  };
}
