// How near a session is to what may end it: of each limit and timeout of its policy that is in force, what is used. A
// pure reading.

import type { Side } from '../protocol/end-causes.ts';
import type { End } from './end.ts';
import type { Session } from './session.ts';

export interface LimitUse {
  /** Its place in the config: `limits.from_client.max_message_size`, `timeouts.idle`. */
  readonly key: string;
  readonly unit: 'bytes' | 'ms' | 'count';
  readonly limit: number;
  readonly used: number;
}

const DIRECTIONS = { client: 'from_client', backend: 'from_backend' } as const;

/** The keys of a direction; all others of a session are timeouts. */
const OF_DIRECTION: ReadonlySet<string> = new Set([
  'max_message_size',
  'max_frame_size',
  'max_fragments',
  'messages_per_second',
  'bytes_per_second',
  'control_frames_per_second',
]);

/** Those of all sessions together. */
const OF_ALL: ReadonlySet<string> = new Set(['max_buffered_total', 'max_memory']);

/** The place in the config of a limit that a session ended by; `by` is who broke it. */
export function limitPlace(limit: string, by: Side | null): string {
  if (OF_DIRECTION.has(limit)) return `limits.${DIRECTIONS[by ?? 'client']}.${limit}`;
  return OF_ALL.has(limit) ? `limits.${limit}` : `timeouts.${limit}`;
}

/** Of some keys one for each side; what ended it by its size stands in front. */
export function limitUses(session: Session, now: number): LimitUse[] {
  const { client, backend, policy, broken } = session;
  const uses = [...endUses(session, client, now), ...endUses(session, backend, now)];
  const silentMs = now - Math.max(client.relay.lastByteAt, backend.relay.lastByteAt);
  uses.push({ key: 'timeouts.idle', unit: 'ms', limit: policy.idleMs, used: silentMs });
  const livedMs = policy.lifetimeMs - (session.lifetimeAt - now);
  uses.push({ key: 'timeouts.lifetime', unit: 'ms', limit: policy.lifetimeMs, used: livedMs });
  if (broken !== null && session.limit !== null) {
    const own = brokenLimit(session, session.limit, broken.value);
    return [own, ...uses.filter(({ key }) => key !== own.key)];
  }
  return rateCause(session.cause) ? uses.map((use) => usedUp(use, session)) : uses;
}

const rateCause = (cause: Session['cause']) => cause === 'client_rate' || cause === 'backend_rate';

/** Of the rate that ended it: what was left of its burst let nothing through, being less than one message. */
function usedUp(use: LimitUse, { cause, limit }: Session): LimitUse {
  const place = limitPlace(limit ?? '', cause === 'client_rate' ? 'client' : 'backend');
  return use.key === place ? { ...use, used: Math.max(use.used, use.limit) } : use;
}

function brokenLimit({ cause, policy }: Session, key: string, used: number): LimitUse {
  const side = cause?.startsWith('client') === true ? 'client' : 'backend';
  const { messageBytesMax, frameBytesMax, fragmentsMax } = side === 'client' ? policy.fromClient : policy.fromBackend;
  const place = limitPlace(key, side);
  if (key === 'max_fragments') return { key: place, unit: 'count', limit: fragmentsMax, used };
  return { key: place, unit: 'bytes', limit: key === 'max_frame_size' ? frameBytesMax : messageBytesMax, used };
}

function endUses({ policy }: Session, { side, relay, transport, backlog, liveness }: End, now: number): LimitUse[] {
  const of = `limits.${DIRECTIONS[side]}`;
  const { messageBytesMax, fragmentsMax } = side === 'client' ? policy.fromClient : policy.fromBackend;
  const { largestMessage, fragments, inMessage } = relay.scanner;
  const uses: LimitUse[] = [
    { key: `${of}.max_message_size`, unit: 'bytes', limit: messageBytesMax, used: largestMessage },
    { key: `${of}.max_fragments`, unit: 'count', limit: fragmentsMax, used: inMessage ? fragments : 0 },
    { key: 'limits.max_buffered', unit: 'bytes', limit: policy.bufferedBytesMax, used: transport.held },
  ];
  for (const { key, used, burst } of relay.burstUses(now)) {
    uses.push({ key: `${of}.${key}`, unit: key === 'bytes_per_second' ? 'bytes' : 'count', limit: burst, used });
  }
  const wait = (key: string, limit: number, since: number) =>
    uses.push({ key: `timeouts.${key}`, unit: 'ms', limit, used: now - since });
  if (transport.pending > 0) {
    wait('write_stall', policy.writeStallMs, backlog.progressAt);
    wait('slow_reader', policy.slowReaderMs, backlog.since);
  }
  if (relay.isMidMessage && !transport.paused) wait('message_stall', policy.messageStallMs, relay.messageAt);
  const owesLife = liveness.silentSince < now && relay.lastByteAt < liveness.silentSince;
  if (owesLife) wait('pong', policy.pongMs, Math.max(liveness.silentSince, liveness.takenAt));
  return uses;
}
