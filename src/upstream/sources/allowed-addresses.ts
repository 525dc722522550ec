// Which addresses that were looked up may be dialed: whoever answers a look-up must not have framegate connect to the
// machine that it runs on, or to what hands out credentials there. It looks nothing up.

import { atOnce } from '../../limits/slices.ts';
import { AddressSet } from '../../protocol/addresses/address-set.ts';
import { type Cidr, parseCidr } from '../../protocol/addresses/cidr.ts';
import { IpAddress, parseIp } from '../../protocol/addresses/ip-address.ts';

/** Unless a config lists what is allowed. */
const DENIED = [
  // "This host", which Linux takes for loopback; loopback.
  '0.0.0.0/8',
  '127.0.0.0/8',
  '::/128',
  '::1/128',
  // Link-local, the metadata service of most clouds among it.
  '169.254.0.0/16',
  'fe80::/10',
  // Multicast and broadcast.
  '224.0.0.0/4',
  '255.255.255.255/32',
  'ff00::/8',
  // Metadata and other services for the own machine: Alibaba Cloud, Azure, AWS.
  '100.100.100.200/32',
  '168.63.129.16/32',
  'fd00:ec2::254/128',
];
const MAPPED_WORD = 0xffff;
/** RFC 6052 2.1 and RFC 8215: 64:ff9b::/96 and 64:ff9b:1::/48. */
const NAT64_WORD = 0x0064_ff9b;
const NAT64_LOCAL = 1;
/** RFC 3056: 2002:V4::/48. */
const SIX_TO_FOUR = 0x2002;

type Allowed = 'any' | readonly string[];

export class AllowedAddresses {
  private readonly isListed: boolean;
  private readonly set: AddressSet;

  /** `any`: any but those above, in all their forms. A list: those that it holds, as they are written. */
  constructor(allowed: Allowed) {
    this.isListed = allowed !== 'any';
    this.set = atOnce(AddressSet.inSteps(blocksOf(allowed === 'any' ? DENIED : allowed)));
  }

  /** Of what the dialer is given. */
  allows(text: string): boolean {
    const address = parseIp(text);
    if (address === null) return false;
    if (this.isListed) return this.set.has(address);
    return [address, ...v4Within(address)].every((one) => !this.set.has(one));
  }
}

function* blocksOf(texts: readonly string[]): Generator<Cidr> {
  for (const text of texts) {
    const cidr = parseCidr(text);
    if (!('fault' in cidr)) yield cidr;
  }
}

/** IPv4 addresses that packets to this one come out at. That of a v4-mapped one is the same address. */
function* v4Within({ word0, word1, word2, word3 }: IpAddress): Generator<IpAddress> {
  // RFC 4291 2.5.5.1: v4-compatible.
  if (word0 === 0 && word1 === 0 && word2 === 0) yield v4(word3);
  if (word0 === NAT64_WORD && word1 === 0 && word2 === 0) yield v4(word3);
  if (word0 === NAT64_WORD && word1 >>> 16 === NAT64_LOCAL) {
    // RFC 6052 2.2: behind a prefix of 48 bits they go around the eight from 64 on; behind one of 96 they are last.
    const around = (word1 << 16) | ((word2 >>> 8) & 0xffff);
    yield v4(around === 0 ? word3 : around);
  }
  if (word0 >>> 16 === SIX_TO_FOUR) yield v4((word0 << 16) | (word1 >>> 16));
}

function v4(word: number): IpAddress {
  return new IpAddress(4, 0, 0, MAPPED_WORD, word);
}
