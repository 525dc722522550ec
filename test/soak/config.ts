// The config of the proxy in a soak: a route for each kind of traffic, limits and timeouts short enough to be met.

import type { ConfigInput } from '../../src/proxy.ts';
import type { TestCertificates } from '../support/certs.ts';
import { isBackendTls, isClientTls, TLS_NAME } from '../support/tls-sides.ts';

export interface SoakTargets {
  /** The backend itself, and over a bad line. */
  readonly steady: readonly [string, string];
  readonly mortal: string;
  /** Of plain requests. */
  readonly pages: string;
  /** For the sides that speak TLS. */
  readonly certificates: TestCertificates;
}

/** Why a session of a route may end. What is not named may end for any reason but a fault of our own. */
export const allowedReasons: Readonly<Record<string, readonly string[]>> = {
  steady: ['client_close'],
  paused: ['client_close'],
  dropped: ['client_close'],
  slow: ['client_close'],
};

export function soakConfig({ steady, mortal, pages, certificates }: SoakTargets, change = 0): ConfigInput {
  const [straight, rough] = steady;
  const tls = isBackendTls ? { tls: { ca: certificates.ca, server_name: TLS_NAME } } : {};
  return {
    listeners: [
      {
        name: 'public',
        address: '127.0.0.1:0',
        ...(isClientTls ? { tls: { certificates: [certificates.good] } } : {}),
      },
    ],
    admin: { address: '127.0.0.1:0' },
    log: { session_open: 'info' },
    limits: {
      max_sessions: 400,
      // What a reload changes; nobody meets it.
      max_buffered: change % 2 === 0 ? '256KiB' : '192KiB',
    },
    timeouts: {
      handshake: '5s',
      connect: '5s',
      upgrade: '2s',
      open: '10s',
      message_stall: '15s',
      write_stall: '10s',
      close: '5s',
      idle: `${60 + change}s`,
      client_ping_interval: '2s',
      backend_ping_interval: '3s',
      pong: '10s',
    },
    upstreams: {
      steady: {
        targets: [
          { name: 'straight', url: straight },
          { name: 'rough', url: rough },
        ],
        balance: 'round_robin',
        ...tls,
      },
      single: { targets: [{ name: 'straight', url: straight }], ...tls },
      mortal: { targets: [{ name: 'mortal', url: mortal }], ...tls },
    },
    routes: [
      ...['chat', 'ticks', 'upload', 'idle', 'bulk'].map((kind) => ({
        name: `steady-${kind}`,
        match: { path: `/${kind}/*` },
        upstream: 'steady',
      })),
      { name: 'slow', match: { path: '/slow/*' }, upstream: 'single' },
      { name: 'pages', match: { path: '/pages/*' }, http: pages },
      { name: 'mortal', match: { path: '/mortal/*' }, upstream: 'mortal' },
      { name: 'hostile', match: { path: '/hostile/*' }, upstream: 'single', timeouts: { pong: '5s' } },
      { name: 'stuck', match: { path: '/stuck/*' }, upstream: 'single', timeouts: { write_stall: '3s', pong: '5s' } },
      { name: 'lying', match: { path: '/lying/*' }, upstream: 'single' },
      { name: 'dying', match: { path: '/dying/*' }, upstream: 'single' },
      limited('limited', 'close'),
      limited('paused', 'pause'),
      limited('dropped', 'drop'),
    ],
  };
}

function limited(name: string, policy: 'close' | 'pause' | 'drop') {
  return {
    name,
    match: { path: `/${name}/*` },
    upstream: 'single',
    compression: 'off' as const,
    limits: {
      from_client: { messages_per_second: 30, message_burst: 40, on_rate_exceeded: policy },
    },
  };
}
