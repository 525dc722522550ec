// Who has brought too many bad credentials: each address and, of passwords, each user. It lives as long as the process
// and keeps no credential, only numbers that a random key makes of them.

import { createHmac, randomBytes } from 'node:crypto';
import { DistinctRates } from '../../limits/distinct-rates.ts';
import { TimedCache } from '../../limits/timed-cache.ts';
import { networkKeyOf } from '../../protocol/addresses/client-key.ts';
import type { Refusal } from '../../protocol/refusals.ts';

const KEYS_MAX = 10_000;
/** As with the other limits per address: whoever is given a /48 has 65 536 of the /64 that count as one. */
const CLIENTS_PER_NETWORK = 8;
const PER_USER = 10;
/** Enough to tell a minute's things apart, and small for a number. */
const NUMBER_MASK = 0x3fff_ffff;

export const FAILURES_KEY = 'auth_failures_per_minute_per_ip';

/** What one process has seen, for others that count the same: a thing is the number that all of them make of it. */
export type SeenFailure =
  | readonly ['bad', client: string, thing: number]
  | readonly ['bad_as', user: string, client: string, thing: number]
  | readonly ['is', user: string, client: string];

export class AuthFailures {
  /** Told of what is seen here; null: nobody else counts. */
  tell: ((seen: SeenFailure) => void) | null = null;
  private readonly secret: Buffer;
  private readonly clients: DistinctRates;
  private readonly networks: DistinctRates;
  private readonly users: DistinctRates;
  /** User and address, where one was let in as the other. */
  private readonly known = new TimedCache<true>(KEYS_MAX);

  /** `perMinute`: of one address; Infinity: nothing is counted. `secret`: that of all who count together. */
  constructor(perMinute: number, secret: Uint8Array = randomBytes(32)) {
    this.secret = createHmac('sha256', secret).update('auth failures').digest();
    this.clients = new DistinctRates(perMinute, KEYS_MAX);
    this.networks = new DistinctRates(perMinute * CLIENTS_PER_NETWORK, KEYS_MAX);
    this.users = new DistinctRates(perUser(perMinute), KEYS_MAX);
  }

  retune(perMinute: number): void {
    this.clients.retune(perMinute);
    this.networks.retune(perMinute * CLIENTS_PER_NETWORK);
    this.users.retune(perUser(perMinute));
  }

  /** What stands against anything of `client`, '' for one that has no address; null: nothing. */
  against(client: string, now: number): Refusal | null {
    if (client === '') return null;
    const network = networkKeyOf(client);
    const ofNetwork = network === null ? 0 : this.networks.barredMs(network, now);
    return refusalFor(Math.max(this.clients.barredMs(client, now), ofNetwork), FAILURES_KEY);
  }

  /** `credential` was bad. */
  note(client: string, credential: string, now: number): void {
    if (client !== '') this.see(['bad', client, this.numberOf(credential)], now);
  }

  /** The same of one user, for a `client` that never was that user. `user`: with its method in front. */
  againstAs(user: string, client: string, now: number): Refusal | null {
    if (this.known.get(pairOf(user, client), now) === true) return null;
    return refusalFor(this.users.barredMs(user, now), 'user');
  }

  noteAs(user: string, client: string, credential: string, now: number): void {
    if (this.known.get(pairOf(user, client), now) === true) return;
    this.see(['bad_as', user, client, this.numberOf(credential)], now);
  }

  /** `client` is that user. */
  succeeded(user: string, client: string, now: number): void {
    if (this.known.get(pairOf(user, client), now) !== true) this.see(['is', user, client], now);
  }

  private see(seen: SeenFailure, now: number): void {
    this.take(seen, now);
    this.tell?.(seen);
  }

  /** What another one has seen. */
  take(seen: SeenFailure, now: number): void {
    if (seen[0] === 'is') this.known.set(pairOf(seen[1], seen[2]), true, Number.POSITIVE_INFINITY);
    else if (seen[0] === 'bad_as') this.users.note(seen[1], seen[3], now);
    else this.noteClient(seen[1], seen[2], now);
  }

  private noteClient(client: string, thing: number, now: number): void {
    this.clients.note(client, thing, now);
    const network = networkKeyOf(client);
    if (network !== null) this.networks.note(network, thing, now);
  }

  private numberOf(credential: string): number {
    return createHmac('sha256', this.secret).update(credential).digest().readUInt32BE(0) & NUMBER_MASK;
  }
}

function perUser(perMinute: number): number {
  return perMinute === Number.POSITIVE_INFINITY ? perMinute : PER_USER;
}

/** A client is an address, which holds no space. */
function pairOf(user: string, client: string): string {
  return `${client} ${user}`;
}

function refusalFor(ms: number, cause: string): Refusal | null {
  return ms <= 0 ? null : { slug: 'too_many_auth_failures', cause, retryAfter: Math.ceil(ms / 1000) };
}
