// Loads the file of a config for a reload without stopping traffic: a large one in a thread of its own, taken over in
// small parts. A small one is loaded here: that takes less than starting the thread.

import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { Assembly, type ConfigPart } from '../config/portable.ts';
import type { Problem } from '../config/problems.ts';
import type { Config } from '../config/types.ts';
import type { FileSource } from './commands.ts';
import { DEFAULT_FILE, type FileResult, loadSource, PATIENCE_MS, type Surroundings, TooMuchToRead } from './load.ts';

export interface ThreadInput {
  readonly source: FileSource;
  readonly env: Surroundings['env'];
}

type About = Pick<FileResult, 'file' | 'files' | 'fingerprint'>;

export type ThreadMessage =
  | { readonly kind: 'no file' }
  | { readonly kind: 'rejected'; readonly about: About; readonly problems: readonly Problem[] }
  | { readonly kind: 'part'; readonly part: ConfigPart }
  | { readonly kind: 'loaded'; readonly about: About; readonly warnings: readonly Problem[] };

/** As `loadSource` gives it, without the text. */
type Reread = About &
  ({ readonly config: Config; readonly warnings: readonly Problem[] } | { readonly problems: readonly Problem[] });

/** About 4 microseconds a byte: this much is judged in one turn of the event loop, and takes 16 ms of it. */
const CONFIG_HERE_MAX = 4 * 1024;
/** With the files that it names: lists of addresses take about 0.1 microseconds a byte. */
const FILES_HERE_MAX = 64 * 1024;
/** A file system that hangs. */
const THREAD_MS = 120_000;
/** From the source, as in tests and under tsx, there is no thread: it runs what is built. */
const WORKER = import.meta.url.endsWith('.js') ? new URL('./load-worker.js', import.meta.url) : null;

/** null: there is no such file, and nobody named one. */
export async function loadAgain(source: FileSource, around: Surroundings): Promise<Reread | null> {
  const path = source.kind === 'file' ? source.path : DEFAULT_FILE;
  const patienceMs = PATIENCE_MS;
  if (WORKER === null || source.kind === 'stdin') return loadSource(source, around, { patienceMs });
  try {
    if (isSmall(path)) return await loadSource(source, around, { patienceMs, bytesMax: FILES_HERE_MAX });
  } catch (error) {
    if (!(error instanceof TooMuchToRead)) throw error;
  }
  const result = await loadInThread(WORKER, { source, env: { ...around.env } });
  // Without a thread, for want of memory or threads: rather late than never.
  return result === 'failed' ? loadSource(source, around, { patienceMs }) : result;
}

/** What is no file, such as a pipe, may take its time; what cannot be looked at is told by whoever reads it. */
function isSmall(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined || (stats.isFile() && stats.size <= CONFIG_HERE_MAX);
}

function loadInThread(entry: URL, input: ThreadInput): Promise<Reread | null | 'failed'> {
  return new Promise((resolve) => {
    let worker: Worker;
    try {
      worker = new Worker(entry, { workerData: input, execArgv: [], stdin: false });
    } catch {
      resolve('failed');
      return;
    }
    const assembly = new Assembly();
    let config: Config | null = null;
    const late = setTimeout(() => end(lateResult(input.source)), THREAD_MS);
    const end = (result: Reread | null | 'failed'): void => {
      clearTimeout(late);
      void worker.terminate();
      resolve(result);
    };
    worker.on('error', () => end('failed'));
    worker.on('exit', () => end('failed'));
    worker.on('message', (message: ThreadMessage) => {
      if (message.kind === 'part') {
        config = assembly.add(message.part) ?? config;
        worker.postMessage('next');
      } else if (message.kind === 'no file') end(null);
      else if (message.kind === 'rejected') end({ ...message.about, problems: message.problems });
      else end(config === null ? 'failed' : { ...message.about, config, warnings: message.warnings });
    });
    worker.postMessage('next');
  });
}

function lateResult(source: FileSource): Reread {
  const file = source.kind === 'file' ? source.path : DEFAULT_FILE;
  const message = `was not read within ${THREAD_MS / 1000} s`;
  const problem: Problem = { severity: 'error', file, line: null, column: null, path: '', message };
  return { file, files: [file], fingerprint: '', problems: [problem] };
}
