// Whole sessions in memory: both peers do legal and illegal things in random order, with random cuts, pauses, FINs and
// RSTs, on a clock that the case moves; the reference model judges every write, end and deadline.

import { Random } from '../../support/random.ts';
import type { FuzzTarget } from '../fuzz-target.ts';
import { type Sabotage, SessionRun, World } from '../model/session-run.ts';

/** Of a story, from its end: the rest says what led there, the seed says it all. */
const STORY_LINES_MAX = 120;

let world = new World();

export const session: FuzzTarget = {
  name: 'session',
  run(random) {
    runSession(random.seed);
  },
};

/** The session of that seed; when it is not in order, again with everything told. */
export function runSession(seed: number, sabotage?: Sabotage): void {
  const more = sabotage === undefined ? {} : { sabotage };
  try {
    new SessionRun({ world, random: new Random(seed), ...more }).run();
  } catch (error) {
    world = new World();
    const story: string[] = [];
    const tell = (what: string) => story.push(what);
    let told = error;
    try {
      new SessionRun({ world, random: new Random(seed), tell, ...more }).run();
    } catch (again) {
      told = again;
    }
    world = new World();
    const message = told instanceof Error ? (told.stack ?? told.message) : String(told);
    throw new Error(`session of seed ${seed}: ${message}\n${story.slice(-STORY_LINES_MAX).join('\n')}`);
  }
}
