// The metrics of the methods of `auth`, as exposition.ts shows them.

import type { Exposition, Family } from './exposition-families.ts';
import type { AuthMetrics } from './metrics.ts';

const RESULTS = ['good', 'bad', 'absent', 'unavailable'] as const;

export function* writeAuth(out: Exposition, auths: readonly AuthMetrics[], revocations: number): Generator<void> {
  const total: Family = ['auth_total', 'counter', 'What methods said of handshakes: good, bad, absent or unavailable.'];
  out.family(...total);
  for (const { name, results } of auths) {
    for (const result of RESULTS) out.sample({ auth: name, result }, results.of(result));
    yield;
  }
  out.family('auth_duration_seconds', 'histogram', 'How long methods took for what they found.');
  for (const { name, duration } of auths) {
    out.histogram({ auth: name }, duration);
    yield;
  }
  out.family('auth_cache_total', 'counter', 'Looks into what methods remember: hit or miss.');
  for (const { name, cache } of auths) {
    for (const [result, count] of cache.entries()) out.sample({ auth: name, result }, count);
    yield;
  }
  out.single('revocations', 'gauge', 'Revocations that refuse credentials now.', revocations);
}
