// Which pages may open WebSockets here. A browser sends its cookies along with whatever page asks (RFC 6455 10.2), and
// only Origin, which no page can choose or leave out, tells whose page that is.

import { valuesOf } from '../../protocol/lists.ts';
import type { OriginSet } from '../../protocol/origin.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';
import { isAmbient } from '../auth/ambient.ts';

export function originCheck(asked: Asked): Refusal | null {
  const { route, request } = asked;
  if (request.origin === null) return mayBeMissing(asked) ? null : MISSING;
  return route.origins === null || allows(route.origins, asked, request.origin) ? null : NOT_ALLOWED;
}

/** Whether it comes from a page that may not connect: to no route where none was found. */
export function isForeign(asked: Asked): boolean {
  const { chosen, request, context } = asked;
  const origins = chosen === null ? context.snapshot.origins : chosen.route.origins;
  return origins !== null && request.origin !== null && !allows(origins, asked, request.origin);
}

/** `auto` refuses where a credential counts that browsers add by themselves. */
function mayBeMissing({ route, request, arrival }: Asked): boolean {
  const { missing_origin: rule } = route.config;
  if (rule !== 'auto') return rule === 'allow';
  return route.auth === null || !isAmbient(route.auth.methods, { request, arrival });
}

function allows(origins: OriginSet, asked: Asked, origin: string): boolean {
  return origins.allows(origin, ownHost(asked));
}

/** What the client knows this place by. Of several that a proxy claims nobody knows which it was: '' is no host. */
function ownHost({ arrival, request, head }: Asked): string {
  if (!arrival.peerTrusted) return request.host;
  const claimed = valuesOf(head.fields, 'x-forwarded-host');
  return claimed.length > 1 ? '' : (claimed[0] ?? request.host);
}

const NOT_ALLOWED: Refusal = { slug: 'origin_not_allowed' };
const MISSING: Refusal = { slug: 'origin_not_allowed', cause: 'no Origin' };
