// Sends one graft of a plain request to one subject and puts into words what came of it: the answers, and each request
// that its backend has read, by the strict reading.

import { setTimeout as delay } from 'node:timers/promises';
import { variantOf } from '../corpus/corpus-case.ts';
import { readPlain } from '../reference/plain-request.ts';
import { PlainBackend } from '../support/plain-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Graft } from './grafts.ts';
import { type SubjectName, startPlain } from './subjects.ts';

const GRACE_MS = 20;
const SYNC_PATH = '/oracle-sync';
const SYNC = `GET ${SYNC_PATH} HTTP/1.1\r\nHost: chat.example.com\r\nConnection: close\r\n\r\n`;

export async function askPlain(name: SubjectName, grafts: readonly Graft[]): Promise<Map<string, string>> {
  const backend = await PlainBackend.listen();
  const subject = await startPlain(name, backend.port);
  try {
    const verdicts = new Map<string, string>();
    for (const { name: graft, bytes } of grafts) verdicts.set(graft, await ask(subject.port, backend, bytes));
    return verdicts;
  } finally {
    await subject.stop();
    await backend.close();
  }
}

async function ask(port: number, backend: PlainBackend, bytes: Buffer): Promise<string> {
  const before = backend.received.map(({ length }) => length);
  const client = await RawClient.connect(port);
  client.send(bytes);
  // A subject has one thread: what began before two whole requests has got its answer by then, or waits for more.
  await sync(port);
  await sync(port);
  await delay(GRACE_MS);
  const statuses = [...client.received.toString('latin1').matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(
    ([, status]) => status,
  );
  const answer = statuses.length > 0 ? statuses.join('+') : client.finSeen || client.isClosed ? 'closed' : 'silent';
  const seen = backend.received.flatMap((all, index) => wordsOf(all.subarray(before[index] ?? 0)));
  client.destroy();
  return [answer, ...seen].join('; ');
}

async function sync(port: number): Promise<void> {
  const client = await RawClient.connect(port);
  client.send(SYNC);
  const { status } = await client.readHead();
  client.destroy();
  if (status !== 200) throw new Error(`${status} to a request without a body`);
}

function wordsOf(bytes: Buffer): string[] {
  const words: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reading = readPlain(bytes, at);
    if (reading.kind !== 'message') {
      const line = bytes.toString('latin1', at).split('\r\n', 1)[0] ?? '';
      return [...words, `${reading.kind === 'more' ? 'part of' : `no request (${reading.fault}):`} ${printed(line)}`];
    }
    const { method, target, framing, body, end } = reading.message;
    at = end;
    if (target === SYNC_PATH) continue;
    const content =
      framing === 'none' ? 'without a body' : `${framing} ${printed(body.toString('latin1')).slice(0, 40)}`;
    words.push(`${method} ${printed(target)} ${content}`.trim());
  }
  return words;
}

function printed(text: string): string {
  return variantOf(text).replaceAll('\\x20', ' ');
}
