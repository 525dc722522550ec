// Plain requests in a soak: a server that gives back what it gets, and clients beside the sessions that ask it, again
// and again on one connection, or leave in the middle.

import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectTo, isClientTls } from '../support/tls-sides.ts';
import type { Visit } from './world.ts';

const HOST = '127.0.0.1';
const BODY_BYTES_MAX = 200_000;
const REQUESTS_MAX = 6;
const LEAVES_MS_MAX = 50;
const PAUSE_MS_MAX = 300;

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function listenForPages(): Promise<PageServer> {
  const server = createServer((asked, answer) => {
    asked.on('error', () => {});
    answer.on('error', () => {});
    asked.pipe(answer);
  });
  server.listen({ port: 0, host: HOST, backlog: 512 });
  await once(server, 'listening');
  // It listens on TCP.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Every body comes back byte for byte, all on one connection. */
export async function pages(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const agent = agentOf(visit);
  try {
    for (let left = random.between(1, REQUESTS_MAX); left > 0 && !world.isStopping; left -= 1) {
      const body = random.bytes(random.chance(0.2) ? 0 : random.between(1, BODY_BYTES_MAX));
      const { status, bytes } = await askFor(visit, agent, body);
      if (status === 200 && bytes.equals(body)) world.count('pages');
      else visit.fault(`a page of ${body.length} bytes: ${status}, ${bytes.length} bytes`);
      if (random.chance(0.5)) await world.pass(random.between(1, PAUSE_MS_MAX));
    }
  } finally {
    agent.destroy();
  }
}

/** Is gone with a part of its body, or of the answer. */
export async function pageLeaver(visit: Visit): Promise<void> {
  const { random, world } = visit;
  const agent = agentOf(visit);
  const asked = requestTo(visit, agent, BODY_BYTES_MAX);
  asked.on('error', () => {});
  asked.on('response', (answer) => answer.pause());
  asked.write(random.bytes(random.between(1, BODY_BYTES_MAX - 1)));
  await world.pass(random.between(0, LEAVES_MS_MAX));
  asked.destroy();
  agent.destroy();
}

function agentOf(visit: Visit): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const createConnection = () => {
    const socket = connectTo(visit.world.ports.straight, HOST, isClientTls);
    visit.own(socket);
    return socket;
  };
  return Object.assign(agent, { createConnection });
}

function requestTo(visit: Visit, agent: Agent, length: number) {
  const headers = { Host: 'soak.example.com', 'Content-Length': length };
  return request({ method: 'POST', path: `/pages/${visit.id}`, headers, agent });
}

function askFor(
  visit: Visit,
  agent: Agent,
  body: Buffer,
): Promise<{ readonly status: number; readonly bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const asked = requestTo(visit, agent, body.length);
    asked.on('error', reject);
    asked.on('response', (answer: IncomingMessage) => {
      const chunks: Buffer[] = [];
      answer.on('error', reject);
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
    });
    asked.end(body);
  });
}
