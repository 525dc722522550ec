// What targets of an upstream with `proxy_protocol` get before anything else.

import type { UpstreamConfig } from '../config/types.ts';
import { type ProxiedConnection, writeProxyHeader } from '../protocol/proxy-header/writer.ts';

/** Null: nothing. `proxied`: null when framegate speaks for itself. */
export function proxyPreamble(
  { proxy_protocol }: Pick<UpstreamConfig, 'proxy_protocol'>,
  proxied: (() => ProxiedConnection) | null,
): Buffer | null {
  return proxy_protocol === 'off' ? null : writeProxyHeader(proxy_protocol, proxied === null ? null : proxied());
}
