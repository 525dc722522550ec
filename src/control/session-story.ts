// What is known of the end of a session, or of one that is open, for those who ask why. Read from the live objects when
// its end begins and when it is over: it keeps none of them but the flight recorder.

import type { NearLimit, SessionView } from '../admin/subject.ts';
import { byOf } from '../edge/session-record.ts';
import type { EndCause, Side } from '../protocol/end-causes.ts';
import { VIOLATIONS, type ViolationRule } from '../protocol/violations.ts';
import { type LimitUse, limitPlace, limitUses } from '../session/near-limits.ts';
import type { Recorder } from '../session/recorder.ts';
import type { Session } from '../session/session.ts';
import { sessionView, type ToldSession, trafficView } from './session-view.ts';

/** What an open session stands at, or stood at when its end began. */
export interface Standing {
  readonly at: number;
  readonly view: SessionView;
  /** Of the limits and timeouts that were used by half at least, the nearest first. */
  readonly near: readonly NearLimit[];
}

export interface SessionStory extends Standing {
  readonly state: 'open' | 'closing' | 'ended';
  readonly startedAt: number;
  /** Null: not yet. */
  readonly endedAt: number | null;
  readonly connectMs: number;
  readonly upgradeMs: number;
  readonly cause: EndCause | null;
  readonly by: Side | 'proxy' | null;
  /** Its place in the config. */
  readonly limit: string | null;
  /** The rule of frames that was broken. */
  readonly rule: ViolationRule | null;
  /** What the connection of who caused it was lost by; null: it ended by FIN. */
  readonly lostBy: string | null;
  readonly code: number | null;
  readonly codeBackend: number | null;
  readonly reason: string | null;
  /** Who did not answer its Close in time. */
  readonly silent: readonly Side[];
  readonly clean: boolean;
  readonly midFrame: boolean;
  readonly recorder: Recorder | null;
}

/** So many at most. */
const NEAR_MAX = 8;
const NEAR_SHARE = 0.5;
/** Of hundredths. */
const PRECISION = 100;

export function standingOf(record: ToldSession, now: number): Standing {
  return { at: now, view: sessionView(record, now), near: nearest(limitUses(record.session, now), limitOf(record)) };
}

/** `standing`: when its end began, of one that ends. */
export function storyOf(record: ToldSession, standing: Standing, endedAt: number | null): SessionStory {
  const { session, facts, startedAt } = record;
  const { client, backend, cause, broken } = session;
  const culprit = cause === 'backend_lost' ? backend : client;
  return {
    ...standing,
    view: {
      ...standing.view,
      from_client: { ...standing.view.from_client, ...trafficView(client) },
      from_backend: { ...standing.view.from_backend, ...trafficView(backend) },
    },
    state: endedAt !== null ? 'ended' : cause === null ? 'open' : 'closing',
    startedAt,
    endedAt,
    connectMs: facts.connect_ms,
    upgradeMs: facts.upgrade_ms,
    cause,
    by: cause === null ? null : byOf(session),
    limit: limitOf(record),
    rule: broken === null ? null : VIOLATIONS[broken.violation],
    lostBy: culprit.lostBy,
    code: client.closeSent,
    codeBackend: backend.closeSent,
    reason: ownText(session),
    silent: [client, backend].filter(({ isUnanswered }) => isUnanswered).map(({ side }) => side),
    clean: session.isClean,
    midFrame: session.midFrame,
    recorder: endedAt === null ? session.recorder : (session.recorder?.trimmed() ?? session.recorder),
  };
}

/** The text of our own Close to the client. */
function ownText(session: Session): string | null {
  const isRelayed = session.cause === 'client_close' || session.cause === 'backend_close';
  if (session.client.closeSent === null || isRelayed) return null;
  return session.noticeFor('client')?.text ?? null;
}

function limitOf({ session }: ToldSession): string | null {
  const by = byOf(session);
  return session.limit === null ? null : limitPlace(session.limit, by === 'proxy' ? null : by);
}

/** One of each key; what ended it comes first, however little of it was used. */
function nearest(uses: readonly LimitUse[], limit: string | null): NearLimit[] {
  const found = new Map<string, NearLimit>();
  for (const use of uses) {
    const share = Math.floor((use.used / use.limit) * PRECISION) / PRECISION;
    const isNear = share >= NEAR_SHARE || use.key === limit;
    if (!isNear || !Number.isFinite(share) || (found.get(use.key)?.share ?? -1) >= share) continue;
    found.set(use.key, { ...use, used: Math.round(use.used), share });
  }
  const rank = ({ key, share }: NearLimit) => (key === limit ? Number.POSITIVE_INFINITY : share);
  return [...found.values()].sort((a, b) => rank(b) - rank(a)).slice(0, NEAR_MAX);
}
