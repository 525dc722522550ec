// A newcomer: opens a session, sends one message, closes when it is back, and comes to nothing where a deploy is not
// without a gap.

import type { WireMaker } from '../load/wire.ts';
import type { WireTarget } from '../load/wire-form.ts';
import { NUMBER_BYTES, numberedPayload, UNCOUNTED } from './numbered.ts';
import { NO_CLOSE } from './server-frames.ts';
import type { ConnectOutcome } from './tally.ts';
import { Visit } from './visit.ts';

const ECHO_MS = 10_000;
const ORDERLY = 1000;

export interface NewcomerResult {
  readonly outcome: ConnectOutcome;
  /** It was let in, and lost its session without a Close, or waited too long, before its message was back. */
  readonly isCut: boolean;
}

/** Resolves when it is over in every way. */
export async function welcome(maker: WireMaker, target: WireTarget): Promise<NewcomerResult> {
  let isBack = false;
  let end = (_code: number) => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const visit = new Visit({
    onMessage: () => {
      isBack = true;
      visit.close(ORDERLY);
    },
    onEnd: (code) => end(code),
  });
  const outcome = await visit.open(maker, target);
  if (outcome !== 'opened') return { outcome, isCut: false };
  visit.send(numberedPayload({ client: UNCOUNTED, session: 0, number: 0 }, NUMBER_BYTES));
  const late = setTimeout(() => {
    visit.leave();
    end(NO_CLOSE);
  }, ECHO_MS);
  const code = await ended;
  clearTimeout(late);
  return { outcome, isCut: !isBack && code === NO_CLOSE };
}
