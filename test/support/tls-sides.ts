// Which sides of framegate speak TLS in this layout (vitest.config.ts), and sockets for both, so that a test of bytes
// need not know: what connects to a url or a port, and servers whose clients are framegate.

import * as net from 'node:net';
import * as tls from 'node:tls';
import { makeCertificates } from './certs.ts';

type Sides = '' | 'client' | 'backend' | 'both';

const sides = (process.env.FRAMEGATE_TEST_TLS ?? '') as Sides; // of vitest.config.ts, or of the command line
/** Clients come over TLS. */
export const isClientTls = sides === 'client' || sides === 'both';
/** Backends are reached over TLS. */
export const isBackendTls = sides === 'backend' || sides === 'both';
/** A name that the certificate is for. */
export const TLS_NAME = 'localhost';

/** Over TLS when `secure`. It is connected when this is emitted. */
export const connectedEvent = (secure: boolean): 'connect' | 'secureConnect' => (secure ? 'secureConnect' : 'connect');

export function connectTo(port: number, host: string, secure: boolean): net.Socket {
  const where = { port, host, allowHalfOpen: true, noDelay: true };
  const socket = net.connect(where);
  if (!secure) return socket;
  return tls.connect({ socket, servername: TLS_NAME, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
}

/** `onConnection` gets each client once it may speak. */
export async function createServer(
  secure: boolean,
  onConnection: (socket: net.Socket) => void = () => {},
): Promise<net.Server> {
  const options = { allowHalfOpen: true, noDelay: true };
  if (!secure) return net.createServer(options, onConnection);
  const { good } = await makeCertificates();
  return tls.createServer({ ...options, ...good }, onConnection);
}
