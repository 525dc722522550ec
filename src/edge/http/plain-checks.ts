// The checks of a request that asks for no upgrade, in their order: those of a handshake as far as they concern it.

import { hintOfHead } from '../../protocol/hints.ts';
import { judgePlainRequest, type PlainRequest } from '../../protocol/plain-request.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked, Check } from '../admission.ts';
import { addressCheck } from '../checks/address.ts';
import { authCheck } from '../checks/auth.ts';
import { onceCheck } from '../checks/once.ts';
import { drainingCheck, overloadCheck } from '../checks/quotas.ts';
import { loopCheck, notePeer, routeCheck } from '../checks/request.ts';
import type { Barred } from '../quotas.ts';

function plainCheck(asked: Asked): Refusal | null {
  const request = judgePlainRequest(asked.head);
  if (typeof request === 'string') return { slug: request };
  asked.judged = withoutOffer(request);
  asked.record.noteRequest(request);
  notePeer(asked);
  return null;
}

/** What only an upgrade has, such as an offer with a credential in it: nobody reads it here, so nobody repeats it. */
function withoutOffer(request: PlainRequest): PlainRequest {
  const { head } = request;
  const fields = head.fields.filter(({ lower }) => !lower.startsWith('sec-websocket-'));
  return fields.length === head.fields.length ? request : { ...request, head: { ...head, fields } };
}

/** RFC 9110 15.5.22: only WebSockets are served there. */
function servedCheck({ route, head }: Asked): Refusal | null {
  if (route.http !== null) return null;
  const slug = head.method === 'GET' ? 'upgrade_required' : 'method';
  return { slug, cause: hintOfHead(slug, head) };
}

function bodyCheck({ route, plain }: Asked): Refusal | null {
  const { body } = plain;
  return body.kind === 'length' && body.bytes > route.config.limits.max_body_size ? BODY_TOO_LARGE : null;
}

function rateCheck(asked: Asked): Refusal | null | Promise<Refusal | null> {
  const { arrival, context } = asked;
  const answer = context.quotas.admitRequest(arrival.client, context.clock.now());
  return answer instanceof Promise ? answer.then((late) => noted(asked, late)) : noted(asked, answer);
}

function noted({ record, signal }: Asked, barred: Barred | null): Refusal | null {
  if (barred !== null && !signal.aborted) record.noteLimit(barred.cause);
  return barred;
}

export const PLAIN_CHECKS: readonly Check[] = [
  plainCheck,
  loopCheck,
  routeCheck,
  servedCheck,
  addressCheck,
  drainingCheck,
  overloadCheck,
  rateCheck,
  bodyCheck,
  authCheck,
  onceCheck,
];

const BODY_TOO_LARGE: Refusal = { slug: 'body_too_large', cause: 'max_body_size' };
