// Host names to addresses by the system's resolver, remembered for seconds. One look-up per name at a time.
// It has no deadline of its own: whoever waits has one.

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { Clock } from '../limits/clock.ts';
import { familyOf } from '../protocol/addresses/ip-address.ts';

const ANSWER_KEPT_MS = 5_000;
const FAILURE_KEPT_MS = 1_000;
/** The least age of an answer that is not trusted any more because all its addresses refuse. */
const RENEW_AFTER_MS = 1_000;
/** Names remembered at once. Names come from the config; the bound is for those that a later source may add. */
const NAMES_MAX = 1_024;

/** All addresses of a name, in the order in which they should be tried. */
export type Lookup = (host: string) => Promise<readonly string[]>;

interface Answer {
  /** Settled or not: whoever asks in time shares it. */
  readonly addresses: Promise<readonly string[]>;
  /** Infinity while the look-up runs. */
  freshUntil: number;
  /** What came, and when; null and 0 until then, and after a failure. */
  found: readonly string[] | null;
  foundAt: number;
}

export class Resolver {
  private readonly clock: Clock;
  private readonly lookup: Lookup;
  /** At most NAMES_MAX entries, the oldest first. */
  private readonly answers = new Map<string, Answer>();

  constructor(clock: Clock, lookup: Lookup = lookupBySystem) {
    this.clock = clock;
    this.lookup = lookup;
  }

  /** At least one address, or a rejection with the resolver's error. An IP literal is its own address. */
  resolve(host: string): Promise<readonly string[]> {
    if (familyOf(host) !== 0) return Promise.resolve([host]);
    const known = this.answers.get(host);
    if (known !== undefined && this.clock.now() < known.freshUntil) return known.addresses;
    return this.ask(host);
  }

  /**
   * None of `refused`, which `resolve` gave, takes a connection: what the system says now. Null when it said that just
   * before, so that a backend that is down costs a look-up a second and no more.
   */
  renew(host: string, refused: readonly string[]): Promise<readonly string[]> | null {
    if (familyOf(host) !== 0) return null;
    const known = this.answers.get(host);
    // Somebody else has asked since.
    if (known !== undefined && known.found !== refused) return known.addresses;
    if (known !== undefined && this.clock.now() - known.foundAt < RENEW_AFTER_MS) return null;
    return this.ask(host);
  }

  private ask(host: string): Promise<readonly string[]> {
    const answer: Answer = {
      addresses: this.lookUp(host),
      freshUntil: Number.POSITIVE_INFINITY,
      found: null,
      foundAt: 0,
    };
    // Deleted first, so that the map's order is the order of asking.
    this.answers.delete(host);
    this.evict();
    this.answers.set(host, answer);
    answer.addresses.then(
      (found) => {
        answer.found = found;
        answer.foundAt = this.clock.now();
        answer.freshUntil = answer.foundAt + ANSWER_KEPT_MS;
      },
      () => {
        answer.freshUntil = this.clock.now() + FAILURE_KEPT_MS;
      },
    );
    return answer.addresses;
  }

  private async lookUp(host: string): Promise<readonly string[]> {
    const addresses = await this.lookup(host);
    if (addresses.length === 0) throw Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' });
    return addresses;
  }

  /** Make room for one more. An evicted look-up that still runs goes on for those who wait for it. */
  private evict(): void {
    if (this.answers.size < NAMES_MAX) return;
    for (const oldest of this.answers.keys()) {
      this.answers.delete(oldest);
      return;
    }
  }
}

function lookupBySystem(host: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    // The system's order is kept: it knows which address families work here (RFC 6724).
    systemLookup(host, { all: true, order: 'verbatim' }, (error: Error | null, found: LookupAddress[]) => {
      if (error === null) resolve(found.map((entry) => entry.address));
      else reject(error);
    });
  });
}
