// PROXY headers for tests, made by the words of the specification, and what the parser makes of them in every cut.

import assert from 'node:assert/strict';
import {
  type ProxyHeader,
  ProxyHeaderParser,
  ProxyStep,
  type ProxyVersions,
} from '../../src/protocol/proxy-header/proxy-header.ts';
import { referenceCrc32c } from '../reference/proxy-header.ts';
import { everySplit, placed } from '../support/every-split.ts';

export interface Tlv {
  readonly type: number;
  readonly value: Buffer;
  /** What it says of its length, when that is a lie. */
  readonly length?: number;
}

interface V2Parts {
  readonly versionAndCommand?: number;
  readonly family?: number;
  readonly addresses?: Buffer;
  readonly tlvs?: readonly Tlv[];
  /** What it says of its length, when that is a lie. */
  readonly length?: number;
}

export const V4_ADDRESSES = Buffer.from('c0000209c63364070fa001bb', 'hex'); // 192.0.2.9 to 198.51.100.7, 4000 to 443
export const V6_ADDRESSES = Buffer.concat([
  Buffer.from('20010db8000000000000000000000009', 'hex'),
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('0fa001bb', 'hex'),
]);

export const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
export const TCP4 = 0x11;
export const TCP6 = 0x21;
export const UNIX = 0x31;

export function v1(line: string): Buffer {
  return Buffer.from(`PROXY ${line}\r\n`, 'latin1');
}

export function v2(parts: V2Parts = {}): Buffer {
  const { versionAndCommand = 0x21, family = TCP4, addresses = V4_ADDRESSES, tlvs = [] } = parts;
  const block = Buffer.concat([addresses, ...tlvs.map(tlv)]);
  const length = parts.length ?? block.length;
  return Buffer.concat([SIGNATURE, Buffer.of(versionAndCommand, family, length >> 8, length & 0xff), block]);
}

export function tlv({ type, value, length = value.length }: Tlv): Buffer {
  return Buffer.concat([Buffer.of(type, length >> 8, length & 0xff), value]);
}

/** A TLV with the checksum of the header that it stands in, at its end; `distance` away from the right one. */
export function withChecksum(parts: V2Parts, distance = 0): Buffer {
  const header = v2({ ...parts, tlvs: [...(parts.tlvs ?? []), { type: 0x03, value: Buffer.alloc(4) }] });
  header.writeUInt32BE((referenceCrc32c(header) + distance) % 2 ** 32, header.length - 4);
  return header;
}

/** What is inside of TLV 0x20: whether TLS was used, and TLVs of its own. */
export function ssl(client: number, ...inner: readonly Tlv[]): Tlv {
  return { type: 0x20, value: Buffer.concat([Buffer.of(client, 0, 0, 0, 0), ...inner.map(tlv)]) };
}

export type Parsed =
  | { readonly header: ProxyHeader; readonly rest: Buffer }
  | { readonly violation: string; readonly at: number }
  | { readonly more: number };

export function feedAll(pieces: readonly Buffer[], versions: ProxyVersions): Parsed {
  const parser = new ProxyHeaderParser(versions);
  let before = 0;
  for (const [index, piece] of pieces.entries()) {
    const { bytes, start, end } = placed(piece);
    const step = parser.feed(bytes, start, end);
    const taken = parser.position - start;
    assert(taken >= 0 && taken <= piece.length, 'a position outside of what was fed');
    bytes.fill(0xa5);
    if (step === ProxyStep.Violation) {
      assert.equal(parser.header, null);
      assert.equal(parser.feed(bytes, start, end), ProxyStep.Violation, 'a violation is for ever');
      assert.equal(parser.position, start);
      return { violation: parser.violation ?? '', at: before + taken };
    }
    if (step === ProxyStep.Done) {
      assert(parser.header !== null);
      assert.equal(parser.feed(bytes, start, end), ProxyStep.Done, 'done is done');
      assert.equal(parser.position, start);
      const rest = Buffer.concat([piece.subarray(taken), ...pieces.slice(index + 1)]);
      return { header: parser.header, rest };
    }
    assert.equal(taken, piece.length, 'what needs more has taken all');
    before += taken;
  }
  return { more: before };
}

/** The header in `bytes`, alike in every cut, which leaves what follows alone. */
export function headerOf(bytes: Buffer, versions: ProxyVersions = 'any', stride = 1): ProxyHeader {
  const whole = feedAll([bytes], versions);
  assert('header' in whole, JSON.stringify(whole));
  const run = (pieces: readonly Buffer[], tail: Buffer) =>
    assert.deepEqual(feedAll(pieces, versions), { header: whole.header, rest: tail });
  everySplit(bytes, run, { stride });
  return whole.header;
}

/** What is wrong with `bytes`, and with which of them, alike in every cut. */
export function violationOf(bytes: Buffer, versions: ProxyVersions = 'any'): string {
  const whole = feedAll([bytes], versions);
  assert('violation' in whole, JSON.stringify(whole));
  everySplit(bytes, (pieces) => assert.deepEqual(feedAll(pieces, versions), whole));
  return `${whole.violation} at ${whole.at}`;
}
