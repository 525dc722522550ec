import { expect, test } from 'vitest';
import { isCloseCodeConfigurable, isCloseCodeOnWire } from '../../src/protocol/close-codes.ts';
import { backendRefusalCode, isReadable, READABLE_REFUSALS, refusalCode } from '../../src/protocol/refusal-close.ts';
import { REFUSALS, type RefusalSlug } from '../../src/protocol/refusals.ts';

const slugs = Object.keys(REFUSALS) as RefusalSlug[];

test.each([
  ['origin_not_allowed', 3003],
  ['no_route', 4404],
  ['too_many_sessions_per_ip', 1013],
  ['no_target', 1013],
  ['backend_unreachable', 1014],
  ['backend_timeout', 1014],
  ['subprotocol', 1008],
  ['loop', 1008],
  ['internal_error', 1008],
] as const)('%s is told by %i', (slug, code) => {
  expect(refusalCode(slug)).toBe(code);
});

test.each([
  [200, 4200],
  [302, 4302],
  [401, 4401],
  [428, 4428],
  [429, 1013],
  [430, 4430],
  [499, 4499],
  [500, 1014],
  [502, 1014],
  [503, 1013],
  [504, 1014],
  [599, 1014],
])("a backend's own %i is told by %i", (status, code) => {
  expect(backendRefusalCode(status)).toBe(code);
});

test('every code may stand in a Close, and be chosen by close_codes', () => {
  for (const slug of slugs) expect(isCloseCodeConfigurable(refusalCode(slug)), slug).toBe(true);
  for (let status = 200; status < 600; status += 1) expect(isCloseCodeOnWire(backendRefusalCode(status))).toBe(true);
});

test('what a flood meets with is told by HTTP, and nothing of that has a code to choose', () => {
  const byHttp = slugs.filter((slug) => !isReadable(slug));
  expect(byHttp).toEqual(['too_many_sessions', 'too_many_handshakes', 'overload', 'draining']);
  const readable: readonly string[] = READABLE_REFUSALS;
  expect(byHttp.filter((slug) => readable.includes(slug))).toEqual([]);
});
