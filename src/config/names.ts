// Owns the names of listeners, routes, targets and upstreams that have none of their own in the config: what they are
// made of, and that each of them is a name that the config itself could give.

import { createHash } from 'node:crypto';
import { hostPort } from '../protocol/addresses/host-port.ts';
import type { Endpoint, ParsedConfig } from './types.ts';

type ParsedTarget = ParsedConfig['upstreams'][string]['targets'][number];

const NAME_LENGTH_MAX = 128;
/** Names in logs and metric labels. */
export const NAME = /^[\x21-\x7e]{1,128}$/;

/** Keys of maps whose keys are names. */
export const MAP_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Enough to tell apart whatever a person calls by long or odd names. */
const DIGEST_LENGTH = 12;

export function listenerName(listener: ParsedConfig['listeners'][number]): string {
  return listener.name ?? madeName(listener.address.text);
}

/** Host and path: what tells routes apart. */
export function routeName(route: ParsedConfig['routes'][number]): string {
  return route.name ?? madeName(`${(route.match.hosts ?? []).join(',')}${route.match.path.text}`);
}

export function targetName(target: Pick<ParsedTarget, 'name' | 'url'>): string {
  return target.name ?? endpointName(target.url.endpoint);
}

/** `host:port`, the path of a unix socket, or builtin:echo. */
function endpointName(endpoint: Endpoint): string {
  if (endpoint.kind === 'echo') return 'builtin:echo';
  if (endpoint.kind === 'unix') return madeName(endpoint.path);
  return madeName(hostPort(endpoint));
}

/** Of the upstream that a URL in a route stands for. Keys of `upstreams` have no colon, so the names never meet. */
export function implicitUpstreamName(url: string): string {
  return madeName(url);
}

/** `text`, where that is a name; else what of it can be one, and a digest that keeps different texts apart. */
function madeName(text: string): string {
  if (NAME.test(text)) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH);
  const visible = text.replace(/[^\x21-\x7e]+/g, '_').slice(0, NAME_LENGTH_MAX - DIGEST_LENGTH - 1);
  return `${visible}~${digest}`;
}
