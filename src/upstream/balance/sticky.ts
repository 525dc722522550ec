// A client goes to the target that its cookie names: the policy `sticky`. What the cookie holds says nothing to who
// reads it, and is the same in every process; with a secret nobody else can make one.

import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { BalanceConfig } from '../../config/types.ts';
import { cookieValues, setCookie } from '../../protocol/cookies.ts';
import { valuesOf } from '../../protocol/lists.ts';
import type { BalanceKey, Balancer, Candidate, Eligible, SessionRequest } from './balancer.ts';

type StickyConfig = Extract<BalanceConfig, { kind: 'sticky' }>;

/** 96 bits, more than enough for names not to meet. */
const ID_LENGTH = 16;
/** 132 bits. */
const SIGNATURE_LENGTH = 22;
/** Cookies of the name that are looked at: a browser may have some from other paths and domains, each costs an HMAC. */
const LOOKED_AT_MAX = 4;

export class Sticky<T extends Candidate> implements Balancer<T> {
  private readonly config: StickyConfig;
  private readonly upstream: string;
  private readonly fallback: Balancer<T>;
  /** Made for the first cookie. */
  private byId: ReadonlyMap<string, T> | null = null;

  constructor(config: StickyConfig, upstream: string, fallback: Balancer<T>) {
    this.config = config;
    this.upstream = upstream;
    this.fallback = fallback;
  }

  /** The id of a target that was here, or of nothing: whoever has no secret can name anything. */
  keyOf({ request }: SessionRequest): BalanceKey {
    const values = cookieValues(valuesOf(request.head.fields, 'cookie'), this.config.cookie, LOOKED_AT_MAX);
    for (const value of values) {
      const id = this.idIn(value);
      if (id !== null) return id;
    }
    return null;
  }

  pick(targets: readonly T[], eligible: Eligible<T>, key: BalanceKey): T | null {
    if (typeof key === 'string') {
      this.byId ??= new Map(targets.map((target) => [this.idOf(target), target]));
      const named = this.byId.get(key);
      if (named !== undefined && eligible.has(named)) return named;
    }
    return this.fallback.pick(targets, eligible, null);
  }

  cookieFor(target: T, key: BalanceKey, isSecure: boolean): string | null {
    const id = this.idOf(target);
    if (key === id) return null;
    const { cookie, path, max_age, secure, same_site } = this.config;
    return setCookie({
      name: cookie,
      value: this.valueOf(id),
      path,
      maxAge: max_age,
      secure: secure === 'auto' ? isSecure : secure === 'on',
      sameSite: same_site,
    });
  }

  private idOf({ name }: T): string {
    return hash('sha256', `${this.upstream}\n${name}`, 'base64url').slice(0, ID_LENGTH);
  }

  /** Null for what we cannot have set. */
  private idIn(value: string): string | null {
    const id = value.slice(0, ID_LENGTH);
    return id.length === ID_LENGTH && isSame(value, this.valueOf(id)) ? id : null;
  }

  private valueOf(id: string): string {
    const { secret } = this.config;
    if (secret === null) return id;
    return `${id}.${createHmac('sha256', secret).update(id, 'latin1').digest('base64url').slice(0, SIGNATURE_LENGTH)}`;
  }
}

/** In a time that does not tell how much of it is right. */
function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));
}
