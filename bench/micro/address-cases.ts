// Look-ups in a list of 100 000 address blocks: every second address is in it. Beside it with reading them, what
// Node's BlockList does with a list that is as long, and building the list.

import { BlockList } from 'node:net';
import { AddressSet } from '../../src/protocol/addresses/address-set.ts';
import { type Cidr, parseCidr } from '../../src/protocol/addresses/cidr.ts';
import { type IpAddress, parseIp } from '../../src/protocol/addresses/ip-address.ts';
import type { MicroCase } from './micro-case.ts';

const BLOCKS = 100_000;
const LOOKUPS = 1_000;
/** Node's takes milliseconds for each. */
const NODE_LOOKUPS = 2;
/** Coprime to the number of groups and blocks: every one is asked for in turn, far from the one before. */
const STRIDE = 7_919;

interface List {
  readonly name: string;
  /** The text of block `i`, and of addresses in it and beside it. */
  readonly block: (i: number) => string;
  readonly inside: (i: number) => string;
  readonly outside: (i: number) => string;
}

const LISTS: readonly List[] = [
  {
    name: 'IPv4, /25',
    block: (i) => `${v4(i)}.0/25`,
    inside: (i) => `${v4(i)}.77`,
    outside: (i) => `${v4(i)}.177`,
  },
  {
    name: 'IPv6, /48',
    block: (i) => `${hex(0x2001 + (i % 8) * 0x180)}:${hex(Math.imul(i, STRIDE) & 0xffff)}:${hex(2 * i)}::/48`,
    inside: (i) => `${hex(0x2001 + (i % 8) * 0x180)}:${hex(Math.imul(i, STRIDE) & 0xffff)}:${hex(2 * i)}::${hex(i)}`,
    outside: (i) => `${hex(0x2001 + (i % 8) * 0x180)}:${hex(Math.imul(i, STRIDE) & 0xffff)}:${hex(2 * i + 1)}::1`,
  },
  {
    name: 'IPv6, /64 of one /32',
    block: (i) => `2001:db8:${hex(i >> 2)}:${hex((i & 3) << 4)}::/64`,
    inside: (i) => `2001:db8:${hex(i >> 2)}:${hex((i & 3) << 4)}:1:2:3:4`,
    outside: (i) => `2001:db8:${hex(i >> 2)}:${hex(((i & 3) << 4) + 1)}:1:2:3:4`,
  },
];

export function cases(): readonly MicroCase[] {
  const work = { unit: 'look-up', bytes: 0 };
  const blocks = LISTS.map((list) => Array.from({ length: BLOCKS }, (_, i) => list.block(i)));
  const sets = LISTS.flatMap((list, index) => {
    const set = build(blocks[index] ?? []);
    const texts = Array.from({ length: LOOKUPS }, (_, i) => addressOf(list, i));
    const asked = texts.map((text) => parseIp(text)).filter((address) => address !== null);
    const half = { ...work, operations: LOOKUPS, expected: LOOKUPS / 2 };
    return [
      { name: `addresses: ${list.name}`, ...half, run: () => count(asked, set) },
      { name: `addresses: ${list.name}, read first`, ...half, run: () => countTexts(texts, set) },
    ];
  });
  const [first = []] = blocks;
  const listOfNode = nodeList(first);
  const [v4List] = LISTS;
  return [
    ...sets,
    {
      name: 'addresses: IPv4, /25, BlockList of Node',
      ...work,
      operations: NODE_LOOKUPS,
      expected: NODE_LOOKUPS / 2,
      run: () => {
        let found = 0;
        for (let i = 0; i < NODE_LOOKUPS; i++) {
          if (v4List !== undefined && listOfNode.check(addressOf(v4List, i), 'ipv4')) found += 1;
        }
        return found;
      },
    },
    {
      name: 'addresses: building the list',
      unit: 'block',
      bytes: 0,
      operations: BLOCKS,
      expected: 1,
      run: () => Number(has(build(first), v4List?.inside(1) ?? '')),
    },
  ];
}

function addressOf(list: List, i: number): string {
  const at = (i * STRIDE) % BLOCKS;
  return i % 2 === 0 ? list.inside(at) : list.outside(at);
}

function count(asked: readonly IpAddress[], set: AddressSet): number {
  let found = 0;
  for (const address of asked) if (set.has(address)) found += 1;
  return found;
}

function countTexts(asked: readonly string[], set: AddressSet): number {
  let found = 0;
  for (const text of asked) if (has(set, text)) found += 1;
  return found;
}

function has(set: AddressSet, text: string): boolean {
  const address = parseIp(text);
  return address !== null && set.has(address);
}

function build(texts: readonly string[]): AddressSet {
  const steps = AddressSet.inSteps(texts.map(checked));
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function checked(text: string): Cidr {
  const cidr = parseCidr(text);
  if ('fault' in cidr) throw new Error(`${text}: ${cidr.fault}`);
  return cidr;
}

function nodeList(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', prefix] = text.split('/');
    list.addSubnet(address, Number(prefix), 'ipv4');
  }
  return list;
}

/** Three parts of an address: 100 000 of them, spread over the whole space. */
function v4(i: number): string {
  const spread = Math.imul(i, 0x9e37_79b1) >>> 8;
  return `${spread >>> 16}.${(spread >>> 8) & 255}.${spread & 255}`;
}

function hex(group: number): string {
  return (group & 0xffff).toString(16);
}
