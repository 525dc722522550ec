// Binding: one listening socket per listener, over TCP or a unix path. Hands accepted sockets on as transports.

import { createServer, type Server } from 'node:net';
import type { ListenAddress } from '../config/types.ts';
import { type Carrier, KEEP_ALIVE_AFTER_MS } from './carrier.ts';
import type { Transport } from './transport.ts';
import { bindUnixSocket, type UnixSocket } from './unix-socket.ts';

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

export interface Listening {
  /** The real address: the port the system chose, or the path. */
  readonly address: BoundAddress | string;
  /** Stop accepting. Connections that were accepted stay. Resolves when the port is free. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly address: ListenAddress;
  readonly backlog: number;
  readonly carrier: Carrier;
  onConnection(transport: Transport): void;
}

/** Rejects with the system's error: EADDRINUSE, EACCES, ... */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { address, backlog } = options;
  const server = createServer({
    // A half-closed client still gets the end of its close handshake.
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    pauseOnConnect: true,
  });
  let file: UnixSocket | null = null;
  if (address.kind === 'unix') {
    file = await bindUnixSocket({
      path: address.path,
      mode: address.mode,
      bind: (path) => bind(server, { path, backlog }),
      unbind: () => server.close(),
    });
  } else {
    await bind(server, { port: address.port, backlog, ...(address.host === '' ? {} : { host: address.host }) });
  }
  options.carrier.serve(server, options.onConnection);
  return {
    address: file?.path ?? boundAddress(server),
    close: () => {
      file?.remove();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

type BindOptions = { path: string; backlog: number } | { port: number; host?: string; backlog: number };

function bind(server: Server, options: BindOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      // An accept that fails is the kernel's affair of one client; it must not end the process.
      server.on('error', () => {});
      resolve();
    });
  });
}

function boundAddress(server: Server): BoundAddress {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server that listens has an address');
  return { host: address.address, port: address.port };
}
