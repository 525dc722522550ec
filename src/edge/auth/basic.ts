// Users with passwords (RFC 7617). A password costs a scrypt, whoever's it is, so what was found out is remembered for
// a while, by keyed digests, and the same one is asked for once at a time.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { BasicAuth, UserEntry } from '../../config/types.ts';
import { TimedCache } from '../../limits/timed-cache.ts';
import type { AbortLike } from '../../net/abort.ts';
import { parseBasic } from '../../protocol/basic-credentials.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import { parsePasswordHash } from '../../protocol/password-hash.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import { unreachable } from '../../unreachable.ts';
import { type Carried, findCredential, textBehind } from './carriers.ts';
import { Flights } from './flights.ts';
import type { AuthAsk, AuthMeans, AuthMethod, AuthVerdict, EntryFacts, Found, Grant, Standing } from './method.ts';
import type { HashCost } from './password-hasher.ts';

const GOOD_MS = 60_000;
const BAD_MS = 5_000;
const REMEMBERED_MAX = 10_000;
const PLACES: readonly CredentialPlace[] = [{ kind: 'header', name: 'authorization' }];

/** What a password is compared with. */
interface Secret extends HashCost {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

interface User {
  readonly entry: UserEntry;
  readonly secret: Secret;
  /** Of its hash: what a session is known by has nothing to guess passwords with. */
  readonly entryDigest: string;
}

/** As hash-password makes them, for a list without users. */
const USUAL: Secret = { ln: 15, r: 8, p: 1, salt: Buffer.alloc(16), hash: Buffer.alloc(32) };

/** What hashing a password said of it; `over`: nobody wants to know any more, or nobody may. */
type Outcome = 'good' | 'bad' | 'full' | 'over' | 'fault';

interface Asked {
  readonly user: string;
  readonly password: string;
  readonly credential: string;
  /** Of it, by a key of our own. */
  readonly digest: string;
  /** The user, as failures count it. */
  readonly who: string;
}

export class BasicMethod implements AuthMethod {
  readonly config: BasicAuth;
  readonly places = PLACES;
  readonly challenge: string;
  readonly isGuessable = true;
  private readonly means: AuthMeans;
  private readonly secret = randomBytes(32);
  private readonly users: ReadonlyMap<string, User>;
  private readonly decoys: readonly Secret[];
  /** Apart, so that bad ones push out no good one. */
  private good = new TimedCache<true>(REMEMBERED_MAX);
  private bad = new TimedCache<true>(REMEMBERED_MAX);
  /** By digest. */
  private readonly flights = new Flights<Outcome>('over');

  constructor(config: BasicAuth, means: AuthMeans) {
    this.config = config;
    this.means = means;
    this.challenge = `Basic realm="${config.realm}", charset="UTF-8"`;
    this.users = new Map(config.users.map((entry) => [entry.name, userOf(entry)]));
    const secrets = [...this.users.values()].map(({ secret }) => decoyOf(secret));
    this.decoys = secrets.length > 0 ? secrets : [decoyOf(USUAL)];
  }

  find(ask: AuthAsk, sole: ReadonlySet<string>): Found {
    return findCredential({ places: PLACES, textOf: textBehind('basic'), isMine: isBasic }, ask, sole);
  }

  judge(credential: string, ask: AuthAsk): AuthVerdict | Promise<AuthVerdict> {
    const login = parseBasic(credential);
    if (login === null) return bad('form');
    const { clock, metrics } = this.means;
    const digest = createHmac('sha256', this.secret).update(credential).digest('base64');
    const asked: Asked = { ...login, credential, digest, who: `${this.config.name} ${login.user}` };
    const refusal = this.against(asked, ask);
    if (refusal !== null) return { kind: 'refused', refusal };
    const now = clock.now();
    const isGood = this.good.get(digest, now) === true;
    const { cache } = metrics.auth(this.config.name);
    if (isGood || this.bad.get(digest, now) === true) {
      cache.add('hit');
      return this.verdictOf(isGood, asked, ask);
    }
    cache.add('miss');
    return this.check(asked, ask);
  }

  /** Its name and password are what they were. */
  holds({ key, entry }: Standing): boolean {
    return key !== null && this.users.get(key)?.entryDigest === entry;
  }

  entryOf(grant: Standing): EntryFacts | null {
    const user = this.holds(grant) ? this.users.get(grant.key ?? '') : undefined;
    return user === undefined ? null : { expiresAt: Number.POSITIVE_INFINITY, quota: user.entry.quota };
  }

  /** What is being hashed is remembered by nobody. */
  forget(): void {
    this.good = new TimedCache(REMEMBERED_MAX);
    this.bad = new TimedCache(REMEMBERED_MAX);
    this.flights.forget();
  }

  private async check(asked: Asked, ask: AuthAsk): Promise<AuthVerdict> {
    const outcome = await this.flights.ask(asked.digest, ask.signal, (whole) => this.hash(asked, ask, whole));
    switch (outcome) {
      case 'good':
      case 'bad':
        return this.verdictOf(outcome === 'good', asked, ask);
      case 'full':
        return this.unavailable('too many passwords wait to be hashed');
      case 'fault':
        return this.unavailable('scrypt');
      case 'over': {
        const refusal = this.against(asked, ask);
        return refusal === null ? { kind: 'unavailable', cause: 'given up' } : { kind: 'refused', refusal };
      }
      default:
        return unreachable(outcome);
    }
  }

  /** It is remembered where it was asked for: not when all was forgotten meanwhile. */
  private async hash(asked: Asked, ask: AuthAsk, signal: AbortLike): Promise<Outcome> {
    const { good, bad } = this;
    const { user, password, digest } = asked;
    const { clientKey, deadline } = ask;
    const secret = this.secretFor(user);
    const job = this.means.passwords.ask(
      { ...costOf(secret), password, clientKey, deadline },
      () => this.against(asked, ask) === null,
    );
    signal.addEventListener('abort', job.giveUp);
    let hash: Awaited<typeof job.result>;
    try {
      hash = await job.result;
    } catch {
      return 'fault';
    }
    if (!(hash instanceof Uint8Array)) return hash;
    const isSame = timingSafeEqual(hash, secret.hash);
    const isGood = isSame && this.users.has(user);
    const now = this.means.clock.now();
    if (isGood) good.set(digest, true, now + GOOD_MS);
    else bad.set(digest, true, now + BAD_MS);
    return isGood ? 'good' : 'bad';
  }

  /** Of a name that nobody has: that of some user, always the same one, with a hash that nothing has. */
  private secretFor(user: string): Secret {
    const known = this.users.get(user);
    const at = createHmac('sha256', this.secret).update(user).digest().readUInt32BE(0) % this.decoys.length;
    return known?.secret ?? (this.decoys[at] as Secret); // there is one at least
  }

  private against({ who }: Asked, { clientKey }: AuthAsk): Refusal | null {
    const { failures, clock } = this.means;
    return failures.againstAs(who, clientKey, clock.now());
  }

  private verdictOf(isGood: boolean, { user, who, credential }: Asked, { clientKey }: AuthAsk): AuthVerdict {
    const { failures, clock } = this.means;
    const known = isGood ? this.users.get(user) : undefined;
    if (known === undefined) {
      failures.noteAs(who, clientKey, credential, clock.now());
      return bad('password');
    }
    failures.succeeded(who, clientKey, clock.now());
    return { kind: 'good', grant: this.grantOf(known) };
  }

  private unavailable(cause: string): AuthVerdict {
    this.means.unavailable(this.config.name, cause);
    return { kind: 'unavailable', cause };
  }

  private grantOf({ entry: { name, quota }, entryDigest }: User): Grant {
    return {
      auth: this.config.name,
      identity: name,
      key: name,
      entry: entryDigest,
      jti: null,
      issuedAt: null,
      expiresAt: Number.POSITIVE_INFINITY,
      claims: null,
      forwarded: null,
      quota,
    };
  }
}

function isBasic({ scheme }: Carried): boolean {
  return scheme === 'basic';
}

function userOf(entry: UserEntry): User {
  const secret = parsePasswordHash(entry.password);
  if (secret === null) throw new Error('the config has judged its hashes');
  return { entry, secret, entryDigest: createHash('sha256').update(entry.password).digest('hex') };
}

function costOf({ hash, ...cost }: Secret): HashCost & { readonly salt: Buffer; readonly size: number } {
  return { ...cost, size: hash.length };
}

function decoyOf({ ln, r, p, salt, hash }: Secret): Secret {
  return { ln, r, p, salt: randomBytes(salt.length), hash: randomBytes(hash.length) };
}

function bad(cause: string): AuthVerdict {
  return { kind: 'bad', cause };
}
