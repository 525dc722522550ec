// Limits per client, and per IPv6 network of many: whoever is given a /48 has 65536 of the /64 that count as a client,
// so all of a /48 together may have what eight clients may. It must not answer anybody.

import { KeyedLimits, type KeyedLimitsOptions, KeyedVerdict, NO_KEY } from './keyed-limits.ts';

const CLIENTS_PER_NETWORK = 8;

/** Keys are those of clients; NO_KEY for one that has none. */
export class AddressLimits {
  private readonly networkOf: (key: string) => string | null;
  private readonly clients: KeyedLimits;
  private readonly networks: KeyedLimits;

  /** `networkOf` gives the key of a client's network, or null where there is none. */
  constructor(options: KeyedLimitsOptions, networkOf: (key: string) => string | null) {
    this.networkOf = networkOf;
    this.clients = new KeyedLimits(options);
    this.networks = new KeyedLimits(forNetworks(options));
  }

  /** Charge one handshake; what is refused for its network was paid for by its client. */
  admit(key: string, now: number): KeyedVerdict {
    const verdict = this.clients.admit(key, now);
    return verdict === KeyedVerdict.Ok ? this.networks.admit(this.networkKey(key), now) : verdict;
  }

  /** Count one session. After Ok, and only then, it has to be given back with `release`. */
  acquire(key: string, now: number): KeyedVerdict {
    const verdict = this.clients.acquire(key, now);
    if (verdict !== KeyedVerdict.Ok) return verdict;
    const ofNetwork = this.networks.acquire(this.networkKey(key), now);
    if (ofNetwork !== KeyedVerdict.Ok) this.clients.release(key, now);
    return ofNetwork;
  }

  release(key: string, now: number): void {
    this.clients.release(key, now);
    this.networks.release(this.networkKey(key), now);
  }

  retune(options: KeyedLimitsOptions, now: number): void {
    this.clients.retune(options, now);
    this.networks.retune(forNetworks(options), now);
  }

  private networkKey(key: string): string {
    return this.networkOf(key) ?? NO_KEY;
  }
}

function forNetworks(options: KeyedLimitsOptions): KeyedLimitsOptions {
  return {
    entriesMax: options.entriesMax,
    sessionsMax: options.sessionsMax * CLIENTS_PER_NETWORK,
    handshakesPerSecond: options.handshakesPerSecond * CLIENTS_PER_NETWORK,
    handshakeBurst: options.handshakeBurst * CLIENTS_PER_NETWORK,
  };
}
