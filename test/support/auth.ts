// Methods of `auth` without a process: means that a test may replace, and what a first snapshot begins with.

import { loadObject } from '../../src/config/load.ts';
import type { AuthConfig, ConfigInput } from '../../src/config/types.ts';
import { makeAuthMeans } from '../../src/edge/auth/means.ts';
import type { AuthMeans, AuthMethod } from '../../src/edge/auth/method.ts';
import { AuthMethods } from '../../src/edge/auth/methods.ts';
import type { Snapshot } from '../../src/edge/snapshot.ts';
import type { UpstreamMeans } from '../../src/upstream/means.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import { upstreamMeans } from './upstreams.ts';

export function authMeans(
  own: Partial<AuthMeans> & { readonly failuresSecret?: Uint8Array } = {},
  means: UpstreamMeans = upstreamMeans(),
): AuthMeans {
  const { clock, wheel, log, metrics, dialer, wallNow } = { ...means, wallNow: Date.now, ...own };
  const { failuresSecret, ...rest } = own;
  const secret = failuresSecret === undefined ? {} : { failuresSecret };
  const base = { clock, wheel, log, metrics, dialer, wallNow, cores: 2, failuresPerMinute: 60 };
  return { ...makeAuthMeans({ ...base, ...secret }), unavailable: () => {}, ...rest };
}

/** One method, as `make` makes it of a loaded config. */
export function authMethodOf(
  method: NonNullable<ConfigInput['auth']>[string],
  make: (config: AuthConfig, means: AuthMeans) => AuthMethod | null,
): AuthMethod {
  const routes = [{ upstream: 'builtin:echo', auth: ['own'], origins: 'any' as const }];
  const own = loadObject({ auth: { own: method }, routes }, { baseDir: '.' }).config.auth.own;
  const made = own === undefined ? null : make(own, authMeans());
  if (made === null) throw new Error('it is of another kind');
  return made;
}

/** What lives as long as a process. */
export function fromNothing(
  means: UpstreamMeans = upstreamMeans(),
  wallNow: () => number = Date.now,
): Pick<Snapshot, 'upstreams' | 'auth' | 'wallNow'> {
  return { upstreams: new UpstreamRegistry(means), auth: new AuthMethods(authMeans({ wallNow }, means)), wallNow };
}
