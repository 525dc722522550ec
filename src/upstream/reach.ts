// How a target is reached, by the kind of its endpoint: over TCP or TLS, by a unix socket, or in this process. Nothing
// else asks for the kind.

import type { Endpoint, TlsConfig } from '../config/types.ts';
import type { AbortLike } from '../net/abort.ts';
import type { Dialer } from '../net/dial.ts';
import type { Transport } from '../net/transport.ts';
import { bracketed, hostPort } from '../protocol/addresses/host-port.ts';
import { unreachable } from '../unreachable.ts';
import { EchoTransport } from './echo.ts';

const PORT_PLAIN = 80;
const PORT_SECURE = 443;
/** A unix socket and the echo backend have no name; nginx sends this too. */
const NAMELESS = 'localhost';

interface ReachOptions {
  readonly dialer: Dialer;
  readonly tls: TlsConfig | null;
  /** The source address of a dial: only who has use for one takes it. */
  readonly nextLocalAddress: () => string | null;
  /** The first bytes that a socket gets, before TLS; null for none. */
  readonly preamble: Buffer | null;
  /** For everything together; Infinity is no deadline. */
  readonly timeoutMs: number;
  readonly signal: AbortLike;
}

export interface Reach {
  /** What the backend calls itself: the host of its url. */
  readonly authority: string;
  /** What the url puts before a request's path: '', or a path without a slash at its end. */
  readonly base: string;
  /** A connected transport, flowing: its reader is set before anything else is awaited. Rejects as `Dialer.dial`. */
  connect(options: ReachOptions): Transport | Promise<Transport>;
}

export function reachOf(endpoint: Endpoint): Reach {
  switch (endpoint.kind) {
    case 'tcp':
      return tcpReach(endpoint);
    case 'unix':
      return unixReach(endpoint);
    case 'echo':
      return { authority: NAMELESS, base: '', connect: () => new EchoTransport() };
    default:
      return unreachable(endpoint);
  }
}

function tcpReach(endpoint: Extract<Endpoint, { kind: 'tcp' }>): Reach {
  return {
    authority: authorityOf(endpoint),
    base: endpoint.base,
    connect: ({ dialer, tls, nextLocalAddress, preamble, timeoutMs, signal }) =>
      dialer.dial({ endpoint, tls, localAddress: nextLocalAddress(), preamble, timeoutMs, signal }),
  };
}

function unixReach(endpoint: Extract<Endpoint, { kind: 'unix' }>): Reach {
  return {
    authority: NAMELESS,
    base: endpoint.base,
    connect: ({ dialer, preamble, timeoutMs, signal }) =>
      dialer.dial({ endpoint, tls: null, localAddress: null, preamble, timeoutMs, signal }),
  };
}

/** RFC 9110 7.2: host and port of the URL, the scheme's own port left out. */
function authorityOf({ host, port, secure }: Extract<Endpoint, { kind: 'tcp' }>): string {
  return port === (secure ? PORT_SECURE : PORT_PLAIN) ? bracketed(host) : hostPort({ host, port });
}
