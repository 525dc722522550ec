// A loaded config on its way between threads: taken apart into parts that are each small to copy, and put together
// again as it was: frozen, with maps without prototypes and bytes as Buffers. It judges nothing.

import { unreachable } from '../unreachable.ts';
import { freeze } from './build.ts';
import { type Origin, originOf, withOrigin } from './origin.ts';
import type { Config, RouteConfig, TlsConfig, UpstreamConfig } from './types.ts';

export type ConfigPart =
  | { readonly kind: 'routes'; readonly routes: readonly RouteConfig[] }
  | { readonly kind: 'upstreams'; readonly upstreams: readonly UpstreamConfig[] }
  | { readonly kind: 'given'; readonly paths: readonly string[] }
  | { readonly kind: 'rest'; readonly rest: Omit<Config, 'routes' | 'upstreams'>; readonly origin: Origin };

/** Small enough that a part is copied in about a millisecond. */
const ITEMS_MAX = 50;
const PATHS_MAX = 2_000;

export function* partsOf(config: Config): Generator<ConfigPart> {
  const { routes, upstreams, ...rest } = config;
  for (const some of slicesOf(routes, ITEMS_MAX)) yield { kind: 'routes', routes: some };
  for (const some of slicesOf(Object.values(upstreams), ITEMS_MAX)) yield { kind: 'upstreams', upstreams: some };
  const { given, secrets, files } = originOf(config);
  for (const paths of slicesOf([...given], PATHS_MAX)) yield { kind: 'given', paths };
  yield { kind: 'rest', rest, origin: { given: new Set(), secrets, files } };
}

function* slicesOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** Takes copies of the parts in their order. */
export class Assembly {
  private readonly routes: RouteConfig[] = [];
  private readonly upstreams: Record<string, UpstreamConfig> = Object.create(null);
  private readonly given = new Set<string>();

  /** The whole config, from the last part on; null before. */
  add(part: ConfigPart): Config | null {
    switch (part.kind) {
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
        const { rest, origin } = part;
        freeze(rest);
        const config = {
          ...rest,
          close_codes: freeze(bare(rest.close_codes)),
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
}

/** Copies between threads have the prototype that these maps must not have. */
function bare<T extends object>(map: T): T {
  return Object.assign(Object.create(null), map);
}

function tlsOf(tls: TlsConfig | null): TlsConfig | null {
  if (tls === null) return null;
  return { ...tls, ca: bytesOf(tls.ca), cert: bytesOf(tls.cert), key: bytesOf(tls.key) };
}

/** Copies of Buffers are plain arrays of bytes. */
function bytesOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
