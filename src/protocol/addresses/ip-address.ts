// IP addresses: reading them strictly, and the one spelling that each has. It knows no ports, blocks and names, and
// resolves nothing.

const GROUPS = 8;
const V4_LENGTH_MAX = 15;
const V4_MAPPED = '::ffff:';
const MAPPED_WORD = 0xffff;
/** What follows the percent sign, as Node takes it. */
const ZONE = /^[0-9A-Za-z.:-]+$/;

const DOT = 0x2e;
const COLON = 0x3a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LETTER_A = 0x61;
const LETTER_F = 0x66;
const LOWER = 0x20;

/**
 * 128 bits in words of 32, each a signed number, so that it stays a small integer. Those of an IPv4 address are the
 * bits of its v4-mapped one (RFC 4291 2.5.5.2): what is compared is the same for both.
 */
export class IpAddress {
  /** As it was written: 6 for a v4-mapped address. */
  readonly family: 4 | 6;
  readonly word0: number;
  readonly word1: number;
  readonly word2: number;
  readonly word3: number;

  constructor(family: 4 | 6, word0: number, word1: number, word2: number, word3: number) {
    this.family = family;
    this.word0 = word0;
    this.word1 = word1;
    this.word2 = word2;
    this.word3 = word3;
  }

  /** An IPv4 address, be it written in IPv6. */
  get isV4(): boolean {
    return this.word2 === MAPPED_WORD && this.word1 === 0 && this.word0 === 0;
  }
}

/** RFC 4291 2.2 without a zone, and four decimal parts without leading zeros; null for everything else. */
export function parseIp(text: string): IpAddress | null {
  return parseV4(text) ?? parseV6(text);
}

/** An IPv6 address may have a zone (RFC 4007 11). It says something to one machine only, and is dropped unread. */
export function parseZonedIp(text: string): IpAddress | null {
  const zone = text.indexOf('%');
  return zone === -1 ? parseIp(text) : parseV6(text.slice(0, zone));
}

/** 4, 6, or 0 for what is no address. A zone has to be one that Node takes. */
export function familyOf(text: string): 0 | 4 | 6 {
  const zone = text.indexOf('%');
  if (zone === -1) return parseIp(text)?.family ?? 0;
  return ZONE.test(text.slice(zone + 1)) && parseV6(text.slice(0, zone)) !== null ? 6 : 0;
}

/** Of an address as the system writes it: an IPv4 address that reached an IPv6 socket is written as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith(V4_MAPPED) && address.includes('.') ? address.slice(V4_MAPPED.length) : address;
}

/** As the system spells the peers of sockets, so that one client has one name; IPv4 is always written as IPv4. */
export function printIp(address: IpAddress): string {
  return address.isV4 ? dotted(address.word3) : printV6(address);
}

/** The group at `index`, 0 to 7. */
export function groupOf(address: IpAddress, index: number): number {
  const { word0, word1, word2, word3 } = address;
  const word = index < 4 ? (index < 2 ? word0 : word1) : index < 6 ? word2 : word3;
  return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
}

export function dotted(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function parseV4(text: string): IpAddress | null {
  if (text.length > V4_LENGTH_MAX) return null;
  let word = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0) return null;
      word = (word << 8) | part;
      part = 0;
      digits = 0;
      dots += 1;
    } else if (code >= DIGIT_0 && code <= DIGIT_9) {
      // Some read 010 as eight.
      if (digits > 0 && part === 0) return null;
      part = part * 10 + code - DIGIT_0;
      digits += 1;
      if (part > 255) return null;
    } else return null;
  }
  return dots === 3 && digits > 0 ? new IpAddress(4, 0, 0, MAPPED_WORD, (word << 8) | part) : null;
}

function parseV6(text: string): IpAddress | null {
  let groups = new Groups();
  /** Those before the "::". */
  let front: Groups | null = null;
  let group = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const digit = hexDigit(code);
    if (digit >= 0) {
      if (digits === 4) return null;
      group = (group << 4) | digit;
      digits += 1;
    } else if (code === COLON) {
      const isGap = text.charCodeAt(at + 1) === COLON;
      // A colon stands behind a group, and before one or another colon; "::" may come first and last, and once.
      if (digits === 0 ? at > 0 || !isGap : at === text.length - 1) return null;
      if (digits > 0) groups.push(group);
      group = 0;
      digits = 0;
      if (!isGap) continue;
      if (front !== null) return null;
      front = groups;
      groups = new Groups();
      at += 1;
    } else if (code === DOT) {
      // RFC 4291 2.2: the last 32 bits may be written as IPv4.
      const v4 = parseV4(text.slice(at - digits));
      if (v4 === null) return null;
      groups.push(v4.word3 >>> 16);
      groups.push(v4.word3 & 0xffff);
      return groups.behind(front);
    } else return null;
  }
  if (digits > 0) groups.push(group);
  return groups.behind(front);
}

/** Groups of 16 bits, one behind the other. */
class Groups {
  private count = 0;
  private word0 = 0;
  private word1 = 0;
  private word2 = 0;
  private word3 = 0;

  push(group: number): void {
    this.word0 = (this.word0 << 16) | (this.word1 >>> 16);
    this.word1 = (this.word1 << 16) | (this.word2 >>> 16);
    this.word2 = (this.word2 << 16) | (this.word3 >>> 16);
    this.word3 = (this.word3 << 16) | group;
    this.count += 1;
  }

  /** The address of these behind `front` and a "::", which stands for one group of zeros or more (RFC 4291 2.2). */
  behind(front: Groups | null): IpAddress | null {
    const { word0, word1, word2, word3 } = this;
    if (front === null) return this.count === GROUPS ? new IpAddress(6, word0, word1, word2, word3) : null;
    if (front.count + this.count >= GROUPS) return null;
    while (front.count < GROUPS) front.push(0);
    return new IpAddress(6, front.word0 | word0, front.word1 | word1, front.word2 | word2, front.word3 | word3);
  }
}

/** -1: it is no hexadecimal digit. */
function hexDigit(code: number): number {
  if (code >= DIGIT_0 && code <= DIGIT_9) return code - DIGIT_0;
  const lower = code | LOWER;
  return lower >= LETTER_A && lower <= LETTER_F ? lower - LETTER_A + 10 : -1;
}

/** RFC 5952 4: lower case, no leading zeros, the longest run of two zeros or more cut, the first of equal ones. */
function printV6(address: IpAddress): string {
  const groups = Array.from({ length: GROUPS }, (_, index) => groupOf(address, index));
  let start = 0;
  let length = 1;
  for (let from = 0; from < GROUPS; from += 1) {
    let to = from;
    while (to < GROUPS && groups[to] === 0) to += 1;
    if (to - from > length) {
      start = from;
      length = to - from;
    }
  }
  if (length === 1) return hex(groups, 0, GROUPS);
  // RFC 4291 2.5.5.1: the system writes the old v4-compatible addresses so.
  if (start === 0 && length === 6) return `::${dotted(address.word3)}`;
  return `${hex(groups, 0, start)}::${hex(groups, start + length, GROUPS)}`;
}

function hex(groups: readonly number[], start: number, end: number): string {
  return groups
    .slice(start, end)
    .map((group) => group.toString(16))
    .join(':');
}
