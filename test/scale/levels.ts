// Is a process back where it was? The bar that all demands on memory and descriptors share.

import type { Findings } from './demand.ts';
import type { Level } from './subject.ts';

/** The share by which a heap may differ after whatever happened. */
export const HEAP_SHARE = 0.02;
/** Resident memory follows the heap only roughly: pages that were touched once stay. */
export const RESIDENT_SHARE = 0.1;

/** `isFull`: in a run of less than the full size the heap is told, not judged. */
export function checkLevels(
  findings: Findings,
  { before, after, isFull }: { readonly before: Level; readonly after: Level; readonly isFull: boolean },
): void {
  findings.equal('descriptors as before', after.descriptors, before.descriptors);
  const heap = `${kib(before.heap)} to ${kib(after.heap)}, ${percent(after.heap, before.heap)}`;
  const resident = `${kib(before.resident)} to ${kib(after.resident)}, ${percent(after.resident, before.resident)}`;
  const outside = `${kib(before.external)} to ${kib(after.external)}`;
  if (isFull) {
    const isFlat = Math.abs(after.heap - before.heap) <= HEAP_SHARE * before.heap;
    findings.check(`heap as before, within ${100 * HEAP_SHARE} %`, isFlat, heap);
    const isBounded = after.resident <= (1 + RESIDENT_SHARE) * before.resident;
    findings.check(`resident memory grown by at most ${100 * RESIDENT_SHARE} %`, isBounded, resident);
  } else {
    findings.figure('heap', heap);
    findings.figure('resident memory', resident);
  }
  findings.figure('memory outside of the heap', outside);
  findings.figure('compiled code', `${kib(before.code)} to ${kib(after.code)}`);
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}

function percent(after: number, before: number): string {
  const share = (100 * (after - before)) / before;
  return `${share < 0 ? '-' : '+'}${Math.abs(share).toFixed(2)} %`;
}
