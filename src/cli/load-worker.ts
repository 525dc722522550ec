// The thread in which the file of a large config is read and judged, so that traffic goes on meanwhile. Each part of
// the result is handed over when it is asked for.

import { parentPort, workerData } from 'node:worker_threads';
import { partsOf } from '../config/portable.ts';
import { loadSource, PATIENCE_MS } from './load.ts';
import type { ThreadInput, ThreadMessage } from './load-thread.ts';

// What load-thread.ts gives it.
const { source, env }: ThreadInput = workerData;

const NO_STDIN = { async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {} };

async function* messages(): AsyncGenerator<ThreadMessage> {
  const result = await loadSource(source, { env, stdin: NO_STDIN }, { patienceMs: PATIENCE_MS });
  if (result === null) {
    yield { kind: 'no file' };
    return;
  }
  const { file, files, fingerprint } = result;
  const about = { file, files, fingerprint };
  if ('problems' in result) {
    yield { kind: 'rejected', about, problems: result.problems };
    return;
  }
  for (const part of partsOf(result.config)) yield { kind: 'part', part };
  yield { kind: 'loaded', about, warnings: result.warnings };
}

const port = parentPort;
if (port === null) throw new Error('this is no program of its own');
const queue = messages();
port.on('message', async () => {
  const { value } = await queue.next();
  port.postMessage(value);
});
