// Backends that say whether a connection to them resumed a TLS session, and what is kept of sessions without any
// socket.

import { createServer, type DetailedPeerCertificate, type TlsOptions } from 'node:tls';
import type { TlsConfig } from '../../src/config/types.ts';
import { BackendSessions } from '../../src/net/backend-sessions.ts';
import { GOOD_NAME, type Identity } from './certs.ts';
import { type Bench, listen, readAll, tcp } from './dial-bench.ts';

/** A server that says of each connection whether its session was resumed, on a free port. */
export function listenTls(identity: Identity, options: TlsOptions = {}): Promise<number> {
  return listen(createServer({ ...identity, ...options }, (socket) => socket.end(`${socket.isSessionReused()}`)));
}

/** Dial `port`, once for each of `tls`, and say which of the connections were resumed. */
export async function resumed(bench: Bench, port: number, ...tls: (TlsConfig | null)[]): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const one of tls) {
    found.push((await readAll(await bench.dial(tcp(port, GOOD_NAME, true), { tls: one }))) === 'true');
  }
  return found;
}

const NOW = Date.parse('2026-06-01T12:00:00Z');

/** A handshake with a chain of certificates that end after so many minutes; a root is its own issuer. */
export function handshake(minutes: readonly number[], isReused = false) {
  let issuer: { valid_to: string; issuerCertificate?: unknown } | undefined;
  for (const after of minutes.toReversed()) {
    const one: typeof issuer = { valid_to: new Date(NOW + after * 60_000).toUTCString() };
    one.issuerCertificate = issuer ?? one;
    issuer = one;
  }
  return {
    isSessionReused: () => isReused,
    getPeerCertificate: () => issuer as DetailedPeerCertificate, // all of it that is looked at
  };
}

export function keptSessions() {
  const clock = { now: NOW };
  const sessions = new BackendSessions(() => clock.now, true);
  /** What the next connection to `peer` offers, so many minutes later. */
  const offered = (peer: string, minutes = 0) => {
    clock.now = NOW + minutes * 60_000;
    return sessions.resume(peer).session?.toString() ?? null;
  };
  const connect = (peer: string, result: ReturnType<typeof handshake>, ...given: string[]) => {
    const resumption = sessions.resume(peer);
    resumption.onSecure(result);
    for (const session of given) resumption.onSession(Buffer.from(session));
  };
  return { offered, connect };
}
