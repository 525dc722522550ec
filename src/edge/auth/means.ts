// Puts together what the methods of `auth` share, once for the process.

import type { Dialer } from '../../net/dial.ts';
import { ServiceClient } from '../../services/service-client.ts';
import { AuthFailures } from './failures.ts';
import type { AuthMeans, OnceDesk } from './method.ts';
import { PasswordHasher } from './password-hasher.ts';
import { JwksPool } from './remote-jwks.ts';
import { UnavailableNotice } from './unavailable-notice.ts';

interface MeansOptions extends Pick<AuthMeans, 'clock' | 'wheel' | 'wallNow' | 'log' | 'metrics'> {
  readonly dialer: Dialer;
  /** Of the machine, for what works beside the main thread. */
  readonly cores: number;
  /** `limits.auth_failures_per_minute_per_ip`. */
  readonly failuresPerMinute: number;
  /** Of all who count failures together; of this process alone when absent. */
  readonly failuresSecret?: Uint8Array;
  /** In this process when absent. */
  readonly once?: OnceDesk;
}

export function makeAuthMeans({
  dialer,
  cores,
  failuresPerMinute,
  failuresSecret,
  once,
  ...base
}: MeansOptions): AuthMeans {
  const { clock, wheel, log } = base;
  const services = new ServiceClient({ dialer, clock, wheel });
  const notice = new UnavailableNotice({ clock, log });
  return {
    ...base,
    services,
    jwks: new JwksPool({ clock, wheel, services }),
    unavailable: (name, cause) => notice.tell(name, cause),
    failures: new AuthFailures(failuresPerMinute, failuresSecret),
    passwords: new PasswordHasher(clock, cores),
    once: once ?? null,
  };
}
