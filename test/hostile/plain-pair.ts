// A proxy with one route for plain requests, and both ends of one of them in the hands of a test.

import type { ConfigInput } from '../../src/proxy.ts';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';

type Route = ConfigInput['routes'][number];
type Upstream = NonNullable<ConfigInput['upstreams']>[string];

interface PlainProxy extends RunningProxy {
  readonly raw: RawBackend;
}

export async function startPlain(
  route: Partial<Route> = {},
  upstream: Partial<Upstream> = {},
  config: Partial<ConfigInput> = {},
): Promise<PlainProxy> {
  const raw = await RawBackend.listen();
  const url = raw.url.replace('ws:', 'http:');
  const running = await startProxy({
    routes: [{ name: 'pages', match: { path: '/*' }, http: 'pages', ...route }],
    upstreams: { pages: { targets: [{ url }], ...upstream } },
    log: { level: 'debug' },
    ...config,
  });
  return { ...running, raw };
}

interface PlainPair {
  readonly client: RawClient;
  readonly backend: BackendConnection;
}

export function requestText(line = 'GET / HTTP/1.1', ...fields: readonly string[]): string {
  return `${[line, 'Host: a.test', ...fields].join('\r\n')}\r\n\r\n`;
}

/** Its head has come to the backend. */
export async function askPlain({ port, raw }: PlainProxy, request = requestText()): Promise<PlainPair> {
  const client = await RawClient.connect(port);
  client.send(request);
  const backend = await raw.nextConnection();
  await backend.head();
  return { client, backend };
}
