// Methods of `auth` without a process: means that a test may replace, and what a first snapshot begins with.

import { AuthFailures } from '../../src/edge/auth/failures.ts';
import type { AuthMeans } from '../../src/edge/auth/method.ts';
import { AuthMethods } from '../../src/edge/auth/methods.ts';
import { JwksPool } from '../../src/edge/auth/remote-jwks.ts';
import type { Snapshot } from '../../src/edge/snapshot.ts';
import { ServiceClient } from '../../src/net/service-client.ts';
import type { UpstreamMeans } from '../../src/upstream/means.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import { upstreamMeans } from './upstreams.ts';

export function authMeans(own: Partial<AuthMeans> = {}, means: UpstreamMeans = upstreamMeans()): AuthMeans {
  const { clock, wheel, log, metrics } = { ...means, ...own };
  const services = new ServiceClient({ dialer: means.dialer, clock, wheel });
  const failures = new AuthFailures(60);
  const jwks = new JwksPool({ clock, wheel, services });
  const unavailable = (): void => {};
  const fixed = { clock, wheel, log, metrics, services, jwks, failures, unavailable };
  return { ...fixed, wallNow: Date.now, cores: 2, ...own };
}

/** What lives as long as a process. */
export function fromNothing(
  means: UpstreamMeans = upstreamMeans(),
  wallNow: () => number = Date.now,
): Pick<Snapshot, 'upstreams' | 'auth' | 'wallNow'> {
  return { upstreams: new UpstreamRegistry(means), auth: new AuthMethods(authMeans({ wallNow }, means)), wallNow };
}
