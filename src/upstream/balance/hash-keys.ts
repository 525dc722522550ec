// What of a request, or of who it is for, a policy goes by, as text: null where there is nothing of it, or nothing but
// emptiness. Everything is taken as it was sent, byte for byte; escapes are not decoded.

import type { HashKey } from '../../config/types.ts';
import { clientKeyOf } from '../../protocol/addresses/client-key.ts';
import { claimTexts, type Holder } from '../../protocol/claims.ts';
import { cookieValues } from '../../protocol/cookies.ts';
import { valuesOf } from '../../protocol/lists.ts';
import { unreachable } from '../../unreachable.ts';
import type { SessionRequest } from './balancer.ts';

export type TextOf = (asked: SessionRequest) => string | null;

/** The client's address; of an IPv6 one its /64, which is what one subscriber has. */
export function sourceText({ clientAddress }: SessionRequest): string | null {
  return clientKeyOf(clientAddress);
}

export function textOf(key: HashKey): TextOf {
  switch (key.kind) {
    case 'header':
      return ({ request }) => filled(headerText(request.head.fields, key.name));
    case 'cookie':
      return ({ request }) => filled(cookieValues(valuesOf(request.head.fields, 'cookie'), key.name, 1)[0]);
    case 'query':
      return ({ request }) => filled(parameterOf(request.query, key.name));
    case 'path':
      return ({ request }) => request.path;
    case 'segment':
      // The path begins with a slash, so the first segment stands behind an empty piece.
      return ({ request }) => filled(request.path.split('/', key.index + 1)[key.index]);
    case 'identity':
      return ({ holder }) => identityText(holder);
    case 'claim':
      return ({ holder }) => filled(claimTexts(holder?.claims ?? null, key.name).join(','));
    default:
      return unreachable(key);
  }
}

/** Names are unique within a method only, whose own name has no "/" in it. */
function identityText(holder: Holder | null): string | null {
  return holder === null || holder.identity === null ? null : `${holder.auth}/${holder.identity}`;
}

function filled(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

/** RFC 9110 5.3: several lines are one list. */
function headerText(fields: SessionRequest['request']['head']['fields'], lower: string): string {
  const values = fields.filter((field) => field.lower === lower).map(({ value }) => value);
  return values.join(', ');
}

/** The first of that name. */
function parameterOf(query: string, name: string): string | undefined {
  let at = 1; // behind the question mark
  while (at < query.length) {
    const next = query.indexOf('&', at);
    const end = next === -1 ? query.length : next;
    if (query.startsWith(name, at) && query[at + name.length] === '=') return query.slice(at + name.length + 1, end);
    at = end + 1;
  }
  return undefined;
}
