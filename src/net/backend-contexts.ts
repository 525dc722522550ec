// What TLS towards backends is spoken with, made once for each block of settings: parsing certificates costs far more
// than a dial.

import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/types.ts';
import { BackendSessions } from './backend-sessions.ts';

const TLS_VERSION_MIN = 'TLSv1.2';

interface BackendTls {
  readonly context: SecureContext;
  readonly sessions: BackendSessions;
}

export class BackendContexts {
  private readonly wallClock: () => number;
  /** An entry goes with its config. */
  private readonly made = new WeakMap<TlsConfig, BackendTls>();
  private madeByDefault: BackendTls | null = null;

  constructor(wallClock: () => number) {
    this.wallClock = wallClock;
  }

  /** Null: the system's authorities, and no certificate of our own. */
  of(tls: TlsConfig | null): BackendTls {
    const known = tls === null ? this.madeByDefault : this.made.get(tls);
    if (known != null) return known;
    const context = createSecureContext({
      minVersion: TLS_VERSION_MIN,
      // A backend could make us work without end otherwise (TLS 1.2; 1.3 has no renegotiation).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ...(tls?.ca ? { ca: tls.ca } : {}),
      ...(tls?.cert ? { cert: tls.cert } : {}),
      ...(tls?.key ? { key: tls.key } : {}),
    });
    const made = { context, sessions: new BackendSessions(this.wallClock, tls?.verify ?? true) };
    if (tls === null) this.madeByDefault = made;
    else this.made.set(tls, made);
    return made;
  }
}
