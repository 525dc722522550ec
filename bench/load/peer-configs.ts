// The config of each proxy that has one, written anew for every start. What differs between peers is said here; all
// limits and timeouts of framegate stay at their defaults: there is no mode for benches.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TlsFiles } from './tls.ts';

export const HOST = '127.0.0.1';
/** Room for listeners, logs and spare connections. */
const SPARE_SESSIONS = 200;
/** What a method is called where there is one. */
const AUTH = 'asked';

/** Compiled to bench/dist/bench/load: up to the folder that has package.json. */
export const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Where TLS ends at a proxy; null for nowhere. Clients choose its version. */
export interface PeerTls extends TlsFiles {
  /** The backend's listener speaks it too. */
  readonly toBackend: boolean;
}

export interface PeerConfig {
  /** A folder of its own. */
  readonly directory: string;
  /** With `tls.toBackend` these are ports with TLS. */
  readonly backendPort: number;
  readonly floodBackendPort: number;
  /** Where plain requests for /plain go; without TLS. */
  readonly plainBackendPort: number;
  readonly sessionsMax: number;
  readonly tls: PeerTls | null;
  /** Of framegate, besides listeners and routes. */
  readonly framegateKeys: Readonly<Record<string, unknown>>;
  /** The method that all its routes ask for; null for open ones. */
  readonly framegateAuth: object | null;
}

/** All of these give the file that they wrote. */
export function framegateConfig(port: number, config: PeerConfig): string {
  const { backendPort, floodBackendPort, plainBackendPort, tls, framegateAuth } = config;
  // Its clients are no browsers.
  const asked = framegateAuth === null ? {} : { auth: [AUTH], origins: ['same'], missing_origin: 'allow' };
  const scheme = tls?.toBackend ? 'wss' : 'ws';
  const listenerTls = tls === null ? {} : { tls: { certificates: [{ cert: tls.cert, key: tls.key }] } };
  // The others do not ask for a good certificate either, unless they are told to.
  const upstreamTls = tls?.toBackend ? { tls: { verify: false } } : {};
  const upstream = (backend: number) => ({ targets: [{ url: `${scheme}://${HOST}:${backend}` }], ...upstreamTls });
  const content = {
    ...config.framegateKeys,
    ...(framegateAuth === null ? {} : { auth: { [AUTH]: framegateAuth } }),
    listeners: [{ address: `${HOST}:${port}`, ...listenerTls }],
    upstreams: { echo: upstream(backendPort), flood: upstream(floodBackendPort) },
    routes: [
      { match: { path: '/flood' }, upstream: 'flood', ...asked },
      { match: { path: '/plain' }, http: `http://${HOST}:${plainBackendPort}` },
      { match: { path: '/*' }, upstream: 'echo', ...asked },
    ],
  };
  const file = join(config.directory, 'framegate.yaml');
  writeFileSync(file, JSON.stringify(content, null, 2));
  return file;
}

export function nginxConfig(port: number, buffers: string, config: PeerConfig): string {
  const { tls } = config;
  return fill('nginx.conf', port, buffers, config, {
    scheme: tls?.toBackend ? 'https' : 'http',
    listen_tls: tls === null ? '' : ' ssl',
    tls:
      tls === null ? '' : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3;`,
    backend_tls: tls?.toBackend ? 'proxy_ssl_protocols TLSv1.2 TLSv1.3;' : '',
  });
}

export function haproxyConfig(port: number, buffers: string, config: PeerConfig): string {
  const { tls } = config;
  return fill('haproxy.cfg', port, buffers, config, {
    tls: tls === null ? '' : ` ssl crt ${tls.both} curves X25519:P-256`,
    backend_tls: tls?.toBackend ? ' ssl verify none ssl-min-ver TLSv1.3' : '',
  });
}

function fill(
  template: string,
  port: number,
  buffers: string,
  config: PeerConfig,
  more: Readonly<Record<string, string>>,
): string {
  const sessions = config.sessionsMax + SPARE_SESSIONS;
  const values: Readonly<Record<string, string | number>> = {
    directory: config.directory,
    port,
    backend: config.backendPort,
    flood: config.floodBackendPort,
    plain: config.plainBackendPort,
    sessions,
    // nginx begins to drop idle connections when a sixteenth of these is left; each session takes two.
    files: 3 * sessions,
    buffers,
    ...more,
  };
  return fillTemplate(template, config.directory, values);
}

/** Writes a template of bench/peers to `directory`, with `{{name}}` replaced. */
export function fillTemplate(
  template: string,
  directory: string,
  values: Readonly<Record<string, string | number>>,
): string {
  const text = readFileSync(join(PROJECT, 'bench/peers', template), 'utf8');
  const file = join(directory, template);
  writeFileSync(
    file,
    text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => String(values[key] ?? '')),
  );
  return file;
}
