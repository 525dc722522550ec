// The methods of `auth` for as long as the process lives: a reload keeps those that it does not change, with what they
// have learned, and replaces the others. And the chain of each route.

import { areMapsEqualInSteps } from '../../config/stepwise-equal.ts';
import type { Config, RouteConfig } from '../../config/types.ts';
import { authoritiesOf } from './authorities.ts';
import { AuthChain } from './chain.ts';
import { FAILURES_KEY } from './failures.ts';
import { makeMethod } from './kinds.ts';
import type { AuthMeans, AuthMethod, Standing } from './method.ts';
import { Rechecks } from './rechecks.ts';
import { Revocations } from './revocations.ts';

const ANONYMOUS = 'anonymous';

interface AuthPlan {
  readonly methods: ReadonlyMap<string, AuthMethod>;
  /** Null where everybody may come in. */
  chainOf(route: RouteConfig): AuthChain | null;
  commit(): void;
}

export class AuthMethods {
  readonly means: AuthMeans;
  readonly revocations: Revocations;
  readonly rechecks: Rechecks;
  private byName: ReadonlyMap<string, AuthMethod> = new Map();
  private state: 'idle' | 'started' | 'stopped' = 'idle';

  constructor(means: AuthMeans) {
    this.means = means;
    this.revocations = new Revocations(means);
    const { clock, wheel } = means;
    this.rechecks = new Rechecks({ clock, wheel, random: Math.random, get: (name) => this.get(name) });
  }

  get(name: string): AuthMethod | undefined {
    return this.byName.get(name);
  }

  values(): Iterable<AuthMethod> {
    return this.byName.values();
  }

  /** Why a grant is worth nothing any more, for who is no session yet; null while it is. */
  faultOf(grant: Standing, judgedAt: number): 'expired' | 'removed' | 'revoked' | null {
    const method = this.byName.get(grant.auth);
    // Its entry may say another time by now.
    const expiresAt = method?.entryOf?.(grant)?.expiresAt ?? grant.expiresAt;
    if (expiresAt <= this.means.wallNow()) return 'expired';
    if (method?.holds(grant) !== true) return 'removed';
    return this.revocations.refuses(grant, method.config, judgedAt) ? 'revoked' : null;
  }

  /** In small steps. Nothing of it is in force before it is committed. */
  *plan({ auth, limits, listeners }: Pick<Config, 'auth' | 'limits' | 'listeners'>): Generator<void, AuthPlan> {
    const authorities = yield* authoritiesOf(listeners);
    const next = new Map<string, AuthMethod>();
    for (const [name, config] of Object.entries(auth)) {
      const known = this.byName.get(name);
      // One for certificates has learned nothing, and goes by what listeners have.
      const isKept = known !== undefined && config.kind !== 'certificate';
      const isSame = isKept && (yield* areMapsEqualInSteps(known.config, config));
      next.set(name, isSame ? known : makeMethod(config, this.means, { before: known, authorities }));
      yield;
    }
    const chains = new Map<string, AuthChain>();
    return {
      methods: next,
      chainOf: ({ auth: names }) => {
        if (names.length === 0) return null;
        const key = names.join();
        const known = chains.get(key);
        if (known !== undefined) return known;
        const chain = new AuthChain(
          names.flatMap((name) => next.get(name) ?? []),
          names.at(-1) === ANONYMOUS,
          this.means,
        );
        chains.set(key, chain);
        return chain;
      },
      commit: () => {
        this.means.failures.retune(limits[FAILURES_KEY]);
        this.commit(next);
      },
    };
  }

  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'started';
    for (const method of this.byName.values()) method.start?.();
  }

  stop(): void {
    if (this.state === 'started') for (const method of this.byName.values()) method.stop?.();
    this.state = 'stopped';
    this.means.services.close();
  }

  private commit(next: ReadonlyMap<string, AuthMethod>): void {
    const before = this.byName;
    this.byName = next;
    if (this.state !== 'started') return;
    for (const [name, method] of next) if (before.get(name) !== method) method.start?.();
    for (const [name, method] of before) if (next.get(name) !== method) method.stop?.();
  }
}
