// Owns the schema of close_codes: one key per cause that framegate sends a Close of its own for.
// It must not know what the causes mean.

import { isCloseCodeConfigurable } from '../protocol/close-codes.ts';
import { END_CAUSES, MAPPABLE_CAUSES } from '../protocol/end-causes.ts';
import { documented } from './scalars.ts';
import { z } from './zod.ts';

const causeNotes = (cause: (typeof MAPPABLE_CAUSES)[number]) => ({
  type: 'close code',
  default: String(END_CAUSES[cause].client?.code ?? ''),
});

const CLOSE_CODE_PROBLEM = 'a close code to choose is 1001, 1008, 1011 to 1014, or 3000 to 4999';

const closeCode = (cause: (typeof MAPPABLE_CAUSES)[number]) =>
  documented(
    z.int({ error: CLOSE_CODE_PROBLEM }).refine(isCloseCodeConfigurable, { error: CLOSE_CODE_PROBLEM }),
    `Code for the client when a session ends by ${cause}.`,
    causeNotes(cause),
  ).optional();

export const closeCodes = documented(
  z.strictObject(Object.fromEntries(MAPPABLE_CAUSES.map((cause) => [cause, closeCode(cause)]))),
  'Which close code the client gets, by the cause of the end (the reason in the log). ' +
    '1001, 1008, 1011 to 1014, 3000 to 4999.',
  { type: 'map' },
).prefault({});
