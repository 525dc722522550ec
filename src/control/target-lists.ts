// Reads files of targets: a large one in a thread of its own, so that traffic goes on meanwhile. When one is read, and
// what becomes of it, is the affair of discovery.

import { readFileSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { loadTargets } from '../config/load.ts';
import type { Environment } from '../config/substitute.ts';
import type { TargetList } from '../upstream/means.ts';

export interface TargetListInput {
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly env: Environment;
}

/** A thread takes longer than this much: 10 ms. */
const BYTES_HERE_MAX = 4 * 1024;
const THREAD_MS = 60_000;
/** From the source, as in tests and under tsx, there is no thread: it runs what is built. */
const WORKER = import.meta.url.endsWith('.js') ? new URL('./target-list-worker.js', import.meta.url) : null;

/** Never rejects. */
export async function readTargetList(input: TargetListInput): Promise<TargetList> {
  if (WORKER === null || input.bytes.length <= BYTES_HERE_MAX) return targetListOf(input);
  return (await inThread(WORKER, input)) ?? problem('there is no thread to read it in, or it took too long');
}

/** Here and now. */
export function targetListOf({ bytes, path, env }: TargetListInput): TargetList {
  try {
    return loadTargets({ text: bytes, file: path, env, readFile });
  } catch (error) {
    return problem(`a fault in framegate itself: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Null: it failed, or took too long. */
function inThread(entry: URL, input: TargetListInput): Promise<TargetList | null> {
  return new Promise((resolve) => {
    let worker: Worker;
    try {
      worker = new Worker(entry, { workerData: { ...input, env: { ...input.env } }, execArgv: [], stdin: false });
    } catch {
      resolve(null);
      return;
    }
    const end = (list: TargetList | null): void => {
      clearTimeout(late);
      void worker.terminate();
      resolve(list);
    };
    const late = setTimeout(() => end(null), THREAD_MS);
    worker.unref();
    worker.on('error', () => end(null));
    worker.on('exit', () => end(null));
    worker.on('message', (list: TargetList) => end(list));
  });
}

/** A pipe would be waited for. */
function readFile(path: string): Buffer {
  if (!statSync(path).isFile()) throw Object.assign(new Error(`${path} is no file`), { code: 'EINVAL' });
  return readFileSync(path);
}

function problem(message: string): TargetList {
  return { problems: [{ line: null, column: null, path: '', message }] };
}
