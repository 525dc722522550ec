// Uses up what counts once. It is the last check: what another one refuses may come again.

import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';
import type { AuthVerdict } from '../auth/method.ts';

export function onceCheck(asked: Asked): Refusal | null | Promise<Refusal | null> {
  const verdict = asked.grant?.use?.() ?? null;
  return verdict instanceof Promise ? verdict.then((late) => refusalOf(asked, late)) : refusalOf(asked, verdict);
}

function refusalOf({ route }: Asked, verdict: AuthVerdict | null): Refusal | null {
  if (verdict === null) return null;
  const cause = 'cause' in verdict ? verdict.cause : verdict.kind;
  if (verdict.kind === 'unavailable') return { slug: 'auth_unavailable', cause };
  return route.auth?.unauthorized(cause) ?? { slug: 'unauthorized', cause };
}
