// Which addresses are in a set: both edges of every prefix, blocks in blocks, IPv4 in IPv6, and what Node's BlockList
// says of the same.

import { BlockList } from 'node:net';
import { describe, expect, test } from 'vitest';
import { AddressSet } from '../../../src/protocol/addresses/address-set.ts';
import { type Cidr, parseCidr } from '../../../src/protocol/addresses/cidr.ts';
import { parseIp } from '../../../src/protocol/addresses/ip-address.ts';
import { Random } from '../../support/random.ts';
import { cidrOf, setOf } from './sets.ts';

function has(set: AddressSet, text: string): boolean {
  const address = parseIp(text);
  if (address === null) throw new Error(`${text} is no address`);
  return set.has(address);
}

const V4_MAX = 2n ** 32n - 1n;
const V6_MAX = 2n ** 128n - 1n;

function textOf(value: bigint, family: 4 | 6): string {
  const width = family === 4 ? 8 : 16;
  const parts = Array.from({ length: family === 4 ? 4 : 8 }, (_, index) =>
    Number((value >> BigInt(width * ((family === 4 ? 3 : 7) - index))) & (2n ** BigInt(width) - 1n)),
  );
  return family === 4 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':');
}

describe('an empty set', () => {
  test('has nothing', () => {
    expect(setOf().isEmpty).toBe(true);
    expect(['0.0.0.0', '255.255.255.255', '::', '::ffff:1.2.3.4', 'ffff::'].map((text) => has(setOf(), text))).toEqual(
      Array(5).fill(false),
    );
  });

  test('is one without blocks of either family', () => {
    expect([setOf('10.0.0.0/8').isEmpty, setOf('fd00::/8').isEmpty]).toEqual([false, false]);
  });
});

/** One address, and every prefix around it. */
const families = [
  { family: 4, bits: 32, max: V4_MAX, around: 0xc633_64a7n },
  { family: 6, bits: 128, max: V6_MAX, around: 0x2001_0db8_a5a5_5a5a_8001_7ffe_c3c3_3c3dn },
] as const;

describe.each(families)('IPv$family: both edges of each prefix', ({ family, bits, max, around }) => {
  test.each(Array.from({ length: bits + 1 }, (_, prefix) => [prefix]))('/%s', (prefix) => {
    const size = 1n << BigInt(bits - prefix);
    const first = (around / size) * size;
    const last = first + size - 1n;
    // Neighbours far away, so that there is more than one block to look at.
    const others = family === 4 ? ['1.0.0.0/24', '250.0.0.0/24'] : ['100::/64', 'fd00::/8'];
    for (const set of [
      setOf(`${textOf(first, family)}/${prefix}`),
      setOf(...others, `${textOf(first, family)}/${prefix}`),
    ]) {
      for (const inside of [first, first + size / 2n, last]) expect(has(set, textOf(inside, family))).toBe(true);
      if (first > 0n) expect(has(set, textOf(first - 1n, family))).toBe(false);
      if (last < max) expect(has(set, textOf(last + 1n, family))).toBe(false);
    }
  });
});

test('blocks in blocks, twice, side by side, and in any order', () => {
  const texts = ['10.1.0.0/16', '10.0.0.0/8', '10.1.2.3', '10.0.0.0/8', '11.0.0.0/9', '11.128.0.0/9', '9.255.255.255'];
  for (const set of [setOf(...texts), setOf(...texts.reverse())]) {
    expect(['9.255.255.254', '12.0.0.0'].map((text) => has(set, text))).toEqual([false, false]);
    for (const text of [
      '9.255.255.255',
      '10.0.0.0',
      '10.1.2.4',
      '10.255.255.255',
      '11.127.255.255',
      '11.255.255.255',
    ]) {
      expect(has(set, text)).toBe(true);
    }
  }
  // The outer block goes on behind the one that it holds.
  const nested = setOf('2001:db8::/32', '2001:db8::/64', '2001:db8::1', '2001:db8:ffff::/48');
  expect(has(nested, '2001:db8:1::')).toBe(true);
  expect(has(nested, '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff')).toBe(true);
  expect(has(nested, '2001:db9::')).toBe(false);
});

describe('RFC 4291 2.5.5.2: IPv4 in IPv6', () => {
  test.each([
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:11.1.2.3', false],
    ['10.0.0.0/8', '::10.1.2.3', false],
    ['::/0', '10.1.2.3', true],
    ['::/0', '::ffff:10.1.2.3', true],
    ['::fffe:0:0/95', '10.1.2.3', true],
    ['::fffe:0:0/96', '10.1.2.3', false],
    ['0.0.0.0/0', '::ffff:255.255.255.255', true],
    ['0.0.0.0/0', '::fffe:255.255.255.255', false],
    ['0.0.0.0/0', '::1:0:0:0', false],
  ])('%s, %s: %s', (block, address, isIn) => {
    expect(has(setOf(block), address)).toBe(isIn);
  });
});

test('addresses that differ behind the 53 bits which a number holds', () => {
  const blocks = Array.from({ length: 500 }, (_, i) => `2001:db8::${(2 * i).toString(16)}`);
  const set = setOf(...blocks);
  for (let i = 0; i < 1_001; i += 1) expect(has(set, `2001:db8::${i.toString(16)}`)).toBe(i % 2 === 0 && i < 1_000);
});

test("Node's BlockList says the same", () => {
  const random = new Random(Date.now());
  const [inside, outside]: [string[], string[]] = [[], []];
  for (let round = 0; round < 60; round += 1) {
    const list = new BlockList();
    const edges: (readonly [bigint, 4 | 6])[] = [];
    const texts: string[] = [];
    // Few values, so that blocks often hold each other.
    const [spread, count] = [random.between(1, 24), random.between(1, 60)];
    for (let i = 0; i < count; i += 1) {
      const { family, bits, max } = random.pick(families);
      const base = family === 4 ? 0x0a00_0000n : random.pick([0n, 0xffff_0000_0000n, 0x2001_0db8n << 96n]);
      const value = base + (BigInt(random.between(0, 2 ** spread)) << BigInt(random.between(0, bits - 24)));
      const prefix = random.between(random.chance(0.1) ? 0 : bits - 28, bits);
      const size = 1n << BigInt(bits - prefix);
      const first = ((value & max) / size) * size;
      const text = `${textOf(first, family)}/${prefix}`;
      if ('fault' in parseCidr(text)) continue; // a v4-mapped block is written as IPv4
      texts.push(text);
      list.addSubnet(textOf(first, family), prefix, `ipv${family}`);
      for (const edge of [first - 1n, first, first + size - 1n, first + size]) {
        if (edge >= 0n && edge <= max) edges.push([edge, family]);
        if (family === 4 && edge >= 0n && edge <= max) edges.push([0xffff_0000_0000n + edge, 6]);
      }
    }
    const set = setOf(...texts);
    for (const [value, family] of edges) {
      const text = textOf(value, family);
      const isIn = list.check(text, `ipv${family}`);
      if (has(set, text) !== isIn) expect.fail(`seed ${random.seed}: ${text} is in: ${isIn}, ${texts.join(' ')}`);
      (isIn ? inside : outside).push(text);
    }
  }
  expect(Math.min(inside.length, outside.length), `seed ${random.seed}`).toBeGreaterThan(500);
});

test('100 000 blocks are read in small steps, in any order', () => {
  const random = new Random(Date.now());
  const blocks = Array.from({ length: 100_000 }, (_, i) => cidrOf(`${textOf(BigInt(i * 42_949) & V4_MAX, 4)}/32`));
  for (let i = blocks.length - 1; i > 0; i -= 1) {
    const other = random.between(0, i);
    [blocks[i], blocks[other]] = [blocks[other] as Cidr, blocks[i] as Cidr]; // both are below the length
  }
  const steps = AddressSet.inSteps(blocks);
  let count = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) count += 1;
  // None of them does more than reading or moving some hundred to thousand blocks.
  expect(count, `seed ${random.seed}`).toBeGreaterThan(100_000 / 1_024);
  const set = step.value;
  for (let i = 0; i < 100_000; i += 997) {
    expect(has(set, textOf(BigInt(i * 42_949), 4)), `seed ${random.seed}`).toBe(true);
    expect(has(set, textOf(BigInt(i * 42_949 + 1), 4)), `seed ${random.seed}`).toBe(false);
  }
});
