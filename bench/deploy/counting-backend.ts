// The process of the backend: sends back every message, and knows how many of each session it has got.

import { listenForEchoes } from '../load/echo-server.ts';
import { answerMessages } from '../support/child-process.ts';
import { readNumbered, UNCOUNTED } from './numbered.ts';
import type { ReceivedRecord } from './tally.ts';

export type CountingRequest = { readonly kind: 'listen' } | { readonly kind: 'tally' };

/** What `listen` gives, and what `tally` gives: all since the last one. */
export type CountingReply =
  | { readonly port: number; readonly library: string; readonly why: string | null }
  | readonly ReceivedRecord[];

/** By client and session; emptied by each tally. */
const counts = new Map<string, { client: number; session: number; received: number }>();
let fault: string | null = null;

answerMessages<CountingRequest, CountingReply>(async ({ kind }) => {
  if (kind === 'listen') return listenForEchoes(null, onMessage);
  const found = [...counts.values()];
  const why = fault;
  counts.clear();
  fault = null;
  if (why !== null) throw new Error(why);
  return found;
});

function onMessage(message: Uint8Array): void {
  const found = readNumbered(message);
  if (found?.client === UNCOUNTED) return;
  if (found === null) {
    fault ??= 'a message without a number came to the backend';
    return;
  }
  const { client, session, number } = found;
  const key = `${client}/${session}`;
  const count = counts.get(key) ?? { client, session, received: 0 };
  if (number !== count.received) fault ??= `${key}/${count.received} should have come to the backend, ${number} did`;
  count.received += 1;
  counts.set(key, count);
}
