// A route's limits and timeouts in the form that its sessions work with.

import type { DirectionLimits, RouteConfig } from '../config/types.ts';
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
    closeCodes: route.close_codes as Partial<Record<EndCause, number>>, // its keys were checked; others are of refusals
  };
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
