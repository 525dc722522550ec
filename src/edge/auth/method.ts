// What a method of `auth` is to the rest: what it finds in a request, what it says of that, and what a session then
// stands on. Types only.

import type { AuthConfig, QuotaConfig } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import type { TimerWheel } from '../../limits/timer-wheel.ts';
import type { AbortLike } from '../../net/abort.ts';
import type { TlsFacts } from '../../net/secure-accept.ts';
import type { Log } from '../../observe/log.ts';
import type { MetricsRegistry } from '../../observe/metrics.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { JudgedRequest } from '../../protocol/request-place.ts';
import type { ServiceClient } from '../../services/service-client.ts';

import type { AuthFailures } from './failures.ts';
import type { PasswordHasher } from './password-hasher.ts';

import type { JwksPool } from './remote-jwks.ts';

/** What methods work with. */
export interface AuthMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  /** How services are asked. */
  readonly services: ServiceClient;
  /** The JWK Sets that are fetched. */
  readonly jwks: JwksPool;
  /** Tells that `auth` cannot ask who decides, and why: without a byte of a peer. */
  readonly unavailable: (auth: string, cause: string) => void;
  /** Counts what `isGuessable` methods find bad. */
  readonly failures: AuthFailures;
  /** Hashes for all that know users by their passwords. */
  readonly passwords: PasswordHasher;
  /** Null: what counts once is kept in this process. */
  readonly once: OnceDesk | null;
}

/** Where other processes keep what counts once, since it may come to any of them. */
export interface OnceDesk {
  /** It has come, unless it has before. `full`: nobody can say. */
  take(nonce: NonceOf): Promise<'new' | 'seen' | 'full'>;
}

export interface NonceOf {
  readonly auth: string;
  readonly key: string;
  readonly nonce: string;
  /** Milliseconds since 1970. */
  readonly date: number;
  /** What is older is not taken anyway. */
  readonly oldest: number;
}

/** Where a handshake comes from. */
interface AuthArrival {
  readonly client: string;
  readonly peer: string;
  readonly peerTrusted: boolean;
  /** The scheme that the client used; null where the X-Forwarded-Proto of a trusted peer says it. */
  readonly proto: string | null;
  readonly requestId: string;
  readonly tls: TlsFacts | null;
}

/** One handshake, as methods see it. */
export interface AuthAsk {
  /** As the client sent it. */
  readonly request: JudgedRequest;
  readonly arrival: AuthArrival;
  /** Its name. */
  readonly route: string;
  /** The client's address for what counts by address, IPv6 by its /64; '' for one that has none. */
  readonly clientKey: string;
  /** Nobody waits for the answer any more, or `timeouts.auth` is over. */
  readonly signal: AbortLike;
  /** When that is, by the clock. */
  readonly deadline: number;
}

/** What a session stands on, and keeps for as long as it lives. Nothing of it is the credential itself. */
export interface Standing {
  /** The method. */
  readonly auth: string;
  /** Who it is, within the method; null: nobody says. */
  readonly identity: string | null;
  /** The name of the entry of the config that let it in: of a key or a user. */
  readonly key: string | null;
  /** What changes when that entry says something else, for `holds`. */
  readonly entry: string | null;
  /** RFC 7519 4.1.7. */
  readonly jti: string | null;
  /** Milliseconds since 1970; null: nobody says. */
  readonly issuedAt: number | null;
  /** From when on it is worth nothing, leeway included: milliseconds since 1970, Infinity for never. */
  readonly expiresAt: number;
}

/** What may change while the entry stays the same one. */
export interface EntryFacts {
  /** Milliseconds since 1970, Infinity for never. */
  readonly expiresAt: number;
  readonly quota: QuotaConfig;
}

/** The same with what is asked of it while the session is made. `kept` goes to whom it is asked about again alone. */
export interface Grant extends Standing {
  /** No prototype. */
  readonly claims: Readonly<Record<string, unknown>> | null;
  /** What a service said of it: values by names in lower case. */
  readonly forwarded: ReadonlyMap<string, string> | null;
  readonly quota: QuotaConfig | null;
  /** Absent: nobody asks again about it. */
  readonly kept?: Kept;
  /** Of a credential that counts once: uses it up, when all else lets it in. Null: nobody has meanwhile. */
  readonly use?: () => AuthVerdict | null | Promise<AuthVerdict | null>;
}

/** What is kept of a handshake to ask about its session again: the credential. Nobody shows it. */
export type Kept =
  | { readonly kind: 'introspection'; readonly token: string }
  | { readonly kind: 'forward'; readonly headers: Readonly<Record<string, readonly string[]>> };

export type AuthVerdict =
  | { readonly kind: 'good'; readonly grant: Grant }
  /** `cause`: for the log, without a byte of the credential. */
  | { readonly kind: 'bad'; readonly cause: string }
  /** Something else than 401 or 503. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** Who decides cannot be asked. */
  | { readonly kind: 'unavailable'; readonly cause: string };

/** A credential of its kind; null when there is none, `several` when there are two or more. */
export type Found = string | null | typeof SEVERAL;
export const SEVERAL = Symbol('several');

/** The other methods of the route that read a place. */
export type Rivals = (place: CredentialPlace) => readonly AuthConfig[];

export interface RecheckRules {
  readonly everyMs: number;
  /** So many sessions at a time. */
  readonly atOnce: number;
}

export interface AuthMethod {
  readonly config: AuthConfig;
  /** What it reads, none of which is to reach a backend. */
  readonly places: readonly CredentialPlace[];
  /** What `WWW-Authenticate` says of it where nobody brought anything; null: nothing. */
  readonly challenge: string | null;
  /** Its credentials can be guessed, or cost a look-up: bad ones count against the address that brings them. */
  readonly isGuessable: boolean;
  /** `sole`: keys of places that no other method of the route reads: whatever is there is its own. */
  find(ask: AuthAsk, sole: ReadonlySet<string>, rivals: Rivals): Found;
  /** Never rejects but for a fault of ours. */
  judge(credential: string, ask: AuthAsk): AuthVerdict | Promise<AuthVerdict>;
  /** Whether a grant of this method, or of one that it replaces under the same name, still stands by the config. */
  holds(grant: Standing): boolean;
  /** What the entry of the config that a grant stands on says now; null: there is none. */
  entryOf?(grant: Standing): EntryFacts | null;
  /** What it has learned, or is asking now, counts no longer: all that comes is judged anew. */
  forget?(): void;
  /** Null or absent: nobody asks again about its open sessions. */
  readonly rechecks?: RecheckRules | null;
  /** `kept`: of a grant of this method, or of one that it replaces. Never rejects but for a fault of ours. */
  recheck?(kept: Kept, signal: AbortLike): Promise<AuthVerdict>;
  /** It is in force. Called once. */
  start?(): void;
  /** It is not any more, or nothing runs any more. */
  stop?(): void;
}
