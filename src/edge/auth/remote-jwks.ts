// A JWK Set that is fetched: at the start, every `refresh`, and at most once per `cooldown` for a token whose key it
// does not have. A fetch that fails changes nothing: the last good set counts for a day.

import { isDeepStrictEqual } from 'node:util';
import type { JwtKeyConfig } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import { Alarm, type TimerWheel } from '../../limits/timer-wheel.ts';
import { Abort } from '../../net/abort.ts';
import type { ServiceClient } from '../../services/service-client.ts';
import { KeySet } from './key-set.ts';

const AGE_MAX_MS = 24 * 60 * 60_000;

type JwksUrl = Extract<JwtKeyConfig, { readonly kind: 'jwks_url' }>;
/** Told why a fetch failed, without a byte of the peer. */
type OnFault = (cause: string) => void;

interface JwksMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly services: ServiceClient;
}

/** Methods with equal settings have one set, also across a reload: it is fetched anew only where they change. */
export class JwksPool {
  private readonly means: JwksMeans;
  /** At most one for each method, and those of before while a reload replaces them. */
  private readonly sources = new Set<RemoteJwks>();

  constructor(means: JwksMeans) {
    this.means = means;
  }

  take(config: JwksUrl, onFault: OnFault): RemoteJwks {
    const known = [...this.sources].find((source) => isDeepStrictEqual(source.config, config));
    const source = known ?? new RemoteJwks(config, this.means);
    this.sources.add(source);
    source.hold(onFault);
    return source;
  }

  giveBack(source: RemoteJwks, onFault: OnFault): void {
    if (source.release(onFault)) this.sources.delete(source);
  }
}

export class RemoteJwks {
  readonly config: JwksUrl;
  /** Why there is no set, or no newer one. */
  fault = 'not fetched yet';
  private readonly means: JwksMeans;
  /** Of the methods that have it. */
  private readonly holders = new Set<OnFault>();
  private readonly alarm = new Alarm(() => void this.fetch());
  private set: KeySet | null = null;
  private fetchedAt = Number.NEGATIVE_INFINITY;
  /** When the last fetch was over, however it went. */
  private triedAt = Number.NEGATIVE_INFINITY;
  /** Resolves with null when there is a new set, else with the fault. */
  private underWay: Promise<string | null> | null = null;
  private abort = new Abort();

  constructor(config: JwksUrl, means: JwksMeans) {
    this.config = config;
    this.means = means;
  }

  hold(onFault: OnFault): void {
    this.holders.add(onFault);
    if (this.holders.size === 1) void this.fetch();
  }

  /** True when nobody has it any more: it is over then. */
  release(onFault: OnFault): boolean {
    this.holders.delete(onFault);
    if (this.holders.size > 0) return false;
    this.means.wheel.cancel(this.alarm);
    this.abort.abort();
    return true;
  }

  /** Null when there is none, or none of the last day. */
  get keys(): KeySet | null {
    return this.means.clock.now() - this.fetchedAt < AGE_MAX_MS ? this.set : null;
  }

  /** One look at the server for all who ask meanwhile; null when the last one was just now. */
  renew(): Promise<string | null> | null {
    if (this.underWay !== null) return this.underWay;
    const isCool = this.means.clock.now() - this.triedAt >= this.config.cooldown;
    return isCool && this.holders.size > 0 ? this.fetch() : null;
  }

  private fetch(): Promise<string | null> {
    if (this.underWay !== null) return this.underWay;
    const underWay = this.look().then((fault) => {
      const { clock, wheel } = this.means;
      this.underWay = null;
      this.triedAt = clock.now();
      if (this.holders.size === 0) return fault;
      const { refresh, cooldown } = this.config;
      wheel.schedule(this.alarm, this.triedAt + (fault === null ? refresh : Math.min(refresh, cooldown)));
      if (fault !== null) for (const tell of this.holders) tell(fault);
      return fault;
    });
    this.underWay = underWay;
    return underWay;
  }

  private async look(): Promise<string | null> {
    const { url, tls, timeout, max_size } = this.config;
    try {
      const { status, body } = await this.means.services.ask({
        url,
        tls,
        method: 'GET',
        headers: { Accept: 'application/jwk-set+json, application/json' },
        body: null,
        bodyBytesMax: max_size,
        timeoutMs: timeout,
        sharesConnections: false,
        signal: this.abort,
      });
      const set = status === 200 ? KeySet.parse(body.toString('utf8')) : `status ${status}`;
      if (typeof set === 'string') return this.failed(set);
      this.set = set;
      this.fetchedAt = this.means.clock.now();
      return null;
    } catch (error) {
      return this.failed(error instanceof Error ? error.message : 'unknown fault');
    }
  }

  private failed(fault: string): string {
    this.fault = fault;
    return fault;
  }
}
