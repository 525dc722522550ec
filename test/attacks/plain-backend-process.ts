// A backend of plain requests in a process of its own. By path: `/endless` sends without end, `/events` one event of a
// stream that stays open, everything else is read and gets a short answer when it is whole.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { answerMessages } from '../../bench/support/child-process.ts';

export type PlainBackendRequest = { readonly kind: 'listen' } | { readonly kind: 'tally' };

export interface PlainBackendReply {
  readonly port: number;
  /** Bytes of endless answers that were taken so far. */
  readonly bytes: number;
}

const PIECE = Buffer.alloc(65_536, 'x');

let port = 0;
let bytes = 0;

answerMessages<PlainBackendRequest, PlainBackendReply>(async ({ kind }) => {
  if (kind === 'listen') port = await listen();
  return { port, bytes };
});

async function listen(): Promise<number> {
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    if (request.url === '/endless') return sendOn(response);
    if (request.url === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('data: 1\n\n');
      return;
    }
    request.on('data', () => {});
    request.on('end', () => response.end('ok'));
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  const address = server.address();
  return address === null || typeof address === 'string' ? 0 : address.port;
}

function sendOn(response: ServerResponse): void {
  const room = (): void => {
    while (!response.destroyed) {
      bytes += PIECE.length;
      if (!response.write(PIECE)) return;
    }
  };
  response.on('drain', room);
  room();
}
