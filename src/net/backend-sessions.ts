// TLS sessions with backends, so that the next connection to one needs no full handshake. What a session was verified
// by is not looked at again when it is resumed: each set belongs to one block of settings, and none outlives its proof.

import type { DetailedPeerCertificate } from 'node:tls';

/** Of one block of settings; the oldest makes room. Node keeps no session of more than 10 KiB. */
const SESSIONS_MAX = 256;
/** A backend proves at least this often who it is. */
const PROOF_MS = 3_600_000;
/** More certificates than OpenSSL accepts in one. */
const CHAIN_MAX = 128;

/** What a TLSSocket says after its handshake. */
interface HandshakeResult {
  isSessionReused(): boolean;
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
}

/** When a backend proved who it is, and until when that counts, in milliseconds since 1970. */
interface Proof {
  readonly since: number;
  readonly until: number;
}

interface KeptSession {
  readonly bytes: Buffer;
  readonly proof: Proof;
}

export class BackendSessions {
  /** By name, address and port; the oldest first. */
  private readonly kept = new Map<string, KeptSession>();
  private readonly wallClock: () => number;
  private readonly verify: boolean;

  constructor(wallClock: () => number, verify: boolean) {
    this.wallClock = wallClock;
    this.verify = verify;
  }

  /** For one connection to `peer`: who it is verified to be, and where. */
  resume(peer: string): Resumption {
    const known = this.kept.get(peer);
    if (known !== undefined && !holds(known.proof, this.wallClock())) this.kept.delete(peer);
    return new Resumption(this, peer, this.kept.get(peer) ?? null);
  }

  keep(peer: string, session: KeptSession): void {
    this.kept.delete(peer);
    this.kept.set(peer, session);
    if (this.kept.size <= SESSIONS_MAX) return;
    for (const oldest of this.kept.keys()) {
      this.kept.delete(oldest);
      return;
    }
  }

  /** `session` was of no use. */
  forget(peer: string, session: KeptSession): void {
    if (this.kept.get(peer) === session) this.kept.delete(peer);
  }

  /** What a full handshake proves, which is over without an error. */
  proofOf(socket: HandshakeResult): Proof {
    const since = this.wallClock();
    const proved = since + PROOF_MS;
    // Without verification the dates of a certificate mean nothing.
    return { since, until: this.verify ? Math.min(proved, validUntil(socket.getPeerCertificate(true))) : proved };
  }
}

/** What one connection offers to resume, and what it brings for later ones. */
export class Resumption {
  private readonly sessions: BackendSessions;
  private readonly peer: string;
  /** Null also once it has served: this lives as long as its connection. */
  private offered: KeptSession | null;
  private proof: Proof | null = null;

  constructor(sessions: BackendSessions, peer: string, offered: KeptSession | null) {
    this.sessions = sessions;
    this.peer = peer;
    this.offered = offered;
  }

  get session(): Buffer | null {
    return this.offered?.bytes ?? null;
  }

  /** The handshake is over, and the certificate accepted if it had to be shown. */
  onSecure(socket: HandshakeResult): void {
    this.proof = this.offered !== null && socket.isSessionReused() ? this.offered.proof : this.sessions.proofOf(socket);
    this.offered = null;
  }

  /** It came to nothing: perhaps because of what was offered. */
  onFailure(): void {
    if (this.offered !== null) this.sessions.forget(this.peer, this.offered);
  }

  /** The backend gave a session for later. With TLS 1.3 several may come, long after the handshake: the last counts. */
  onSession(bytes: Buffer): void {
    // A session that comes of a resumed one proves nothing anew.
    if (this.proof !== null) this.sessions.keep(this.peer, { bytes, proof: this.proof });
  }
}

/** Whoever sets the clock back starts anew. */
function holds({ since, until }: Proof, now: number): boolean {
  return since <= now && now < until;
}

/** The first end of all certificates of a chain, in milliseconds since 1970. NaN, which never holds: there is none. */
function validUntil(leaf: DetailedPeerCertificate): number {
  let until = Number.POSITIVE_INFINITY;
  let certificate: DetailedPeerCertificate | undefined = leaf;
  for (let i = 0; certificate !== undefined && i < CHAIN_MAX; i++) {
    until = Math.min(until, Date.parse(certificate.valid_to));
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    certificate = issuer === certificate ? undefined : issuer; // a root is its own issuer
  }
  return until;
}
