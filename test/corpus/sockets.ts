// Cases of the corpus through a whole proxy on real sockets: one refusal and no dial, or one request head at the
// backend, and nothing behind it before the backend's 101.

import assert from 'node:assert/strict';
import { REFUSALS, type RefusalSlug } from '../../src/protocol/refusals.ts';
import { expectEnd, expectRefusal } from '../hostile/harness.ts';
import type { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { type CorpusCase, nameOf } from './corpus-case.ts';
import { requestVerdict, restBehindHead } from './request-verdict.ts';

/** How many refusals are waited for at the same time. */
const LANES = 8;

export interface SocketOptions {
  readonly port: number;
  readonly backend: RawBackend;
}

/** The rules that the cases broke, in words. */
export async function runOnSockets(cases: readonly CorpusCase[], options: SocketOptions): Promise<string[]> {
  const faults: string[] = [];
  const attempt = async (one: CorpusCase, play: () => Promise<void>): Promise<void> => {
    try {
      await play();
    } catch (error) {
      faults.push(`${nameOf(one)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const verdicts = cases.map((one) => ({ one, verdict: requestVerdict(one.bytes) }));
  const refused = verdicts.filter(({ verdict }) => verdict !== 'accepted');
  const dials = options.backend.connections;
  const lane = async (first: number): Promise<void> => {
    for (let i = first; i < refused.length; i += LANES) {
      const { one, verdict } = refused[i] as (typeof refused)[number]; // within its length
      await attempt(one, () =>
        verdict === 'incomplete' ? staysSilent(one, options) : isRefused(one, verdict, options),
      );
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
  if (options.backend.connections !== dials) faults.push('a refused request reached the backend');
  for (const { one, verdict } of verdicts) {
    if (verdict === 'accepted') await attempt(one, () => isForwarded(one, options));
  }
  return faults;
}

/** In two writes, the cut in another place for each case. */
async function send(client: RawClient, one: CorpusCase): Promise<void> {
  const cut = 1 + ((one.bytes.length * 7919) % Math.max(1, one.bytes.length - 1));
  client.send(one.bytes.subarray(0, cut));
  await new Promise((resolve) => setImmediate(resolve));
  client.send(one.bytes.subarray(cut));
}

async function isRefused(one: CorpusCase, verdict: string, { port }: SocketOptions): Promise<void> {
  const client = await RawClient.connect(port);
  await send(client, one);
  assert(isSlug(verdict), verdict);
  expectRefusal(await client.readResponse(), `${REFUSALS[verdict].status} ${verdict}`);
  await expectEnd(client);
}

/** Half a request and a FIN: there is nobody to answer. */
async function staysSilent(one: CorpusCase, { port }: SocketOptions): Promise<void> {
  const client = await RawClient.connect(port);
  await send(client, one);
  client.end();
  await client.closed;
  assert.equal(client.bytesReceived, 0);
}

/** Refused by the backend first, then accepted: what is glued to the head gets to it in the second case alone. */
async function isForwarded(one: CorpusCase, options: SocketOptions): Promise<void> {
  const { port, backend } = options;
  const behind = restBehindHead(one.bytes);
  if (behind.length > 0) {
    const client = await RawClient.connect(port);
    await send(client, one);
    const server = await backend.nextConnection();
    await server.head();
    server.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    assert.equal((await client.readResponse()).status, 403);
    await expectEnd(client);
    await server.closed;
    assert.equal(server.unread.length, 0, 'bytes behind the head reached a backend that had refused');
  }
  const client = await RawClient.connect(port);
  await send(client, one);
  const server = await backend.nextConnection();
  await server.head();
  assert.equal(server.unread.length, 0, 'bytes behind the head before the 101');
  await server.accept();
  assert.equal((await client.readHead()).status, 101);
  const requestLines = server.received.toString('latin1').match(/^[A-Z]+ \S+ HTTP\/1\.1\r$/gm) ?? [];
  assert.equal(requestLines.length, 1, 'requests at the backend');
  client.reset();
  server.reset();
}

function isSlug(text: string): text is RefusalSlug {
  return text in REFUSALS;
}
