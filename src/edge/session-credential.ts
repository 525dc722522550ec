// The credential of a session for as long as it lives: when it ends, and whether the config still has what it stands
// on. It ends nobody. The wall clock, which may be set, is looked at again now and then.

import type { QuotaConfig } from '../config/types.ts';
import type { SessionTerm } from '../session/term.ts';
import type { AuthMethod, EntryFacts, Grant, Standing } from './auth/method.ts';
import { ownText } from './own-text.ts';

/** For so long the monotonic clock is trusted to go as the wall clock does. */
const TRUSTED_MS = 60_000;

/** Methods by their names: those in force, or those of a plan. */
export interface MethodsByName {
  get(name: string): AuthMethod | undefined;
}

interface CredentialOptions {
  readonly grant: Grant;
  readonly methods: MethodsByName;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** By the monotonic clock. */
  readonly now: number;
}

export class SessionCredential implements SessionTerm {
  readonly grant: Standing;
  lookAt = Number.POSITIVE_INFINITY;
  private readonly wallNow: () => number;
  /** By the wall clock. */
  private expiresAt: number;
  /** As its method had them when there was one last. */
  private isBound = true;
  private graceMs = 0;
  /** What it stands on may be given another. */
  private ownQuota: QuotaConfig | null;
  private entryExpiresAt: number;

  constructor({ grant, methods, wallNow, now }: CredentialOptions) {
    this.grant = standingOf(grant);
    this.wallNow = wallNow;
    this.expiresAt = grant.expiresAt;
    this.entryExpiresAt = grant.expiresAt;
    this.ownQuota = grant.quota;
    this.retune(methods, now);
  }

  /** Of the key, user or token. */
  get quota(): QuotaConfig | null {
    return this.ownQuota;
  }

  /** When it ends a session, in milliseconds since 1970; Infinity: never. */
  get endsAt(): number {
    return this.isBound ? this.expiresAt + this.graceMs : Number.POSITIVE_INFINITY;
  }

  /** From now until then, not below zero. */
  get leftMs(): number {
    return Math.max(0, this.endsAt - this.wallNow());
  }

  hasEnded(now: number): boolean {
    const { leftMs } = this;
    if (leftMs === 0) return true;
    this.lookAt = leftMs === Number.POSITIVE_INFINITY ? leftMs : now + Math.min(leftMs, TRUSTED_MS);
    return false;
  }

  /** What its method says of it may be another by now. */
  retune(methods: MethodsByName, now: number): void {
    const method = methods.get(this.grant.auth);
    if (method !== undefined) {
      this.isBound = method.config.bind;
      this.graceMs = method.config.grace;
    }
    const entry = method?.entryOf?.(this.grant) ?? null;
    if (entry !== null) this.takeEntry(entry);
    this.lookFrom(now);
  }

  /** Whether its session has to go, because none of `methods` would have it now. One that is not bound stays. */
  isRemovedFrom(methods: MethodsByName): boolean {
    const method = methods.get(this.grant.auth);
    if (method === undefined) return this.isBound;
    return method.config.bind && !method.holds(this.grant);
  }

  /** False when nothing of it ends its session. `until`: milliseconds since 1970. */
  extend(until: number, now: number): boolean {
    if (!this.isBound) return false;
    this.expiresAt = until;
    this.lookFrom(now);
    return true;
  }

  /** One that was extended stays so, unless its entry says another time now. */
  private takeEntry({ expiresAt, quota }: EntryFacts): void {
    this.ownQuota = quota;
    if (expiresAt === this.entryExpiresAt) return;
    this.entryExpiresAt = expiresAt;
    this.expiresAt = expiresAt;
  }

  /** Who decides says now that it is good until then. What it or somebody else has said before holds if it is later. */
  renew(until: number, now: number): void {
    if (until <= this.expiresAt) return;
    this.expiresAt = until;
    this.lookFrom(now);
  }

  private lookFrom(now: number): void {
    if (this.hasEnded(now)) this.lookAt = now;
  }
}

/** It outlives the head that its texts may come from. */
function standingOf({ auth, identity, key, entry, jti, issuedAt, expiresAt }: Grant): Standing {
  const own = (text: string | null) => (text === null ? null : ownText(text));
  return {
    auth: ownText(auth),
    identity: own(identity),
    key: own(key),
    entry: own(entry),
    jti: own(jti),
    issuedAt,
    expiresAt,
  };
}
