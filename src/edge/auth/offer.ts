// What the 101 can name of an offer in which credentials stand. A browser fails a connection whose offer is answered by
// nothing (RFC 6455 4.1), and a credential is never answered.

import { type CredentialPlace, markerOf, nameableProtocols, plainProtocols } from '../../protocol/credential-places.ts';
import type { Refusal } from '../../protocol/refusals.ts';

export const UNNAMEABLE: Refusal = { slug: 'subprotocol', cause: 'offer a second subprotocol' };

/** Whether, without what stands at `stripped`, nothing is left of it that could be answered. */
export function isUnnameable(offered: readonly string[], stripped: readonly CredentialPlace[]): boolean {
  return offered.length > 0 && nameableProtocols(offered, stripped).length === 0;
}

/** What a 101 that opens no session names: what is no credential before a marker. */
export function harmlessName(offered: readonly string[], places: readonly CredentialPlace[]): string | null {
  return plainProtocols(offered, places)[0] ?? markerOf(offered, places);
}
