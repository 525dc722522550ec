// Where an input is cut: everywhere, or at a few places of which each input has its own.

import { Random } from '../support/random.ts';

export type Cutting = 'everywhere' | 'few';

const FEW = 6;

export function cutsOf(length: number, cutting: Cutting, seed: number): number[] {
  if (length < 2) return [];
  if (cutting === 'everywhere') {
    // Of the longest, every n-th: all of them would take minutes and show the same.
    const stride = Math.ceil(length / 1_500);
    return Array.from({ length: Math.ceil((length - 1) / stride) }, (_, i) => 1 + i * stride);
  }
  const random = new Random(seed);
  return Array.from({ length: Math.min(FEW, length - 1) }, () => random.between(1, length - 1));
}

/** Byte by byte; the longest in pieces of a few bytes. */
export function smallPieces(bytes: Buffer): Buffer[] {
  const size = Math.max(1, Math.ceil(bytes.length / 3_000));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}
