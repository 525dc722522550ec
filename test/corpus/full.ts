// The corpus at its full size: every case, every cut, all of accepted.txt, and all requests on sockets.

import { createProxy } from '../../src/proxy.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { Recorded } from './recorded.ts';
import {
  type CorpusRun,
  requestHeads,
  responseHeads,
  runAnswers,
  runRequests,
  runStreams,
  STREAM_RUNS,
} from './run-corpus.ts';
import { runOnSockets } from './sockets.ts';

export interface FullOptions {
  /** Record what is accepted now, instead of comparing with it. */
  readonly write: boolean;
  readonly say: (line: string) => void;
}

/** How many rules were broken. */
export async function runFullCorpus({ write, say }: FullOptions): Promise<number> {
  const faults: string[] = [];
  const report = async (what: string, run: () => Promise<CorpusRun>): Promise<CorpusRun> => {
    const startedAt = performance.now();
    const result = await run();
    faults.push(...result.faults);
    const { ms, name } = result.dearest;
    say(
      `${what}: ${result.cases} cases, ${result.faults.length} faults, ${Math.round(performance.now() - startedAt)} ms`,
    );
    say(`  the dearest took ${ms.toFixed(1)} ms of CPU time: ${name}`);
    return result;
  };
  const requests = await report('requests', () => runRequests(requestHeads(), 'everywhere'));
  const answers = await report('answers', () => runAnswers(responseHeads(), 'everywhere'));
  const entries = [...requests.entries, ...answers.entries];
  if (write) Recorded.of(entries).write();
  const recorded = Recorded.read();
  faults.push(...recorded.differences(entries), ...recorded.stale(entries));
  for (const options of STREAM_RUNS) {
    await report(`streams ${JSON.stringify(options)}`, () => runStreams(options, 'all', 'few'));
  }
  const startedAt = performance.now();
  const onSockets = await allOnSockets();
  faults.push(...onSockets);
  say(`on sockets: ${onSockets.length} faults, ${Math.round(performance.now() - startedAt)} ms`);
  for (const fault of faults.slice(0, 50)) say(`  ${fault}`);
  return faults.length;
}

async function allOnSockets(): Promise<string[]> {
  const backend = await RawBackend.listen();
  const listeners = [{ name: 'corpus', address: '127.0.0.1:0' }];
  const config = { listeners, routes: [{ name: 'corpus', upstream: backend.url }] };
  const proxy = createProxy(config, { log: { write() {} } });
  await proxy.start();
  const address = proxy.address();
  try {
    return await runOnSockets(requestHeads(), { port: typeof address === 'string' ? 0 : address.port, backend });
  } finally {
    await proxy.stop();
    await backend.close();
  }
}
