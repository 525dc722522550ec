// Reads files of targets: a large one in a thread of its own, so that traffic goes on meanwhile. When one is read, and
// what becomes of it, is the affair of discovery.

import { readFileSync, statSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
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

/** Of one process, for all that it reads. */
export class TargetLists {
  private readonly env: Environment;
  /** In each one list at a time: at most as many wait as there are files. */
  private here: Promise<unknown> = Promise.resolve();
  private threads: Promise<unknown> = Promise.resolve();

  constructor(env: Environment) {
    this.env = env;
  }

  /** Never rejects. */
  read(bytes: Uint8Array, path: string): Promise<TargetList> {
    const input = { bytes, path, env: this.env };
    if (WORKER === null || bytes.length <= BYTES_HERE_MAX) {
      // Files that change together are read in as many turns.
      const list = this.here.then(() => nextTurn()).then(() => targetListOf(input));
      this.here = list;
      return list;
    }
    const entry = WORKER;
    const list = this.threads.then(() => inThread(entry, input));
    this.threads = list;
    return list.then((read) => read ?? problem('there is no thread to read it in, or it took too long'));
  }
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
