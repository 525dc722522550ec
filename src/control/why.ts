// The answer to why a session ended: its story with a sentence, times of the day, and what to change. A pure reading.

import type { WhyView } from '../admin/subject.ts';
import type { RunningProxy } from './running-proxy.ts';
import { findByRequest, findSession } from './session-lists.ts';
import type { SessionStory } from './session-story.ts';
import { frameViews } from './session-view.ts';
import { changesFor, sentenceOf } from './why-texts.ts';

interface Clocks {
  readonly now: number;
  /** Milliseconds since 1970. */
  readonly wallNow: number;
}

/** By the id of a session, or of its request. */
export function whyOf({ edge, ends }: Pick<RunningProxy, 'edge' | 'ends'>, id: string): WhyView | null {
  const { sessions } = edge;
  // Ids of requests may come from a proxy in front: one that looks like a session's is none.
  const open = findSession(sessions, id);
  const ended = open === null ? ends.find(id) : null;
  const record = open ?? (ended === null ? findByRequest(sessions, id) : null);
  const story = record === null ? (ended ?? ends.findByRequest(id)) : ends.storyOf(record);
  return story === null ? null : whyView(story, { now: edge.clock.now(), wallNow: edge.snapshot.wallNow() });
}

export function whyView(story: SessionStory, { now, wallNow }: Clocks): WhyView {
  const { startedAt, endedAt, cause } = story;
  const endingAt = cause === null ? null : story.at;
  const { id: session, state: _, reason: __, ...facts } = story.view;
  const isoAt = (at: number) => new Date(wallNow - (now - at)).toISOString();
  return {
    session,
    state: story.state,
    sentence: sentenceOf(story),
    cause,
    code: story.code,
    code_backend: story.codeBackend,
    reason: story.reason,
    by: story.by,
    limit: story.limit,
    clean: story.clean,
    mid_frame: story.midFrame,
    facts,
    times: {
      opened_at: isoAt(startedAt),
      ending_at: endingAt === null ? null : isoAt(endingAt),
      ended_at: endedAt === null ? null : isoAt(endedAt),
      lived_ms: Math.round((endingAt ?? now) - startedAt),
      closing_ms: endingAt === null ? null : Math.round((endedAt ?? now) - endingAt),
      connect_ms: story.connectMs,
      upgrade_ms: story.upgradeMs,
    },
    near: story.near,
    record: frameViews(story.recorder, startedAt),
    change: changesFor(story),
  };
}
