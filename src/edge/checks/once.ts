// Uses up what counts once. It is the last check: what another one refuses may come again.

import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';

export function onceCheck({ grant, route }: Asked): Refusal | null {
  const verdict = grant?.use?.() ?? null;
  if (verdict === null) return null;
  const cause = 'cause' in verdict ? verdict.cause : verdict.kind;
  if (verdict.kind === 'unavailable') return { slug: 'auth_unavailable', cause };
  return route.auth?.unauthorized(cause) ?? { slug: 'unauthorized', cause };
}
