// How much memory buffers hold, with garbage left out: the stream API reads into a new buffer each time.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

export function heldBytes(): number {
  collectAll();
  return process.memoryUsage().arrayBuffers;
}

/** Buffers, and the objects around them. */
export function heldMemory(): number {
  collectAll();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

function collectAll(): void {
  if (typeof collect !== 'function') throw new Error('this Node has no gc()');
  // What the first one finds dead is given back by the second at the latest.
  collect();
  collect();
}
