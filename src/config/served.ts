// Owns who is sent where: which upstreams get WebSockets and which get requests without upgrade.

import type { ParsedConfig } from './types.ts';

type Routes = Pick<ParsedConfig, 'routes'>;

export interface Served {
  /** What routes name: keys of `upstreams`, and target URLs. */
  readonly sockets: ReadonlySet<string | undefined>;
  readonly http: ReadonlySet<string | undefined>;
}

export function servedBy({ routes }: Routes): Served {
  return {
    sockets: new Set(routes.map(({ upstream }) => upstream)),
    http: new Set(routes.map(({ http }) => http)),
  };
}

/** That of an upstream whose checks name none: what its targets are there for is what shows that they work. */
export function checkTypeOf(name: string, { sockets, http }: Served): 'websocket' | 'http' {
  return http.has(name) && !sockets.has(name) ? 'http' : 'websocket';
}
