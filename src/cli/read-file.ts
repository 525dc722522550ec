// Owns how the bytes of a config and of the files it names are read: bounded, and without blocking the process, which
// has signals to hear and may have sessions to serve. It must not know what the bytes mean.

import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What a config may have, and most files that it names. Endless devices end one byte above what is asked for. */
const CONFIG_BYTES_MAX = 1024 * 1024;
/** Between two looks at a pipe that is empty. */
const LOOK_EVERY_MS = 20;

/** Nothing is there yet, or there is a pipe and nobody who writes. */
const NOTHING_YET = -1;

/** Waits for whoever writes to a pipe, for `patienceMs` at most; all else is there at once. */
export async function readFileSoon(path: string, patienceMs: number): Promise<Buffer> {
  const file = openNow(path, CONFIG_BYTES_MAX);
  try {
    const endAt = performance.now() + patienceMs;
    while (!readOn(file)) {
      if (performance.now() >= endAt) throw fault('ETIMEDOUT', `${path}: nobody has written to this pipe`);
      await delay(LOOK_EVERY_MS);
    }
    return file.bytes.subarray(0, file.size);
  } finally {
    closeSync(file.fd);
  }
}

/** Of a pipe what it holds by now; one that may hold more later is an error. Of a longer file one byte more. */
export function readFileNow(path: string, bytesMax = CONFIG_BYTES_MAX): Buffer {
  const file = openNow(path, bytesMax);
  try {
    if (!readOn(file)) throw fault('EAGAIN', `${path}: this pipe holds nothing yet`);
    return file.bytes.subarray(0, file.size);
  } finally {
    closeSync(file.fd);
  }
}

export async function readStream(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > CONFIG_BYTES_MAX) break;
  }
  return Buffer.concat(chunks);
}

interface OpenFile {
  readonly fd: number;
  readonly bytesMax: number;
  /** Grows with what was read, by doubling. */
  bytes: Buffer;
  size: number;
  /** An end of this file is its end: not so while a pipe waits for its first writer. */
  hasWriter: boolean;
}

/** Non-blocking: opening a pipe would else wait for a writer, in which no signal is heard. */
function openNow(path: string, bytesMax: number): OpenFile {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const isPipe = fstatSync(fd).isFIFO();
  const bytes = Buffer.alloc(Math.min(bytesMax, CONFIG_BYTES_MAX) + 1);
  return { fd, bytesMax, bytes, size: 0, hasWriter: !isPipe || !hasName(path) };
}

/** A pipe without a name, such as /dev/stdin or that of `<(command)`, came with its writer. */
function hasName(path: string): boolean {
  try {
    realpathSync.native(path);
    return true;
  } catch {
    return false;
  }
}

/** True at the end of the file, or of what may be read of it. */
function readOn(file: OpenFile): boolean {
  for (;;) {
    const count = readSome(file);
    if (count === NOTHING_YET) return false;
    file.size += count;
    if (count === 0 || file.size > file.bytesMax) return true;
    if (file.size === file.bytes.length) grow(file);
  }
}

function grow(file: OpenFile): void {
  const grown = Buffer.alloc(Math.min(2 * file.bytes.length, file.bytesMax + 1));
  file.bytes.copy(grown, 0, 0, file.size);
  file.bytes = grown;
}

function readSome(file: OpenFile): number {
  try {
    const count = readSync(file.fd, file.bytes, file.size, file.bytes.length - file.size, null);
    if (count === 0 && !file.hasWriter) return NOTHING_YET;
    file.hasWriter = true;
    return count;
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EAGAIN') throw error;
    file.hasWriter = true;
    return NOTHING_YET;
  }
}

function fault(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
