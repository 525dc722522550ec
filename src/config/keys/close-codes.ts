// Owns the keys of `close_codes`: one for each cause that framegate sends a Close of its own for, be it at the end of a
// session or in place of one.
// It must not know what the causes mean.

import { END_CAUSES, MAPPABLE_CAUSES } from '../../protocol/end-causes.ts';
import { READABLE_REFUSALS, refusalCode } from '../../protocol/refusal-close.ts';
import type { Row } from './row.ts';

type CloseCodeRow = Extract<Row, { kind: 'close_code' }> & { readonly unset: string };

const ENDS = MAPPABLE_CAUSES.map((cause): [string, CloseCodeRow] => [
  cause,
  rowOf(String(END_CAUSES[cause].client?.code ?? ''), `Code for the client when a session ends by ${cause}.`),
]);

/** A cause of an end that is one of a refusal too has one code for both. */
const REFUSED = READABLE_REFUSALS.filter((slug) => !ENDS.some(([cause]) => cause === slug)).map(
  (slug): [string, CloseCodeRow] => [
    slug,
    rowOf(
      slug === 'backend_refused' ? '4000 + its status; 1013 for 429 and 503, 1014 for other 5xx' : refusalCode(slug),
      `Code for the client when it is refused by ${slug} and refuse_with is close.`,
    ),
  ],
);

function rowOf(unset: string | number, says: string): CloseCodeRow {
  return { kind: 'close_code', unset: String(unset), example: '4000', serves: 'sockets', says };
}

export const closeCodes: Readonly<Record<string, CloseCodeRow>> = Object.fromEntries([...ENDS, ...REFUSED]);
