// Owns the names of listeners, routes and targets that have none of their own in the config.

import type { Endpoint, ParsedConfig } from './schema.ts';

type ParsedTarget = ParsedConfig['upstreams'][string]['targets'][number];

export function listenerName(listener: ParsedConfig['listeners'][number]): string {
  return listener.name ?? listener.address.text;
}

/** Host and path: what tells routes apart. */
export function routeName(route: ParsedConfig['routes'][number]): string {
  return route.name ?? `${(route.match.hosts ?? []).join(',')}${route.match.path.text}`;
}

export function targetName(target: ParsedTarget): string {
  return target.name ?? endpointName(target.url.endpoint);
}

/** `host:port`, the path of a unix socket, or builtin:echo. */
export function endpointName(endpoint: Endpoint): string {
  if (endpoint.kind === 'echo') return 'builtin:echo';
  if (endpoint.kind === 'unix') return endpoint.path;
  return `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
}
