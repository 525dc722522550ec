// Owns the way from a command line to a loaded config: reads a file or stdin up to the size a config may have, or
// makes the config that --demo and --to stand for. It must not print or end anything.

import { createHash, type Hash } from 'node:crypto';
import { DEMO_CONFIG, oneBackendConfig } from '../config/demo.ts';
import { type LoadResult, loadAdmin, loadConfig, loadObject } from '../config/load.ts';
import { ConfigError, type Problem } from '../config/problems.ts';
import type { AdminConfig, Config, ConfigInput } from '../config/types.ts';
import type { FileSource, RunSource } from './commands.ts';
import { readFileNow, readFileSoon, readStream } from './read-file.ts';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array>;
}

/** A loaded file; `text` is for showing the lines of problems and warnings, null when there was nothing to read. */
export type FileResult = LoadResult & {
  readonly file: string;
  readonly text: string | null;
  /** Every file that was read, or was to be. */
  readonly files: readonly string[];
  /** Of all that the config is made of: its bytes, those of the files it names, the environment. */
  readonly fingerprint: string;
};

type FlagResult = { readonly config: Config; readonly name: string } | { readonly faults: readonly string[] };

/** What is read without -c. */
export const DEFAULT_FILE = 'config.yaml';

const STDIN_NAME = '<stdin>';
/** For whoever writes the config into a pipe, when a running proxy reads it again: others may ask meanwhile. */
export const PATIENCE_MS = 10_000;

interface Bounds {
  /** For whoever writes into a pipe. */
  readonly patienceMs: number;
  /** All files together. */
  readonly bytesMax: number;
}

const UNBOUNDED: Bounds = { patienceMs: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY };

/** The files of a config come to more than there was to be read. */
export class TooMuchToRead extends Error {}

/** null: nobody named a file, and there is no ./config.yaml. */
export async function loadSource(
  source: FileSource,
  around: Surroundings,
  bounds: Partial<Bounds> = {},
): Promise<FileResult | null> {
  const { patienceMs, bytesMax } = { ...UNBOUNDED, ...bounds };
  const file = source.kind === 'file' ? source.path : source.kind === 'stdin' ? STDIN_NAME : DEFAULT_FILE;
  let bytes: Buffer;
  const reading = new Reading(around.env, bytesMax);
  try {
    bytes = source.kind === 'stdin' ? await readStream(around.stdin) : await readFileSoon(file, patienceMs);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault';
    if (source.kind === 'default' && code === 'ENOENT') return null;
    const message = `cannot read this file (${code})`;
    const problems = [{ severity: 'error' as const, file, line: null, column: null, path: '', message }];
    return { problems, file, text: null, files: [file], fingerprint: '' };
  }
  reading.note(file, bytes);
  const place = source.kind === 'stdin' ? { baseDir: '.' } : {};
  const result = loadConfig({ text: bytes, file, env: around.env, readFile: reading.read, ...place });
  if (reading.isOver) throw new TooMuchToRead();
  return { ...result, file, text: bytes.toString('utf8'), files: reading.files, fingerprint: reading.fingerprint };
}

/** `admin` of a file with problems; null when they leave none to go by. */
export function adminOf({ file, text }: FileResult, source: FileSource, { env }: Surroundings): AdminConfig | null {
  if (text === null) return null;
  const place = source.kind === 'stdin' ? { baseDir: '.' } : {};
  return loadAdmin({ text, file, env, readFile: readFileNow, ...place });
}

/** Remembers which files were read, and sums their bytes up. */
class Reading {
  private readonly hash: Hash = createHash('sha256');
  private readonly paths = new Set<string>();
  /** Bytes that may still be read; dear ones count for more. */
  private left: number;

  constructor(env: Surroundings['env'], bytesMax: number) {
    this.left = bytesMax;
    this.hash.update(JSON.stringify(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))));
  }

  get files(): readonly string[] {
    return [...this.paths];
  }

  get fingerprint(): string {
    return this.hash.copy().digest('hex');
  }

  /** There was more to read than was allowed: nothing that was made of it counts. */
  get isOver(): boolean {
    return this.left < 0;
  }

  readonly read = (path: string, bytesMax: number, weight = 1): Buffer => {
    this.paths.add(path);
    const bytes = readFileNow(path, Math.max(0, Math.min(bytesMax, Math.floor(this.left / weight))));
    this.note(path, bytes, weight);
    return bytes;
  };

  note(path: string, bytes: Buffer, weight = 1): void {
    this.paths.add(path);
    this.left -= bytes.length * weight;
    // With its length before it, no part of one file can be taken for another's.
    this.hash.update(`\n${JSON.stringify(path)} ${bytes.length}\n`).update(bytes);
  }
}

/** The built-in echo, or everything to one backend. */
export function loadFlags(source: Exclude<RunSource, FileSource>): FlagResult {
  // Without a colon it would be taken for the name of an upstream, of which there are none here.
  if (source.kind === 'to' && !source.url.includes(':'))
    return { faults: ['--to: expected a URL such as ws://127.0.0.1:9001'] };
  const input = source.kind === 'to' ? oneBackendConfig(source.url, source.listen) : demoConfig(source.listen);
  try {
    return { config: loadObject(input, { baseDir: '.' }).config, name: `--${source.kind}` };
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.problems.map(flagFault) };
    throw error;
  }
}

function demoConfig(listen: string | null): ConfigInput {
  return listen === null ? DEMO_CONFIG : { ...DEMO_CONFIG, listeners: [{ address: listen }] };
}

/** A problem of a config that nobody wrote, told of the option it came from. */
function flagFault({ path, message }: Problem): string {
  if (path.startsWith('listeners')) return `--listen: ${message}`;
  return path.startsWith('routes[0].upstream') ? `--to: ${message}` : `${path}: ${message}`;
}
