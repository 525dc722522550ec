// Why a dial failed: what errors of the system, of Node and of OpenSSL mean for who wanted a connection.

/** Why there is no connection. `no_local_port` and `no_descriptor` are our own shortage, never the backend's fault. */
export type DialCode =
  | 'backend_dns'
  | 'backend_unreachable'
  | 'backend_tls'
  | 'backend_timeout'
  | 'no_local_port'
  | 'no_descriptor'
  | 'aborted';

export class DialError extends Error {
  readonly code: DialCode;
  /** The code of the system, of Node or of OpenSSL: ECONNREFUSED, CERT_HAS_EXPIRED, ENOTFOUND, ... */
  readonly cause_code: string;

  constructor(code: DialCode, causeCode: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DialError';
    this.code = code;
    this.cause_code = causeCode;
  }
}

export function timedOut(what: string): DialError {
  return new DialError('backend_timeout', 'ETIMEDOUT', `${what} not in time`);
}

/**
 * What a socket's error means. Once TCP is up, a reset or a FIN is a failure of the TLS handshake: something listens
 * there, and it does not want to speak TLS with us.
 */
export function failureOf(error: Error, inTls: boolean, peer: string): DialError {
  const cause = codeOf(error);
  return new DialError(dialCode(cause, inTls), cause, `connection to ${peer} failed: ${cause}`, { cause: error });
}

function dialCode(cause: string, inTls: boolean): DialCode {
  switch (cause) {
    case 'EMFILE':
    case 'ENFILE':
      return 'no_descriptor';
    case 'EADDRNOTAVAIL':
    // What bind() of a given source address says when its ports are used up.
    case 'EADDRINUSE':
      return 'no_local_port';
    case 'ETIMEDOUT':
      return 'backend_timeout';
    default:
      return inTls || cause.startsWith('ERR_SSL_') || cause.startsWith('ERR_TLS_') || cause.startsWith('ERR_OSSL_')
        ? 'backend_tls'
        : 'backend_unreachable';
  }
}

/** The code of an error, for people. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return 'UNKNOWN';
  return typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
