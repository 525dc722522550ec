// Owns the keys of `close_codes`: one for each cause that framegate sends a Close of its own for.
// It must not know what the causes mean.

import { END_CAUSES, MAPPABLE_CAUSES } from '../../protocol/end-causes.ts';
import type { Row } from './row.ts';

type CloseCodeRow = Extract<Row, { kind: 'close_code' }> & { readonly unset: string };

export const closeCodes: Readonly<Record<string, CloseCodeRow>> = Object.fromEntries(
  MAPPABLE_CAUSES.map((cause): [string, CloseCodeRow] => [
    cause,
    {
      kind: 'close_code',
      unset: String(END_CAUSES[cause].client?.code ?? ''),
      example: '4000',
      says: `Code for the client when a session ends by ${cause}.`,
    },
  ]),
);
