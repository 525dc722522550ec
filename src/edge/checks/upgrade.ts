// What a request has to be before anything else is asked of it: a WebSocket handshake, and one that has not been here.

import { namesInstance } from '../../protocol/backend-request.ts';
import { hintOfHead } from '../../protocol/hints.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import { judgeUpgradeRequest } from '../../protocol/upgrade-request.ts';
import type { Asked } from '../asked.ts';
import { relaxedChecks } from '../relaxed-checks.ts';

export function upgradeCheck(asked: Asked): Refusal | null {
  const { arrival, head, record, context } = asked;
  const { peer, peerTrusted, requestId } = arrival;
  const from = { snapshot: context.snapshot, listener: arrival.listener.config.name, peerAddress: peer };
  const verdict = judgeUpgradeRequest(head, (place) => relaxedChecks({ ...from, place }));
  if (!verdict.ok) return { slug: verdict.slug, cause: hintOfHead(verdict.slug, head) };
  asked.upgrade = verdict.request;
  record.noteRequest(verdict.request);
  context.notices.note({ fields: head.fields, listener: arrival.listenerName, peer, peerTrusted, requestId });
  return null;
}

export function loopCheck({ head, context }: Asked): Refusal | null {
  return namesInstance(head, context.instanceId) ? LOOP : null;
}

const LOOP: Refusal = { slug: 'loop' };
