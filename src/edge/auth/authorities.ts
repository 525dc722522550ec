// The authorities of client certificates that any listener has by a config.

import type { ListenerConfig } from '../../config/types.ts';
import { ClientAuthorities } from '../../net/client-authorities.ts';

/** In small steps: what such listeners have. */
export function* authoritiesOf(listeners: readonly ListenerConfig[]): Generator<void, ReadonlySet<string>> {
  const digests = new Set<string>();
  for (const { tls } of listeners) {
    if (tls === null || tls.client_auth === 'none' || tls.client_ca === null) continue;
    for (const digest of new ClientAuthorities(tls.client_ca).digests) digests.add(digest);
    yield;
  }
  return digests;
}
