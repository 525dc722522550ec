// The process of the echo backend. On a port of its own it answers plain requests.

import { answerMessages } from '../support/child-process.ts';
import { type EchoServers, listenForEchoes } from './echo-server.ts';
import { listenForRequests } from './plain-backend.ts';
import type { TlsFiles } from './tls.ts';

export interface BackendRequest {
  /** Of a second listener, with TLS; null for none. */
  readonly tls: TlsFiles | null;
}

export interface BackendReply extends EchoServers {
  /** Of plain requests. */
  readonly plainPort: number;
}

const HOST = '127.0.0.1';

answerMessages<BackendRequest, BackendReply>(async ({ tls }) => {
  const plainPort = await listenForRequests(HOST);
  return { ...(await listenForEchoes(tls, null)), plainPort };
});
