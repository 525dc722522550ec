import { expect, test } from 'vitest';
import type { Answer } from '../../src/admin/answer.ts';
import { HeldBytes } from '../../src/admin/held-bytes.ts';

const MIB = 1024 * 1024;
const answer = (mib: number): Answer => ({ status: 200, type: 'x', chunks: [Buffer.alloc(mib * MIB)] });

test('slow clients hold 64 MiB at most: who has been at it longest is cut off, and a shared answer counts once', () => {
  const held = new HeldBytes();
  const cut: string[] = [];
  const taker = (name: string) => ({ destroy: () => cut.push(name) });
  const shared = answer(40);
  held.begin(taker('first'), shared);
  held.begin(taker('second'), shared);
  const third = taker('third');
  held.begin(third, answer(24));
  expect(cut).toEqual([]);
  held.end(third);
  held.begin(taker('fourth'), answer(24));
  held.begin(taker('fifth'), answer(1));
  expect(cut).toEqual(['first', 'second']);
  held.begin(taker('alone'), answer(65));
  expect(cut).toEqual(['first', 'second', 'fourth', 'fifth']);
});
