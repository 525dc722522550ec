// The least that Node's own HTTP server holds for a connection: what the attacks by plain requests compare with.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { answerMessages } from '../../bench/support/child-process.ts';

export type PlainBareRequest = 'listen' | 'measure';

export interface PlainBareReply {
  readonly port: number;
  /** Bytes after garbage collection. */
  readonly heap: number;
  readonly resident: number;
}

const SETTLE_MS = 300;

let port = 0;

answerMessages<PlainBareRequest, PlainBareReply>(async (request) => {
  if (request === 'listen') port = await listen();
  for (let i = 0; i < 2; i += 1) {
    globalThis.gc?.();
    await delay(SETTLE_MS);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { port, heap: heapUsed + external, resident: rss };
});

async function listen(): Promise<number> {
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (_, response) => response.end('ok'));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  const address = server.address();
  return address === null || typeof address === 'string' ? 0 : address.port;
}
