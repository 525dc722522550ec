// Traffic of a chat as `advise` is given it.

import type { AdviceInput } from '../../src/observe/advice.ts';
import { adviseExpiry } from '../../src/observe/expiry-advice.ts';
import { TrafficProfile } from '../../src/observe/profile.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const OFF = Number.POSITIVE_INFINITY;

export function adviceInput(profile: TrafficProfile, change: Partial<AdviceInput> = {}): AdviceInput {
  const direction = { max_message_size: MIB, max_fragments: 1024, messages_per_second: OFF, bytes_per_second: OFF };
  return {
    route: 'chat',
    sessionsOpen: 34,
    sessionsTotal: 546,
    clients: 12,
    profile,
    limits: { from_client: direction, from_backend: { ...direction, max_message_size: 16 * MIB } },
    timeouts: {
      connect: 5_000,
      upgrade: 10_000,
      open: 15_000,
      idle: 3_600_000,
      message_stall: 60_000,
      write_stall: 60_000,
      slow_reader: OFF,
      client_ping_interval: 30_000,
      backend_ping_interval: OFF,
      lifetime: OFF,
    },
    relaxed: [],
    http: null,
    expiry: adviseExpiry(0, 0),
    hits: () => 0,
    largestRefused: () => 0,
    ends: () => 0,
    ...change,
  };
}

/** Chat messages: mostly small, a few large ones, the largest 18 KiB. */
export function chatProfile(): TrafficProfile {
  const profile = new TrafficProfile();
  for (let index = 0; index < 1000; index += 1) {
    profile.fromClient.recordMessages(index % 100 === 0 ? 18 * KIB : 100 + (index % 50), 1);
    if (index % 3 > 0) profile.fromClient.recordFragments(1 + (index % 3));
    profile.fromClient.recordSecond(1 + (index % 10), 1000);
    profile.fromClient.recordSilence(index * 100);
    profile.recordQuiet(index * 100);
    profile.recordHandshake(3, 8, 12);
    profile.recordSession(60_000 + index);
  }
  return profile;
}
