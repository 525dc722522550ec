// The parser of request heads and the judge of upgrades. Accepted: an upgrade that a second, simple reader takes for
// the same one; a refusal by one of the known slugs of what that reader refuses; or waiting for more of what is not
// complete. The same at every cut, without a byte taken beyond the head.

import assert from 'node:assert/strict';
import { type HeadLimits, RequestHeadParser } from '../../../src/protocol/http-head.ts';
import { REFUSALS } from '../../../src/protocol/refusals.ts';
import { judgeUpgradeRequest, type UpgradeRequest } from '../../../src/protocol/upgrade-request.ts';
import { feedAll, LIMITS } from '../../protocol/heads.ts';
import { type ReferenceRequest, referenceRequest } from '../../reference/request.ts';
import type { Random } from '../../support/random.ts';
import { HEAD_TOKENS } from '../attacks.ts';
import { cutsOf, inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';
import { upgradeRequest } from '../upgrades.ts';

/** The first byte chooses the limits. */
const SETUPS: readonly HeadLimits[] = [
  LIMITS,
  { headBytesMax: 300, targetBytesMax: 200, fieldsMax: 100 },
  { headBytesMax: 16 * 1024, targetBytesMax: 9, fieldsMax: 8 },
  { headBytesMax: 4_000, targetBytesMax: 4_000, fieldsMax: 1_000 },
];

export const requestHead = bytesTarget({ name: 'request-head', make, check });

function make(random: Random): Buffer {
  const setup = Buffer.of(random.chance(0.7) ? 0 : random.between(0, SETUPS.length - 1));
  const head = upgradeRequest(random);
  const tail = random.chance(0.3) ? random.bytes(random.between(1, 20)) : Buffer.alloc(0);
  return Buffer.concat([setup, random.chance(0.8) ? mutate(random, head, HEAD_TOKENS) : head, tail]);
}

type Outcome =
  | { readonly kind: 'accepted'; readonly request: UpgradeRequest; readonly rest: Buffer }
  | { readonly kind: 'refused'; readonly slug: string; readonly at: number }
  | { readonly kind: 'more'; readonly bytes: number };

function check(input: Buffer): void {
  const limits = SETUPS[(input[0] ?? 0) % SETUPS.length] ?? LIMITS;
  const bytes = input.subarray(1);
  const outcome = inBoundedTime(() => outcomeOf([bytes], limits));
  for (const cut of cutsOf(bytes)) {
    assert.deepEqual(outcomeOf(cut, limits), outcome, `in ${cut.length} pieces`);
  }
  const expected = referenceRequest(bytes, limits);
  if (outcome.kind === 'refused') assert(Object.hasOwn(REFUSALS, outcome.slug), `unknown slug ${outcome.slug}`);
  if (outcome.kind === 'more') assert.equal(outcome.bytes, bytes.length, 'what waits has taken all');
  if (outcome.kind !== 'accepted') {
    assert.equal(expected, null, `a request in order: ${outcome.kind === 'refused' ? outcome.slug : 'not complete'}`);
    return;
  }
  assert.notEqual(expected, null, 'a request that is not in order was accepted');
  assert.deepEqual(asReference(outcome.request, bytes.length - outcome.rest.length), expected);
  assert(outcome.rest.equals(bytes.subarray(expected?.headBytes)), 'bytes behind the head were touched');
}

function outcomeOf(pieces: readonly Buffer[], limits: HeadLimits): Outcome {
  const { parsed, rest } = feedAll(new RequestHeadParser(limits), pieces);
  if ('more' in parsed) return { kind: 'more', bytes: parsed.more };
  if ('violation' in parsed) return { kind: 'refused', slug: parsed.violation, at: parsed.at };
  const verdict = judgeUpgradeRequest(parsed.head);
  if (!verdict.ok) return { kind: 'refused', slug: verdict.slug, at: -1 };
  return { kind: 'accepted', request: verdict.request, rest };
}

function asReference(request: UpgradeRequest, headBytes: number): ReferenceRequest {
  const { head, path, query, hostname, protocols, deflateOffers } = request;
  const fields = head.fields.map(({ name, value }): [string, string] => [name, value]);
  return { headBytes, target: head.target, path, query, hostname, fields, protocols, deflateOffers };
}
