import { getHeapStatistics } from 'node:v8';
import { expect, test } from 'vitest';
import { FrameScanner, Step } from '../../src/protocol/frame-scanner.ts';
import { ping, text } from '../support/wire.ts';
import { options } from './scan.ts';

const FRAMES = 10_000_000;
const CHUNK_BYTES = 65_536;

/** Scans until `frames` have passed; returns the bytes put on the heap meanwhile, whatever was collected of them. */
function allocatedFor(scanner: FrameScanner, chunk: Buffer, frames: number): number {
  let allocated = 0;
  let used = getHeapStatistics().used_heap_size;
  for (let seen = 0; seen < frames; ) {
    scanner.feed(chunk, 0, chunk.length);
    while (scanner.next() !== Step.NeedData) seen += 1;
    // Looked at so often that a collection hides the growth of one chunk only.
    const now = getHeapStatistics().used_heap_size;
    if (now > used) allocated += now - used;
    used = now;
  }
  return allocated;
}

test('F24: ten million small frames put nothing on the heap', () => {
  const pair = Buffer.concat([text('a', { mask: true }), ping('b', { mask: true })]);
  const chunk = Buffer.concat(Array.from({ length: Math.floor(CHUNK_BYTES / pair.length) }, () => pair));
  const scanner = new FrameScanner(options(true));
  allocatedFor(scanner, chunk, FRAMES / 10);
  // One object per frame would be 160 MB at the very least; the samples themselves take about 1 MB.
  expect(allocatedFor(scanner, chunk, FRAMES)).toBeLessThan(8_000_000);
  expect(scanner.violation).toBeNull();
  expect(scanner.messages).toBeGreaterThanOrEqual((FRAMES / 10 + FRAMES) / 2);
});
