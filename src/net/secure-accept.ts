// The TLS handshake of one accepted client whose ClientHello was read already: goes on below TLSSocket with these bytes
// and ends as another transport. It owns the connection meanwhile; it has no deadline, which is its caller's.

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { codeOf } from './dial-error.ts';
import type { TlsTerms } from './server-tls.ts';

/** What a client certificate that was verified says. */
interface CertificateFacts {
  /** RFC 4514, the most specific part first. */
  readonly subject: string;
  /** As OpenSSL writes it, such as `DNS:a.example,URI:spiffe://x`; null when it has none. */
  readonly san: string | null;
  /** In lower-case hex. */
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** Digests of the authorities that it depends on, as in `ClientAuthorities`. */
  readonly vouching: readonly string[];
}

export interface TlsFacts {
  /** Such as `TLSv1.3`. */
  readonly version: string;
  readonly isResumed: boolean;
  readonly certificate: CertificateFacts | null;
}

/** Why there is no TLS with a client. */
export type TlsFault = 'no_certificate' | 'bad_certificate' | 'no_cipher' | 'other';

interface SecureAcceptOptions {
  /** Connected; what it has read is put back. */
  readonly socket: Socket;
  readonly terms: TlsTerms;
  /** It is carried on at once, or what it reads is lost. */
  onSecure(socket: TLSSocket, facts: TlsFacts): void;
  /** Nothing is left of the connection. `code`: OpenSSL's, or the system's. */
  onFailed(fault: TlsFault, code: string): void;
}

/** One of the two functions is called, later. What it returns gives up: neither is called then, and nothing is left. */
export function secureAccept(options: SecureAcceptOptions): () => void {
  const { terms } = options;
  const requestCert = terms.clientAuth !== 'none';
  const socket = new TLSSocket(options.socket, {
    isServer: true,
    secureContext: terms.context,
    requestCert,
    // OpenSSL itself tells a client that has none; what one has is looked at below.
    rejectUnauthorized: terms.clientAuth === 'require',
    ...(terms.alpn === null ? {} : { ALPNProtocols: terms.alpn }),
  });
  let isSettled = false;
  const settle = (): boolean => {
    const isFirst = !isSettled;
    isSettled = true;
    return isFirst;
  };
  const fail = (fault: TlsFault, code: string) => {
    const isFirst = settle();
    socket.destroy();
    if (isFirst) options.onFailed(fault, code);
  };
  // What fails later is told as an error of the socket, too: nobody else does so for a socket without a server.
  socket.on('_tlsError', (error: Error) => {
    if (isSettled) socket.destroy(error);
    else fail(faultOf(codeOf(error)), codeOf(error));
  });
  socket.on('error', (error: Error) => {
    if (!isSettled) fail(faultOf(codeOf(error)), codeOf(error));
  });
  socket.once('close', () => fail('other', 'ECONNRESET'));
  // A socket that may be half open waits for more after the FIN of who has left.
  socket.once('end', () => {
    if (!isSettled) fail('other', 'ECONNRESET');
  });
  socket.once('secure', () => {
    const certificate = requestCert ? certificateOf(socket, terms) : null;
    if (typeof certificate === 'string') fail('bad_certificate', certificate);
    else if (certificate === null && terms.clientAuth === 'require') fail('no_certificate', 'NO_CERTIFICATE');
    else if (settle()) {
      const version = socket.getProtocol() ?? '';
      options.onSecure(socket, { version, isResumed: socket.isSessionReused(), certificate });
    }
  });
  return () => {
    if (settle()) socket.destroy();
  };
}

/** Null without one; OpenSSL's code when it does not hold. */
function certificateOf(socket: TLSSocket, { wallNow, authorities }: TlsTerms): CertificateFacts | string | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const fault = verifyError(socket);
  if (fault !== null) return fault;
  const now = wallNow();
  const notAfter = Date.parse(certificate.validTo);
  // Of a session that is resumed nobody has looked at the time.
  if (now < Date.parse(certificate.validFrom)) return 'CERT_NOT_YET_VALID';
  if (now >= notAfter) return 'CERT_HAS_EXPIRED';
  return {
    subject: certificate.subject.split('\n').reverse().join(','),
    san: certificate.subjectAltName?.replaceAll(', ', ',') ?? null,
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter,
    vouching: authorities?.vouchingFor(certificate) ?? [],
  };
}

/** Node verifies, and leaves it to a server to ask: a socket without one lets everybody in. */
function verifyError(socket: TLSSocket): string | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  const ask: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'verifyError') : null;
  if (typeof ask !== 'function') return 'UNSPECIFIED';
  const error: unknown = Reflect.apply(ask, handle, []);
  if (error === null || error === undefined) return null;
  return error instanceof Error ? codeOf(error) : 'UNSPECIFIED';
}

export function faultOf(code: string): TlsFault {
  switch (code) {
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return 'no_certificate';
    case 'ERR_SSL_NO_SHARED_CIPHER':
    case 'ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS':
    case 'ERR_SSL_NO_SUITABLE_KEY_SHARE':
      return 'no_cipher';
    default:
      return 'other';
  }
}
