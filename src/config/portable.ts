// A loaded config on its way between threads: taken apart into parts that are each small to copy, and put together
// again as it was: frozen, with maps without prototypes and bytes as Buffers. It judges nothing.

import { unreachable } from '../unreachable.ts';
import { freeze } from './build.ts';
import { type Origin, originOf, withOrigin } from './origin.ts';
import type {
  ApiKeyEntry,
  AuthConfig,
  Config,
  ListenerCertificate,
  ListenerConfig,
  RouteConfig,
  TlsConfig,
  UpstreamConfig,
  UserEntry,
} from './types.ts';

export type ConfigPart =
  | { readonly kind: 'certificates'; readonly listener: number; readonly certificates: readonly ListenerCertificate[] }
  | { readonly kind: 'routes'; readonly routes: readonly RouteConfig[] }
  | { readonly kind: 'upstreams'; readonly upstreams: readonly UpstreamConfig[] }
  | { readonly kind: 'keys'; readonly method: string; readonly keys: readonly ApiKeyEntry[] }
  | { readonly kind: 'users'; readonly method: string; readonly users: readonly UserEntry[] }
  | { readonly kind: 'given'; readonly paths: readonly string[] }
  | { readonly kind: 'rest'; readonly rest: Omit<Config, 'routes' | 'upstreams'>; readonly origin: Origin };

/** Small enough that a part is copied in about a millisecond. */
const ITEMS_MAX = 50;
const ENTRIES_MAX = 200;
const PATHS_MAX = 2_000;

export function* partsOf(config: Config): Generator<ConfigPart> {
  const { routes, upstreams, ...others } = config;
  for (const [listener, { tls }] of config.listeners.entries()) {
    for (const certificates of slicesOf(tls?.certificates ?? [], ITEMS_MAX))
      yield { kind: 'certificates', listener, certificates };
  }
  for (const method of Object.values(config.auth)) {
    if (method.kind === 'api_key')
      for (const keys of slicesOf(method.keys, ENTRIES_MAX)) yield { kind: 'keys', method: method.name, keys };
    if (method.kind === 'basic')
      for (const users of slicesOf(method.users, ENTRIES_MAX)) yield { kind: 'users', method: method.name, users };
  }
  const rest = {
    ...others,
    listeners: config.listeners.map(withoutCertificates),
    auth: mapped(config.auth, withoutEntries),
  };
  for (const some of slicesOf(routes, ITEMS_MAX)) yield { kind: 'routes', routes: some };
  for (const some of slicesOf(Object.values(upstreams), ITEMS_MAX)) yield { kind: 'upstreams', upstreams: some };
  const { given, secrets, files } = originOf(config);
  for (const paths of slicesOf([...given], PATHS_MAX)) yield { kind: 'given', paths };
  yield { kind: 'rest', rest, origin: { given: new Set(), secrets, files } };
}

function withoutCertificates(listener: ListenerConfig): ListenerConfig {
  return listener.tls === null ? listener : { ...listener, tls: { ...listener.tls, certificates: [] } };
}

function withoutEntries(method: AuthConfig): AuthConfig {
  if (method.kind === 'api_key') return { ...method, keys: [] };
  return method.kind === 'basic' ? { ...method, users: [] } : method;
}

function mapped(auth: Config['auth'], change: (method: AuthConfig) => AuthConfig): Config['auth'] {
  return bare(Object.fromEntries(Object.entries(auth).map(([name, method]) => [name, change(method)])));
}

function* slicesOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** Takes copies of the parts in their order. */
export class Assembly {
  /** By the position of the listener. */
  private readonly certificates = new Map<number, ListenerCertificate[]>();
  /** By the name of the method. */
  private readonly keys = new Map<string, ApiKeyEntry[]>();
  private readonly users = new Map<string, UserEntry[]>();
  private readonly routes: RouteConfig[] = [];
  private readonly upstreams: Record<string, UpstreamConfig> = Object.create(null);
  private readonly given = new Set<string>();

  /** The whole config, from the last part on; null before. */
  add(part: ConfigPart): Config | null {
    switch (part.kind) {
      case 'certificates': {
        const known = this.certificates.get(part.listener) ?? [];
        for (const one of part.certificates) known.push(copiedCertificate(one));
        this.certificates.set(part.listener, known);
        return null;
      }
      case 'keys':
        this.keys.set(part.method, (this.keys.get(part.method) ?? []).concat(freeze(part.keys)));
        return null;
      case 'users':
        this.users.set(part.method, (this.users.get(part.method) ?? []).concat(freeze(part.users)));
        return null;
      case 'routes':
        for (const route of part.routes) {
          this.routes.push(freeze({ ...route, close_codes: bare(route.close_codes) }));
        }
        return null;
      case 'upstreams':
        for (const upstream of part.upstreams) {
          this.upstreams[upstream.name] = freeze({ ...upstream, tls: tlsOf(upstream.tls) });
        }
        return null;
      case 'given':
        for (const path of part.paths) this.given.add(path);
        return null;
      case 'rest': {
        const { origin } = part;
        const rest = { ...part.rest, listeners: part.rest.listeners.map((one, at) => this.listenerOf(one, at)) };
        freeze(rest);
        const config = {
          ...rest,
          close_codes: freeze(bare(rest.close_codes)),
          auth: this.authOf(rest.auth),
          routes: this.routes,
          upstreams: this.upstreams,
        };
        for (const list of [this.routes, this.upstreams]) Object.freeze(list);
        return Object.freeze(withOrigin(config, { ...origin, given: this.given }));
      }
      default:
        return unreachable(part);
    }
  }

  private authOf(auth: Config['auth']): Config['auth'] {
    const whole = freeze(mapped(auth, methodOf));
    // Frozen part by part: all at once they would take long.
    const withEntries = (method: AuthConfig): AuthConfig => {
      if (method.kind === 'api_key')
        return Object.freeze({ ...method, keys: Object.freeze(this.keys.get(method.name) ?? []) });
      if (method.kind === 'basic')
        return Object.freeze({ ...method, users: Object.freeze(this.users.get(method.name) ?? []) });
      return method;
    };
    return Object.freeze(mapped(whole, withEntries));
  }

  private listenerOf(listener: ListenerConfig, position: number): ListenerConfig {
    const { tls } = listener;
    if (tls === null) return listener;
    const { client_ca, client_crl, tickets } = tls;
    return {
      ...listener,
      tls: {
        ...tls,
        certificates: this.certificates.get(position) ?? [],
        acme: tls.acme.map((one) => ({ ...one, tls: tlsOf(one.tls) })),
        client_ca: bytesOf(client_ca),
        client_crl: client_crl === null ? null : client_crl.map(bufferOf),
        tickets: typeof tickets === 'string' ? tickets : { key: bufferOf(tickets.key) },
      },
    };
  }
}

/** Copies between threads have the prototype that these maps must not have. */
function bare<T extends object>(map: T): T {
  return Object.assign(Object.create(null), map);
}

function methodOf(method: AuthConfig): AuthConfig {
  if (method.kind === 'jwt' && method.key.kind === 'jwks_url')
    return { ...method, key: { ...method.key, tls: tlsOf(method.key.tls) } };
  return 'tls' in method ? { ...method, tls: tlsOf(method.tls) } : method;
}

function tlsOf(tls: TlsConfig | null): TlsConfig | null {
  if (tls === null) return null;
  return { ...tls, ca: bytesOf(tls.ca), cert: bytesOf(tls.cert), key: bytesOf(tls.key) };
}

/** As it was, of a copy of one. */
export function copiedCertificate(copy: ListenerCertificate): ListenerCertificate {
  return { ...copy, cert: bufferOf(copy.cert), key: bufferOf(copy.key) };
}

/** Copies of Buffers are plain arrays of bytes. */
function bytesOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : bufferOf(bytes);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
