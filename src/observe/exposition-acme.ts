// The metrics of certificates that framegate gets by itself, as text.

import type { Exposition } from './exposition-families.ts';
import type { Tally } from './tally.ts';

export interface AcmeReading {
  readonly orders: Tally;
  /** When each is to be ordered next, in milliseconds since 1970. Several may have the same name. */
  readonly renewals: Iterable<{ readonly name: string; readonly at: number }>;
}

/** Of two with one name the one that is due first: a scrape has no name twice. */
export function writeAcme(out: Exposition, { orders, renewals }: AcmeReading): void {
  out.family('acme_orders_total', 'counter', 'Certificates ordered by ACME: ok, or why there is none.');
  for (const [result, count] of orders.entries()) out.sample({ result }, count);
  const next = new Map<string, number>();
  for (const { name, at } of renewals) next.set(name, Math.min(next.get(name) ?? at, at));
  out.family('acme_next_renewal_timestamp_seconds', 'gauge', 'When a certificate is ordered next, or tried again.');
  for (const [name, at] of next) out.sample({ name }, at / 1000);
}
