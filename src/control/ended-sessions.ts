// Whether the next config would end too many open sessions to be meant, because their route, target or credential
// is gone: a file that was cut short while it was written must not send everybody away. It ends nobody itself.

import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { removedFrom } from '../edge/snapshot.ts';
import type { Slices } from '../limits/slices.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import type { SnapshotPlan } from './snapshot.ts';

/** Up to here nobody is asked twice. */
const ENDED_MIN = 100;
/** How often those sessions are counted. */
const COUNT_AGAIN_MS = 1_000;

type Kept = Pick<SnapshotPlan, 'keptRoutes' | 'keptTargets' | 'methods'>;

export interface Ended {
  /** Open, and not ending anyway. */
  readonly open: number;
  readonly ended: number;
}

interface EndedCheckOptions {
  readonly edge: Edge;
  /** Of all that there are, wherever. */
  count(plan: SnapshotPlan): Promise<Ended>;
  /** What was held back ends few enough by now. */
  tryAgain(): Promise<unknown>;
}

export class EndedCheck {
  private readonly options: EndedCheckOptions;
  private readonly alarm = new Alarm(() => void this.look());
  /** What the last reload would have ended, when it is to be tried again. */
  private held: { readonly plan: SnapshotPlan; readonly share: number } | null = null;

  constructor(options: EndedCheckOptions) {
    this.options = options;
  }

  /** Another reload has begun: it is the one that counts. */
  forget(): void {
    this.held = null;
    this.options.edge.wheel.cancel(this.alarm);
  }

  /** Why not; null when it ends few enough. `again`: tried again later. */
  async refusal(plan: SnapshotPlan, share: number, again: boolean): Promise<string | null> {
    const counted = await this.options.count(plan);
    if (!areTooMany(counted, share)) return null;
    if (again) {
      this.held = { plan, share };
      this.lookLater();
    }
    return (
      `would end ${counted.ended} of ${counted.open} open sessions, whose routes, targets or credentials are gone: ` +
      'say so with "framegate reload --force", POST /api/v1/reload?force=1, or reload.max_ended'
    );
  }

  private lookLater(): void {
    const { edge } = this.options;
    edge.wheel.schedule(this.alarm, edge.clock.now() + COUNT_AGAIN_MS);
  }

  /** Sessions may have left: then what was rejected for them is read anew. */
  private async look(): Promise<void> {
    const { held } = this;
    if (held === null || this.options.edge.draining) return;
    const counted = await this.options.count(held.plan);
    if (this.held !== held) return;
    if (areTooMany(counted, held.share)) this.lookLater();
    else await this.options.tryAgain();
  }
}

/** What `plan` would end in this process. */
export function endedBy(plan: SnapshotPlan, edge: Edge, slices: Slices): Promise<Ended> {
  const { snapshot } = edge;
  return slices.run(countEnded(edge.sessions, plan, (record) => removedFrom(snapshot, record) !== null));
}

/** In small steps. `isLost`: it has no place under the config in force, so it ends in any case. */
function* countEnded(
  sessions: ReadonlySet<SessionRecord>,
  plan: Kept,
  isLost: (record: SessionRecord) => boolean,
): Generator<void, Ended> {
  let open = 0;
  let ended = 0;
  // Those that come meanwhile would make it endless.
  let left = sessions.size;
  for (const record of sessions) {
    if (left === 0) break;
    left -= 1;
    if (record.session.cause === null && !isLost(record)) {
      open += 1;
      if (losesPlace(record, plan)) ended += 1;
    }
    yield;
  }
  return { open, ended };
}

function losesPlace({ route, target, credential }: SessionRecord, { keptRoutes, keptTargets, methods }: Kept): boolean {
  return !keptRoutes.has(route) || !keptTargets.has(target) || credential?.isRemovedFrom(methods) === true;
}

/** `share`: from 0 to 1; Infinity for any. */
function areTooMany({ open, ended }: Ended, share: number): boolean {
  return ended > ENDED_MIN && ended > open * share;
}
