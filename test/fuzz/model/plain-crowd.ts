// Many connections of plain requests at once through a whole proxy on loopback sockets, each judged when it is over. A
// client is known at the backend by an address of its own.

import { connect, type Socket } from 'node:net';
import { createProxy } from '../../../src/proxy.ts';
import { valuesOf } from '../../reference/grammar.ts';
import { readPlain } from '../../reference/plain-request.ts';
import { LogTap } from '../../support/log-tap.ts';
import { PlainBackend } from '../../support/plain-backend.ts';
import { Random } from '../../support/random.ts';
import { transportMode } from '../../support/transport-mode.ts';
import { type PlainTalk, plainTalk } from '../plain-requests.ts';
import { answersOf, judgePlainTalk, type PlainTranscript, sequenceOf } from './plain-judge.ts';

const DEADLINE_MS = 30_000;
/** What is not all of a request is over by then; what is one is served long before. */
const TIMEOUTS = { handshake: '8s', body: '8s', keep_alive: '8s' } as const;
/** Where nothing more is to come: for what comes all the same. */
const SETTLE_MS = 20;

/** Runs them all. Throws with the story of the first that went wrong. */
export async function runPlainCrowd(random: Random, clients: number): Promise<void> {
  const backend = await PlainBackend.listen();
  const tap = new LogTap(DEADLINE_MS);
  const proxy = createProxy(
    {
      listeners: [{ name: 'fuzz', address: '127.0.0.1:0' }],
      timeouts: TIMEOUTS,
      routes: [{ name: 'both', match: { path: '/*' }, upstream: 'builtin:echo', http: backend.url }],
    },
    { transport: transportMode, log: { write: (line) => tap.write(line) } },
  );
  try {
    await proxy.start();
    const address = proxy.address();
    const port = typeof address === 'string' ? 0 : address.port;
    const talks = Array.from({ length: clients }, () => new Random(random.uint32()));
    const told = await Promise.all(talks.map((own, index) => play(own, port, `127.0.1.${index + 1}`)));
    const seen = byClient(backend.received);
    for (const { client, ...talk } of told) judge({ ...talk, backends: seen.get(client) ?? [] });
    const fault = tap.lines.find(({ level }) => level === 'error');
    if (fault !== undefined) throw new Error(`a fault of the proxy itself: ${JSON.stringify(fault)}`);
  } finally {
    await proxy.stop();
    await backend.close();
  }
}

type Told = Omit<PlainTranscript, 'backends'> & { readonly client: string };

async function play(random: Random, port: number, client: string): Promise<Told> {
  const { bytes, goodFirst }: PlainTalk = plainTalk(random);
  const { messages, rest } = sequenceOf(bytes);
  const socket = connect({ port, host: '127.0.0.1', localAddress: client, noDelay: true, allowHalfOpen: true });
  let received = Buffer.alloc(0);
  const over = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no end: ${printed(bytes)}\n${printed(received)}`)), DEADLINE_MS);
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const { statuses } = answersOf(received, messages);
      // Where all is read and answered nobody waits for the proxy to close.
      const isAnswered = rest !== 'fault' && statuses.length >= messages.length;
      if (isAnswered || statuses.includes(101)) setTimeout(end, SETTLE_MS);
    });
    if (messages.length === 0 && rest === 'more') setTimeout(end, SETTLE_MS);
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  });
  await sendCut(random, socket, bytes);
  await over;
  return { client, sent: bytes, goodFirst, received };
}

/** Whole, byte by byte, or in pieces. */
async function sendCut(random: Random, socket: Socket, bytes: Buffer): Promise<void> {
  const longest = random.pick([bytes.length, bytes.length, 1, 7, 100, 3000]);
  // Not more than a few hundred pieces: a long one has longer ones.
  const least = Math.ceil(bytes.length / 300);
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const size = Math.max(least, random.between(1, longest));
    socket.write(bytes.subarray(at, at + size));
    at += size;
    if (longest < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** By the address that only the proxy writes. One that had not even that was sent nothing of a request. */
function byClient(received: readonly Buffer[]): Map<string, Buffer[]> {
  const found = new Map<string, Buffer[]>();
  for (const bytes of received) {
    const reading = readPlain(bytes);
    const text = bytes.toString('latin1');
    const client =
      reading.kind === 'message'
        ? valuesOf(reading.message.fields, 'x-real-ip').join()
        : (/\r\nX-Real-IP: ([0-9.]+)\r\n/.exec(text)?.[1] ?? '');
    if (client === '' && text !== '') throw new Error(`a request of nobody: ${printed(bytes)}`);
    found.set(client, [...(found.get(client) ?? []), bytes]);
  }
  return found;
}

function judge(transcript: PlainTranscript): void {
  try {
    judgePlainTalk(transcript);
  } catch (error) {
    const story = [`sent ${printed(transcript.sent)}`, `got ${printed(transcript.received)}`];
    const message = error instanceof Error ? error.message : String(error);
    throw new Error([message, ...story, ...transcript.backends.map((bytes) => `backend ${printed(bytes)}`)].join('\n'));
  }
}

function printed(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 3000));
}
