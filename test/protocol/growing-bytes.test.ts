// A buffer that grows with what arrives, and by no more than its cap allows.

import { describe, expect, test } from 'vitest';
import { GrowingBytes } from '../../src/protocol/growing-bytes.ts';

const OPTIONS = { bytesMin: 4, bytesMax: 16, isPooled: false };

function roomsOf(options: typeof OPTIONS, ...pieces: readonly number[]): number[] {
  const held = new GrowingBytes(options);
  return pieces.map((size) => {
    held.append(Buffer.alloc(size, size), 0, size);
    return held.buffer.length;
  });
}

describe('the room', () => {
  test('begins at the least, doubles, and stops at the cap', () => {
    expect(roomsOf(OPTIONS, 1, 3, 1, 3, 1, 8)).toEqual([4, 4, 8, 8, 16, 32 - 15]);
    expect(roomsOf(OPTIONS, 1, 3, 1, 3, 1, 7)).toEqual([4, 4, 8, 8, 16, 16]);
  });

  test('is what a piece needs, where that is more than double', () => {
    expect(roomsOf(OPTIONS, 5, 7, 1)).toEqual([5, 12, 16]);
    expect(roomsOf({ ...OPTIONS, bytesMin: 0 }, 5, 1, 5)).toEqual([5, 10, 16]);
  });

  test('a piece beyond the cap is kept whole, in no more than it takes', () => {
    expect(roomsOf(OPTIONS, 17, 1)).toEqual([17, 18]);
  });

  test('a cap that was moved counts from then on', () => {
    const held = new GrowingBytes({ ...OPTIONS, bytesMin: 0 });
    held.append(Buffer.alloc(12), 0, 12);
    held.bytesMax = 20;
    held.append(Buffer.alloc(1), 0, 1);
    expect(held.buffer.length).toBe(20);
  });
});

describe.each([true, false])('pooled: %s', (isPooled) => {
  test('what was appended comes out, copied', () => {
    const held = new GrowingBytes({ ...OPTIONS, isPooled });
    const bytes = Buffer.from('..abcdefghijklmnopqrstuvwxyz..');
    for (let at = 2; at < 28; at += 2) held.append(bytes, at, at + 2);
    bytes.fill(0);
    expect([held.size, held.view().toString()]).toEqual([26, 'abcdefghijklmnopqrstuvwxyz']);
    expect(held.take()?.toString()).toBe('abcdefghijklmnopqrstuvwxyz');
    expect([held.size, held.take(), held.view().length]).toEqual([0, null, 0]);
    held.append(Buffer.from('next'), 1, 3);
    expect(held.take()?.toString()).toBe('ex');
  });

  test('nothing is nothing', () => {
    const held = new GrowingBytes({ ...OPTIONS, isPooled });
    held.append(Buffer.from('x'), 1, 1);
    expect([held.size, held.buffer.length, held.take()]).toEqual([0, 0, null]);
  });
});
