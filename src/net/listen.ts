// Binding: one listening socket per listener, over TCP or a unix path. Those of the data path hand accepted sockets on
// as transports; any other server can be bound the same way.

import { createServer, type Server } from 'node:net';
import type { ListenAddress } from '../config/types.ts';
import { hostPort } from '../protocol/addresses/host-port.ts';
import { type Carrier, KEEP_ALIVE_AFTER_MS } from './carrier.ts';
import type { RawClient } from './raw-client.ts';
import { serverHandleOf } from './stream-base.ts';
import type { Transport } from './transport.ts';
import { adoptUnixSocket, bindUnixSocket, type UnixSocket, unixPathOf } from './unix-socket.ts';

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** As logs and views show it. */
export function addressText(address: BoundAddress | string): string {
  return typeof address === 'string' ? `unix:${address}` : hostPort(address);
}

/** For a process that is to listen there, too. */
export interface ListeningSocket {
  readonly fd: number;
  /** Node's, which it can send to another process; null where it has none. */
  readonly handle: object | null;
}

export interface Listening {
  /** The real address: the port the system chose, or the path. */
  readonly address: BoundAddress | string;
  /** Null where this Node does not tell it. */
  readonly socket: ListeningSocket | null;
  /** Stop accepting. Connections that were accepted stay. Resolves when the port is free. */
  close(): Promise<void>;
  /** The same where another process has the socket, too: the file of a unix socket is that one's. */
  leave(): Promise<void>;
}

interface ListenOptions {
  readonly address: ListenAddress;
  readonly backlog: number;
  /** A listening socket that was handed over for this address; null: one is bound. */
  readonly inherited?: number | null;
  readonly carrier: Carrier;
  readonly clients: Clients;
}

/** Who takes those that are accepted. */
export type Clients =
  | { readonly carried: 'here'; readonly take: (client: Transport) => void }
  | { readonly carried: 'elsewhere'; readonly take: (client: RawClient) => void };

/** Rejects with the system's error: EADDRINUSE, EACCES, ... */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { address, backlog, inherited = null, carrier, clients } = options;
  const server = createServer({
    // A half-closed client still gets the end of its close handshake.
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    pauseOnConnect: true,
  });
  const listening = await bindServer(server, address, { backlog, inherited });
  if (clients.carried === 'here') carrier.serve(server, clients.take);
  else carrier.serveRaw(server, clients.take);
  return listening;
}

interface BindSettings {
  readonly backlog?: number;
  readonly inherited?: number | null;
}

/** `server` listens at `address` from then on. A stale socket file is replaced. Rejects with the system's error. */
export async function bindServer(
  server: Server,
  address: ListenAddress,
  { inherited = null, ...options }: BindSettings = {},
): Promise<Listening> {
  let file: UnixSocket | null = null;
  if (inherited !== null) {
    await bind(server, { ...options, fd: inherited });
    if (address.kind === 'unix') file = adoptUnixSocket(address.path, address.mode);
  } else if (address.kind === 'fd') {
    throw new Error('no such socket was handed over, as LISTEN_FDS and LISTEN_FDNAMES say');
  } else if (address.kind === 'unix') {
    file = await bindUnixSocket({
      path: address.path,
      mode: address.mode,
      bind: (path) => bind(server, { ...options, path }),
      unbind: () => server.close(),
    });
  } else {
    await bind(server, { ...options, port: address.port, ...(address.host === '' ? {} : { host: address.host }) });
  }
  const leave = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return {
    address: file?.path ?? boundAddress(server, inherited),
    socket: socketOf(server),
    close: () => {
      file?.remove();
      return leave();
    },
    leave,
  };
}

type BindOptions = { readonly backlog?: number } & (
  | { path: string }
  | { fd: number }
  | { port: number; host?: string }
);

function bind(server: Server, options: BindOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Beside a descriptor Node reads no backlog from the options, and would make it 511.
    server.listen(options, options.backlog, () => {
      server.off('error', reject);
      // An accept that fails is the kernel's affair of one client; it must not end the process.
      server.on('error', () => {});
      resolve();
    });
  });
}

function socketOf(server: Server): ListeningSocket | null {
  const handle = serverHandleOf(server);
  return handle?.fd === undefined ? null : { fd: handle.fd, handle };
}

function boundAddress(server: Server, inherited: number | null): BoundAddress | string {
  const address = server.address();
  // Node does not know where a unix socket is bound that it was given.
  if (address === null && inherited !== null) return unixPathOf(inherited);
  if (address === null || typeof address === 'string') throw new Error('a server that listens has an address');
  return { host: address.address, port: address.port };
}
