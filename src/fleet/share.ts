// What one of several workers has of a config: what is not counted for all of them is divided, at least 1 each.

import { originOf, withOrigin } from '../config/origin.ts';
import type { AuthConfig, Config } from '../config/types.ts';

/** Infinity is Infinity for each. */
export function shareOf(count: number, workers: number): number {
  return Math.max(1, Math.floor(count / workers));
}

export function configShare(config: Config, workers: number): Config {
  const of = (count: number): number => shareOf(count, workers);
  const { limits } = config;
  const auth: Record<string, AuthConfig> = Object.create(null);
  for (const [name, method] of Object.entries(config.auth)) {
    auth[name] = 'max_in_flight' in method ? { ...method, max_in_flight: of(method.max_in_flight) } : method;
  }
  const share = {
    ...config,
    auth: Object.freeze(auth),
    limits: Object.freeze({
      ...limits,
      max_buffered_total: of(limits.max_buffered_total),
      max_tls_handshakes: of(limits.max_tls_handshakes),
      tls_handshakes_per_second: of(limits.tls_handshakes_per_second),
    }),
  };
  return Object.freeze(withOrigin(share, originOf(config)));
}
