// Address blocks such as 10.0.0.0/8, read strictly: what a block is, and what is wrong with a text that is none.

import { familyOf, type IpAddress, parseIp } from './ip-address.ts';

export interface Cidr {
  /** The first of the block. */
  readonly address: IpAddress;
  /** 0 to 32 or 128, by the family of the address. */
  readonly prefix: number;
}

export type CidrFault =
  | { readonly fault: 'no_block' | 'zone' | 'mapped' }
  /** `bits`: the longest prefix. */
  | { readonly fault: 'prefix'; readonly bits: number }
  | { readonly fault: 'bits_set'; readonly prefix: number };

const MAPPED_PREFIX = 96;

/** Four decimal parts or RFC 4291 2.2, no zone, host bits zero. A bare address stands for itself alone. */
export function parseCidr(text: string): Cidr | CidrFault {
  const [written = '', suffix, ...more] = text.split('/');
  const address = parseIp(written);
  if (address === null || more.length > 0) {
    return { fault: more.length === 0 && familyOf(written) === 6 ? 'zone' : 'no_block' };
  }
  const bits = address.family === 4 ? 32 : 128;
  const isNumber = suffix === undefined || /^(0|[1-9][0-9]{0,2})$/.test(suffix);
  const prefix = suffix === undefined ? bits : Number(suffix);
  if (!isNumber || prefix > bits) return { fault: 'prefix', bits };
  // Who is IPv4 is asked for as IPv4: one block has one spelling.
  if (address.family === 6 && address.isV4 && prefix >= MAPPED_PREFIX) return { fault: 'mapped' };
  // Set bits behind the prefix are a typing error in one of the two, and nobody knows in which.
  return isFirst(address, prefix) ? { address, prefix } : { fault: 'bits_set', prefix };
}

/** Of a prefix that counts all 128 bits: which bits of the word at `index` belong to it. */
export function maskOf(prefix: number, index: number): number {
  const bits = prefix - 32 * index;
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** The prefix of a block as one of its v4-mapped addresses: of all 128 bits. */
export function prefixOf128({ address, prefix }: Cidr): number {
  return address.family === 4 ? MAPPED_PREFIX + prefix : prefix;
}

function isFirst(address: IpAddress, prefix: number): boolean {
  const whole = prefixOf128({ address, prefix });
  const { word0, word1, word2, word3 } = address;
  const behind = [word0, word1, word2, word3].map((word, index) => word & ~maskOf(whole, index));
  return behind.every((bits) => bits === 0);
}
