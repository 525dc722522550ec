// The same handshake as in secure-accept.ts, below TLSSocket: two sockets with their streams and listeners cost more
// than what OpenSSL does. Only where no client certificate is asked for, whose facts Node gives to a TLSSocket alone.

import { codeOf } from './dial-error.ts';
import { faultOf, type TlsFacts, type TlsFault } from './secure-accept.ts';
import type { TlsTerms } from './server-tls.ts';
import { type SecureHandle, type StreamBase, type StreamHandle, setSecureCallbacks } from './stream-base.ts';

const UV_EOF = -4095;

interface HandleAcceptOptions {
  readonly base: StreamBase;
  /** Connected, and read by nobody. */
  readonly handle: StreamHandle;
  /** What was read of it. */
  readonly read: Buffer;
  readonly terms: TlsTerms;
  /** It is carried on at once, or what it reads is lost. */
  onSecure(secure: SecureHandle, facts: TlsFacts): void;
  /** Nothing is left of the connection. `code`: OpenSSL's, or the system's. */
  onFailed(fault: TlsFault, code: string): void;
}

/** One of the two functions is called, later. What it returns gives up: neither is called then, and nothing is left. */
export function handleAccept(options: HandleAcceptOptions): () => void {
  const { base, handle, terms } = options;
  const secure = base.wrapTls(handle, terms.context);
  let isSettled = false;
  const close = (): void => {
    isSettled = true;
    // Not before: OpenSSL may be at it just now.
    handle.close(() => secure.destroySSL());
  };
  const fail = (code: string): void => {
    if (isSettled) return;
    close();
    options.onFailed(faultOf(code), code);
  };
  setSecureCallbacks(secure, {
    onDone: () => {
      if (isSettled) return;
      isSettled = true;
      const facts = { version: secure.getProtocol(), isResumed: secure.isSessionReused(), certificate: null };
      options.onSecure(secure, facts);
    },
    onError: (error) => fail(codeOf(error)),
  });
  if (terms.alpn !== null) secure.setALPNProtocols(terms.alpn);
  secure.onread = () => {
    const size = base.state[base.readIndex] ?? 0;
    if (size < 0) fail(size === UV_EOF ? 'ECONNRESET' : 'EIO');
  };
  // Not from inside whoever has asked for it.
  queueMicrotask(() => {
    if (isSettled) return;
    secure.readStart();
    secure.receive(options.read);
  });
  return () => {
    if (!isSettled) close();
  };
}
