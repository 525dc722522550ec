// What TLS towards backends is spoken with, made once for each block of settings: parsing certificates costs far more
// than a dial.

import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/types.ts';

const TLS_VERSION_MIN = 'TLSv1.2';

export class BackendContexts {
  /** An entry goes with its config. */
  private readonly contexts = new WeakMap<TlsConfig, SecureContext>();
  private defaultContext: SecureContext | null = null;

  /** Null: the system's authorities, and no certificate of our own. */
  of(tls: TlsConfig | null): SecureContext {
    const known = tls === null ? this.defaultContext : this.contexts.get(tls);
    if (known != null) return known;
    const context = createSecureContext({
      minVersion: TLS_VERSION_MIN,
      // A backend could make us work without end otherwise (TLS 1.2; 1.3 has no renegotiation).
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ...(tls?.ca ? { ca: tls.ca } : {}),
      ...(tls?.cert ? { cert: tls.cert } : {}),
      ...(tls?.key ? { key: tls.key } : {}),
    });
    if (tls === null) this.defaultContext = context;
    else this.contexts.set(tls, context);
    return context;
  }
}
