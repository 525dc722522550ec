// How sessions have ended, for those who ask why: of all that end, for ten minutes. The oldest makes room.

import type { EndKeeper } from '../edge/session-record.ts';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import { type SessionStory, type Standing, standingOf, storyOf } from './session-story.ts';
import type { ToldSession } from './session-view.ts';

const KEPT_MS = 600_000;
/** Some 2 KB each, and 8 bytes more for each recorded frame. */
const KEPT_MAX = 10_000;

interface KeptEndsOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class KeptEnds implements EndKeeper {
  private readonly clock: Clock;
  private readonly wheel: TimerWheel;
  /** Of sessions that are ending: at most as many as are open. */
  private readonly begun = new Map<ToldSession, Standing>();
  /** By session, in the order of their ends; at most KEPT_MAX. */
  private readonly kept = new Map<string, SessionStory>();
  private readonly alarm = new Alarm((now) => this.dropOld(now));

  constructor({ clock, wheel }: KeptEndsOptions) {
    this.clock = clock;
    this.wheel = wheel;
  }

  onEnding(record: ToldSession): void {
    this.begun.set(record, standingOf(record, this.clock.now()));
  }

  onEnded(record: ToldSession): void {
    const now = this.clock.now();
    const standing = this.begun.get(record) ?? standingOf(record, now);
    this.begun.delete(record);
    this.kept.set(record.facts.session, storyOf(record, standing, now));
    if (this.kept.size === 1) this.wheel.schedule(this.alarm, now + KEPT_MS);
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT_MAX && oldest !== undefined) this.kept.delete(oldest);
  }

  /** Of one that is open, or is ending. */
  storyOf(record: ToldSession): SessionStory {
    return storyOf(record, this.begun.get(record) ?? standingOf(record, this.clock.now()), null);
  }

  /** Null: it has not ended, or is forgotten. */
  find(session: string): SessionStory | null {
    return this.kept.get(session) ?? null;
  }

  findByRequest(id: string): SessionStory | null {
    for (const story of this.kept.values()) if (story.view.request_id === id) return story;
    return null;
  }

  private dropOld(now: number): void {
    for (const [session, { endedAt }] of this.kept) {
      const at = (endedAt ?? now) + KEPT_MS;
      if (at > now) {
        this.wheel.schedule(this.alarm, at);
        return;
      }
      this.kept.delete(session);
    }
  }
}
