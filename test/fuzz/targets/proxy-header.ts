// The parser of PROXY headers. Accepted: the header that a second reader finds in all bytes at once; a violation where
// that one finds something wrong; or waiting for more where it does. The same at every cut, taking no byte beyond.

import assert from 'node:assert/strict';
import { feedAll, type Parsed, SIGNATURE, ssl, type Tlv, v1, v2, withChecksum } from '../../protocol/proxy-headers.ts';
import { referenceProxyHeader } from '../../reference/proxy-header.ts';
import type { Random } from '../../support/random.ts';
import { cutsOf, inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

/** The first byte chooses which are taken. */
const VERSIONS = ['any', 'v1', 'v2'] as const;
const V4 = ['192.0.2.9', '0.0.0.0', '255.255.255.255', '10.0.0.01', '256.1.1.1', '1.2.3', ''];
const V6 = ['::', '2001:db8::9', '::ffff:192.0.2.9', '::1.2.3.4', '1:2:3:4:5:6:7:8', 'FE80::1', 'fe80::1%1', '1::2::3'];
const PORTS = ['0', '1', '443', '65535', '65536', '01', '', '99999', '-1'];
const WORDS = ['PROXY', 'TCP4', 'TCP6', 'UNKNOWN', 'UDP4', ' ', '  ', '\t', '\r\n', '\r', '\n', '\0'];
const TOKENS = [
  ...WORDS,
  ...V4,
  ...V6,
  ...PORTS,
  SIGNATURE.toString('latin1'),
  '\x21\x11\0\x0c',
  '\x03\0\x04',
  '\x20\0\x05',
];
const FAMILIES = [0x11, 0x11, 0x21, 0x21, 0x31, 0x00, 0x10, 0x12, 0x41];
const BYTES_BY_FAMILY = [0, 12, 36, 216, 12];

export const proxyHeader = bytesTarget({ name: 'proxy-header', make, check });

function make(random: Random): Buffer {
  const versions = Buffer.of(random.chance(0.7) ? 0 : random.between(0, VERSIONS.length - 1));
  const header = random.chance(0.4) ? lineOf(random) : blockOf(random);
  const tail = random.chance(0.3) ? random.bytes(random.between(1, 20)) : Buffer.alloc(0);
  return Buffer.concat([versions, random.chance(0.6) ? mutate(random, header, TOKENS) : header, tail]);
}

function lineOf(random: Random): Buffer {
  const kind = random.pick(['TCP4', 'TCP6', 'UNKNOWN']);
  const addresses = kind === 'TCP4' ? V4 : V6;
  const [from, to, fromPort, toPort] = [addresses, addresses, PORTS, PORTS].map((all) => random.pick(all));
  return v1(random.chance(0.2) ? 'UNKNOWN' : `${kind} ${from} ${to} ${fromPort} ${toPort}`);
}

function blockOf(random: Random): Buffer {
  const family = random.pick(FAMILIES);
  const addresses = random.bytes(BYTES_BY_FAMILY[family >> 4] ?? 0);
  if (addresses.length >= 12 && random.chance(0.2)) addresses.fill(0, 0, 10).fill(random.pick([0, 0xff]), 10, 12);
  const tlvs = Array.from({ length: random.between(0, 4) }, () => tlvOf(random));
  const versionAndCommand = random.chance(0.1) ? random.pick([0x20, 0x22, 0x11]) : 0x21;
  const parts = { versionAndCommand, family, addresses, tlvs };
  if (random.chance(0.4)) return withChecksum(parts, random.chance(0.2) ? 1 : 0);
  return v2(random.chance(0.1) ? { ...parts, length: random.between(0, 300) } : parts);
}

function tlvOf(random: Random): Tlv {
  if (random.chance(0.3)) return ssl(random.between(0, 7), { type: 0x21, value: Buffer.from('TLSv1.3') });
  const value = random.bytes(random.chance(0.05) ? random.between(1_000, 60_000) : random.between(0, 12));
  const lie = random.chance(0.1) ? { length: random.between(0, 20) } : {};
  return { type: random.pick([1, 2, 3, 4, 5, 0x20, 0x21, 0xea]), value, ...lie };
}

function check(input: Buffer): void {
  const versions = VERSIONS[(input[0] ?? 0) % VERSIONS.length] ?? 'any';
  const bytes = input.subarray(1);
  const parsed = inBoundedTime(() => feedAll([bytes], versions));
  for (const cut of cutsOf(bytes)) assert.deepEqual(feedAll(cut, versions), parsed, `in ${cut.length} pieces`);
  const told = referenceProxyHeader(bytes, versions);
  if ('more' in parsed) assert.equal(parsed.more, bytes.length, 'what waits has taken all');
  assert.deepEqual(asReference(parsed, bytes), told);
}

function asReference(parsed: Parsed, bytes: Buffer): ReturnType<typeof referenceProxyHeader> {
  if ('more' in parsed) return 'more';
  if ('violation' in parsed) return 'wrong';
  const { source, destination, secure } = parsed.header;
  const headerBytes = bytes.length - parsed.rest.length;
  assert(parsed.rest.equals(bytes.subarray(headerBytes)), 'bytes behind the header were touched');
  const pair = (end: typeof source) => (end === null ? null : ([end.address, end.port] as const));
  return { headerBytes, source: pair(source), destination: pair(destination), secure };
}
