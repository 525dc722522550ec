// Sessions whose ends are kept, as a proxy with an admin listener keeps them, and what is told of them.

import { expect } from 'vitest';
import { KeptEnds } from '../../src/control/kept-ends.ts';
import type { ToldSession } from '../../src/control/session-view.ts';
import { whyView } from '../../src/control/why.ts';
import { type Rig, type RigOptions, TIMES } from '../session/rig.ts';

/** When it is asked. */
const WALL = Date.UTC(2027, 0, 31);
export const FACTS: ToldSession['facts'] = {
  session: 'cafe-1',
  listener: 'public',
  route: 'chat',
  upstream: 'rooms',
  target: 'a',
  client: '192.0.2.7',
  peer: undefined,
  path: '/chat/a',
  request_id: 'r1',
  subprotocol: undefined,
  auth: 'users',
  identity: 'acme',
  connect_ms: 1,
  upgrade_ms: 2,
};

/** A session whose end is kept, and what is told of it. */
export function watched(make: (options: RigOptions) => Rig, facts = FACTS) {
  const options = { onEnding: () => ends.onEnding(record), onEnd: () => ends.onEnded(record) };
  const rig = make(options);
  const ends = new KeptEnds(rig);
  const record: ToldSession = { session: rig.session, facts, startedAt: rig.clock.now(), credential: null };
  const why = () => {
    const story = ends.find(facts.session) ?? ends.storyOf(record);
    return whyView(story, { now: rig.clock.now(), wallNow: WALL });
  };
  return { rig, ends, record, why };
}

/** Nobody answers: both are gone a little later. */
export function leave(rig: Rig): void {
  rig.advance(TIMES.lastAnswers);
  rig.rstFrom(rig.client);
  rig.rstFrom(rig.backend);
}

/** 80x24, with a line for the prompt. */
export function expectOneScreen(picture: string): void {
  const lines = picture.trimEnd().split('\n');
  expect(lines.length).toBeLessThan(24);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
}
