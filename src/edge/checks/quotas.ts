// Whether there is room for one more: nothing drains, memory is left, and the rates and caps let it in.

import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';
import { BARRED, type Barred } from '../quotas.ts';
import { Seat } from '../seat.ts';

export function drainingCheck({ route, context }: Asked): Refusal | null {
  return context.refusing || route.draining ? DRAINING : null;
}

export function overloadCheck(asked: Asked): Refusal | null {
  const { buffers, memory } = asked.context;
  if (buffers.isOver) return barred(asked, BARRED.overload);
  return memory.isOver ? barred(asked, BARRED.memory) : null;
}

export function quotasCheck(asked: Asked): Refusal | null | Promise<Refusal | null> {
  const { arrival, claim, route, context } = asked;
  const entered = context.quotas.enter(arrival.client, route, context.clock.now(), claim);
  return entered instanceof Promise ? entered.then((late) => seated(asked, late)) : seated(asked, entered);
}

function seated(asked: Asked, entered: Seat | Barred): Refusal | null {
  if (!(entered instanceof Seat)) return barred(asked, entered);
  asked.takeSeat(entered);
  return null;
}

function barred({ record, signal }: Asked, refusal: Barred): Refusal {
  if (!signal.aborted) record.noteLimit(refusal.cause);
  return refusal;
}

const DRAINING: Refusal = { slug: 'draining' };
