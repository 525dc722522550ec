import { expect, test } from 'vitest';
import { BlockPacker, printCidr, unpackBlocks } from '../../../src/protocol/addresses/packed-blocks.ts';
import { Random } from '../../support/random.ts';
import { cidrOf } from './sets.ts';

function packed(...texts: readonly string[]): Uint8Array {
  const packer = new BlockPacker();
  for (const text of texts) packer.add(cidrOf(text));
  return packer.finish();
}

function written(bytes: Uint8Array): string[] {
  return [...unpackBlocks(bytes)].map(printCidr);
}

test('blocks come back in their order, each in its one spelling', () => {
  const texts = ['10.0.0.0/8', '0.0.0.0/0', '::/0', '192.0.2.1', 'FD00::/8', '2001:db8:0:0::1', '10.0.0.0/8', '::/96'];
  expect(written(packed(...texts))).toEqual([
    ...['10.0.0.0/8', '0.0.0.0/0', '::/0', '192.0.2.1/32', 'fd00::/8', '2001:db8::1/128', '10.0.0.0/8', '::/96'],
  ]);
  expect(written(packed())).toEqual([]);
});

test('each takes 17 bytes, on memory that threads share', () => {
  expect(packed('10.0.0.0/8', '::/0')).toHaveLength(34);
  expect(packed('10.0.0.0/8').buffer).toBeInstanceOf(SharedArrayBuffer);
});

test('as many as there are: at and beside each doubling', () => {
  for (const count of [15, 16, 17, 31, 32, 33, 1_000]) {
    const texts = Array.from({ length: count }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`);
    expect(written(packed(...texts))).toEqual(texts);
  }
});

test('any block is the same when it was packed', () => {
  const random = new Random(7);
  const group = () => random.between(1, 0xffff).toString(16);
  for (let round = 0; round < 500; round += 1) {
    const v4 = Array.from({ length: 4 }, () => random.between(0, 255)).join('.');
    const text = random.chance(0.5) ? `${v4}/32` : `2000:${group()}::${group()}/128`;
    expect([...unpackBlocks(packed(text))]).toEqual([cidrOf(text)]);
  }
});
