// Clients that keep TLS sessions and come back with them, and what becomes of each.

import { type ConnectionOptions, connect } from 'node:tls';
import { atTestEnd } from './cleanup.ts';
import { defaultDeadlineMs } from './raw-peer.ts';
import { upgradeRequest } from './wire.ts';

export interface Visit {
  /** It got its 101; if not, it was let in by nobody. */
  readonly isIn: boolean;
  readonly isResumed: boolean;
  /** The code of the error, or `FIN`; empty when it is in. */
  readonly end: string;
  /** What it may come back with; null when it was given nothing. */
  readonly session: Buffer | null;
  /** What the certificate of the server is for; undefined when it showed none. */
  readonly name: string | undefined;
}

/**
 * Connect, ask for a session, and leave: by then a client has what it may resume. Who the server is does not matter
 * here, unless `options` say so.
 */
export function visit(port: number, options: ConnectionOptions = {}): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, servername: 'a.test', ...options });
    const late = setTimeout(() => reject(new Error('neither in nor out')), defaultDeadlineMs);
    let session: Buffer | null = null;
    let isResumed = false;
    let name: string | undefined;
    const finish = (isIn: boolean, end: string) => {
      clearTimeout(late);
      socket.destroy();
      resolve({ isIn, isResumed, end, session, name });
    };
    atTestEnd(() => {
      clearTimeout(late);
      socket.destroy();
    });
    socket.on('session', (given: Buffer) => {
      session = given;
    });
    socket.once('secureConnect', () => {
      isResumed = socket.isSessionReused();
      name = socket.getPeerX509Certificate()?.subjectAltName;
      socket.write(upgradeRequest());
    });
    socket.once('data', (bytes: Buffer) => finish(bytes.toString('latin1').startsWith('HTTP/1.1 101'), ''));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(false, error.code ?? error.message));
    socket.once('end', () => finish(false, 'FIN'));
    socket.once('close', () => finish(false, 'closed'));
  });
}

/** The session of one that is let in. */
export async function sessionOf(port: number, options: ConnectionOptions = {}): Promise<Buffer> {
  const { isIn, end, session } = await visit(port, options);
  if (!isIn || session === null) throw new Error(`no session: ${isIn ? 'in' : end}`);
  return session;
}

/** How one goes in that brings `session`: `resumed`, `full`, or `out`. */
export async function comeBack(port: number, session: Buffer, options: ConnectionOptions = {}): Promise<string> {
  const { isIn, isResumed } = await visit(port, { ...options, session });
  if (!isIn) return 'out';
  return isResumed ? 'resumed' : 'full';
}
