// What proves names while orders wait: in memory for our own orders, in the folder for those of other processes. It is
// asked by whoever connects, so that the folder is looked at a few times a second at most.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import * as path from 'node:path';
import type { Clock } from '../limits/clock.ts';
import type { ChallengeCertificate } from '../net/live-certificates.ts';
import type { AcmeStore } from './store.ts';

/** An order waits for longer than that before it says that its proof is there: see `SEEN_AFTER_MS`. */
const LOOK_MS = 250;
/** After so long every process that shares the folder finds what was put into it. */
export const SEEN_AFTER_MS = 1_000;
const NAMES_MAX = 1_000;
const BYTES_MAX = 16 * 1024;
/** RFC 8555 8.1: the token, a dot, the thumbprint. */
const PROOF = /^[A-Za-z0-9_-]{1,128}\.[A-Za-z0-9_-]{43}$/;
const KEY_BLOCK = '-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----';
const CERTIFICATE_BLOCK = '-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----';
const BLOCKS = new RegExp(`^(${KEY_BLOCK})\\s+(${CERTIFICATE_BLOCK})\\s*$`);

export class Challenges {
  private readonly store: AcmeStore;
  private readonly clock: Clock;
  /** By the names of their files; removed with their order. */
  private readonly own = new Map<string, string>();
  /** What the folder holds, as it was last looked at; at most `NAMES_MAX`. */
  private listed: ReadonlySet<string> = new Set();
  private lookedAt = Number.NEGATIVE_INFINITY;
  /** So that one challenge is one object. */
  private readonly certificates = new Map<
    string,
    { readonly text: string; readonly made: ChallengeCertificate | null }
  >();

  constructor(store: AcmeStore, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  /** Rejects with AcmeError. */
  addAnswer(token: string, proof: string): Promise<void> {
    return this.add(`http-01.${token}`, proof);
  }

  /** Rejects with AcmeError. */
  addCertificate(domain: string, { cert, key }: ChallengeCertificate): Promise<void> {
    return this.add(`tls-alpn-01.${domain}`, `${key.trim()}\n${cert.trim()}\n`);
  }

  /** None of our own is left. */
  async clear(): Promise<void> {
    const names = [...this.own.keys()];
    this.own.clear();
    for (const name of names) await this.store.remove(`challenges/${name}`).catch(() => undefined);
  }

  answerFor(token: string): string | null {
    const proof = this.find(`http-01.${token}`);
    // What is in the folder is nobody's file for everybody to read.
    return proof !== null && PROOF.test(proof) && proof.startsWith(`${token}.`) ? proof : null;
  }

  certificateFor(domain: string): ChallengeCertificate | null {
    const name = `tls-alpn-01.${domain}`;
    const text = this.find(name);
    if (text === null) {
      this.certificates.delete(name);
      return null;
    }
    const known = this.certificates.get(name);
    if (known?.text === text) return known.made;
    const [, key, cert] = BLOCKS.exec(text) ?? [];
    const made = key === undefined || cert === undefined ? null : { cert, key };
    this.certificates.set(name, { text, made });
    return made;
  }

  private async add(name: string, text: string): Promise<void> {
    await this.store.write(`challenges/${name}`, text);
    this.own.set(name, text);
  }

  private find(name: string): string | null {
    const own = this.own.get(name);
    if (own !== undefined) return own;
    this.look();
    return this.listed.has(name) ? readShort(path.join(this.store.challenges, name)) : null;
  }

  private look(): void {
    const now = this.clock.now();
    if (now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    try {
      this.listed = new Set(readdirSync(this.store.challenges).slice(0, NAMES_MAX));
    } catch {
      this.listed = new Set();
    }
    for (const name of this.certificates.keys()) if (!this.listed.has(name)) this.certificates.delete(name);
  }
}

function readShort(file: string): string | null {
  try {
    const stats = statSync(file);
    return stats.isFile() && stats.size <= BYTES_MAX ? readFileSync(file, 'latin1') : null;
  } catch {
    return null;
  }
}
