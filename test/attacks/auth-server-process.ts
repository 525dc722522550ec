// An authorization server in a process of its own: RFC 7662 and a service that decides, neither of which lets anybody
// in, and a JWK Set. It counts what it is asked, and is as slow or as broken as it is told to be.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { answerMessages } from '../../bench/support/child-process.ts';

export interface AuthServerMood {
  /** Until it answers. */
  readonly delayMs: number;
  /** It breaks off instead of answering. */
  readonly drops: boolean;
  /** JSON. */
  readonly jwks: string;
}

export type AuthServerRequest =
  | { readonly kind: 'listen' }
  | { readonly kind: 'be'; readonly mood: AuthServerMood }
  /** What it was asked since the last tally. */
  | { readonly kind: 'tally' };

export interface AuthServerReply {
  readonly port: number;
  /** By path. */
  readonly asked: Readonly<Record<string, number>>;
  /** How often it was asked the same, at most. */
  readonly mostAlike: number;
  /** Questions that waited for their answer at the same time, at most. */
  readonly atOnce: number;
}

let mood: AuthServerMood = { delayMs: 0, drops: false, jwks: '{"keys":[]}' };
let port = 0;
let waiting = 0;
let tally = { asked: new Map<string, number>(), alike: new Map<string, number>(), atOnce: 0 };

answerMessages<AuthServerRequest, AuthServerReply>(async (request) => {
  if (request.kind === 'be') mood = request.mood;
  if (request.kind === 'listen') {
    const server = createServer({ keepAlive: false }, take).listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
    await once(server, 'listening');
    const address = server.address();
    port = address === null || typeof address === 'string' ? 0 : address.port;
  }
  const { asked, alike, atOnce } = tally;
  if (request.kind === 'tally') tally = { asked: new Map(), alike: new Map(), atOnce: waiting };
  return { port, asked: Object.fromEntries(asked), mostAlike: Math.max(0, ...alike.values()), atOnce };
});

function take(request: IncomingMessage, response: ServerResponse): void {
  waiting += 1;
  tally.atOnce = Math.max(tally.atOnce, waiting);
  let isOver = false;
  const over = () => {
    if (!isOver) waiting -= 1;
    isOver = true;
  };
  response.on('finish', over).on('close', over);
  let body = '';
  request.setEncoding('latin1').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const path = request.url ?? '';
    count(tally.asked, path);
    count(tally.alike, `${path} ${request.headers.authorization ?? ''} ${body}`);
    if (mood.drops) request.socket.destroy();
    else if (mood.delayMs > 0) setTimeout(answer, mood.delayMs, path, response);
    else answer(path, response);
  });
}

function answer(path: string, response: ServerResponse): void {
  if (path === '/jwks') response.end(mood.jwks);
  else if (path === '/introspect') response.end('{"active":false}');
  else response.writeHead(401).end();
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
