import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Crc32c } from '../../src/protocol/proxy-header/crc32c.ts';
import { referenceCrc32c, referenceProxyHeader } from '../reference/proxy-header.ts';
import {
  feedAll,
  headerOf,
  SIGNATURE,
  ssl,
  TCP4,
  TCP6,
  UNIX,
  V4_ADDRESSES,
  V6_ADDRESSES,
  v1,
  v2,
  violationOf,
  withChecksum,
} from './proxy-headers.ts';

const NOTHING = { source: null, destination: null, secure: null };
const V4 = {
  source: { address: '192.0.2.9', port: 4000 },
  destination: { address: '198.51.100.7', port: 443 },
  secure: null,
};
const V6 = {
  source: { address: '2001:db8::9', port: 4000 },
  destination: { address: '2001:db8::7', port: 443 },
  secure: null,
};
const text = (value: string) => Buffer.from(value, 'latin1');

describe('version 1, proxy-protocol.txt 2.1', () => {
  test('TCP4 and TCP6 name the client', () => {
    expect(headerOf(v1('TCP4 192.0.2.9 198.51.100.7 4000 443'))).toEqual(V4);
    expect(headerOf(v1('TCP6 2001:db8::9 2001:DB8:0:0::7 4000 443'))).toEqual(V6);
    expect(headerOf(v1('TCP6 ::ffff:192.0.2.9 ::ffff:c633:6407 4000 443'))).toEqual(V4);
  });

  test('ports go from 0 to 65535', () => {
    const ports = (line: string) => headerOf(v1(`TCP4 1.2.3.4 5.6.7.8 ${line}`));
    expect(ports('0 65535')).toMatchObject({ source: { port: 0 }, destination: { port: 65_535 } });
    const refused = (line: string) => violationOf(v1(`TCP4 1.2.3.4 5.6.7.8 ${line}`));
    for (const line of ['65536 1', '1 65536', '00 1', '1 01', '1 443x', '-1 1', '+1 1', '1e3 1', '0x1 1'])
      expect(refused(line), line).toMatch(/^port at /);
  });

  test('UNKNOWN is the peer of the socket, whatever follows it', () => {
    expect(headerOf(v1('UNKNOWN'))).toEqual(NOTHING);
    expect(headerOf(v1('UNKNOWN '))).toEqual(NOTHING);
    expect(headerOf(v1('UNKNOWN 192.0.2.9 x  y 999999'))).toEqual(NOTHING);
    expect(violationOf(v1('UNKNOWNS'))).toBe('protocol at 15');
  });

  test('a line has at most 107 bytes, its CR LF among them', () => {
    const line = (length: number) => v1(`UNKNOWN ${'x'.repeat(length - 16)}`);
    expect(line(107)).toHaveLength(107);
    expect(headerOf(line(107))).toEqual(NOTHING);
    expect(violationOf(line(108))).toBe('line_too_long at 106');
    expect(violationOf(line(109))).toBe('line_too_long at 106');
  });

  test('the longest line of two addresses is taken', () => {
    const address = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
    expect(headerOf(v1(`TCP6 ${address} ${address} 65535 65535`)).source?.address).toBe(address);
  });

  test('neither CR nor LF alone ends it', () => {
    expect(violationOf(text('PROXY TCP4 192.0.2.9 198.51.100.7 4000 443\n'))).toBe('line_end at 42');
    expect(violationOf(text('PROXY UNKNOWN\r\r\n'))).toBe('line_end at 14');
    expect(violationOf(text('PROXY UNKNOWN a\rb\r\n'))).toBe('line_end at 16');
    expect(violationOf(text('PROXY UNKNOWN a\nb\r\n'))).toBe('line_end at 15');
  });

  test('what begins like it and is not it is refused at that byte', () => {
    expect(violationOf(text('PUT / HTTP/1.1\r\n'))).toBe('signature at 1');
    expect(violationOf(text('PROXYTCP4 '))).toBe('signature at 5');
    expect(violationOf(text('PROXY\tTCP4 '))).toBe('signature at 5');
    expect(violationOf(text('PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n'))).toBe('protocol at 32');
  });

  test('exactly one space, six words and one family', () => {
    const refused = (line: string) => violationOf(v1(line)).replace(/ at \d+$/, '');
    expect(refused('TCP4  1.2.3.4 1.2.3.4 1 1')).toBe('line_parts');
    expect(refused('TCP4  1.2.3.4 1.2.3.4 1')).toBe('address');
    expect(refused('TCP4 1.2.3.4 1.2.3.4 1 1 ')).toBe('line_parts');
    expect(refused('TCP4 1.2.3.4 1.2.3.4 1 1 1')).toBe('line_parts');
    expect(refused('TCP4 1.2.3.4 1.2.3.4 1')).toBe('line_parts');
    expect(refused('TCP4 1.2.3.4\t1.2.3.4 1.2.3.4 1 1')).toBe('address');
    expect(refused('tcp4 1.2.3.4 1.2.3.4 1 1')).toBe('protocol');
    expect(refused('UDP4 1.2.3.4 1.2.3.4 1 1')).toBe('protocol');
    expect(refused('TCP4 ::1 1.2.3.4 1 1')).toBe('address');
    expect(refused('TCP4 1.2.3.4 ::1 1 1')).toBe('address');
    expect(refused('TCP6 1.2.3.4 ::1 1 1')).toBe('address');
  });

  test('addresses have their canonical form', () => {
    for (const address of ['01.2.3.4', '1.2.3.04', '1.2.3', '1.2.3.256', '1.2.3.4.5', '0x1.2.3.4', '', '1.2.3.4\0'])
      expect(violationOf(v1(`TCP4 ${address} 1.2.3.4 1 1`)), address).toMatch(/^address at /);
    for (const address of ['::1%eth0', '[::1]', '1::2::3', ':1', '12345::', '1:2:3:4:5:6:7', 'g::'])
      expect(violationOf(v1(`TCP6 ${address} ::1 1 1`)), address).toMatch(/^address at /);
  });

  test('a second header is what the connection carries', () => {
    const first = v1('TCP4 192.0.2.9 198.51.100.7 4000 443');
    const second = v1('TCP4 6.6.6.6 198.51.100.7 4000 443');
    expect(feedAll([first, second], 'any')).toEqual({ header: V4, rest: second });
    expect(feedAll([Buffer.concat([first, second])], 'any')).toEqual({ header: V4, rest: second });
  });
});

describe('version 2, proxy-protocol.txt 2.2', () => {
  test('TCP over IPv4 and IPv6 names the client', () => {
    expect(headerOf(v2())).toEqual(V4);
    expect(headerOf(v2({ family: TCP6, addresses: V6_ADDRESSES }))).toEqual(V6);
    const mapped = Buffer.concat([Buffer.alloc(10), Buffer.from('ffffc0000209', 'hex')]);
    const addresses = Buffer.concat([mapped, mapped, Buffer.of(0, 0, 255, 255)]);
    expect(headerOf(v2({ family: TCP6, addresses }))).toMatchObject({
      source: { address: '192.0.2.9', port: 0 },
      destination: { address: '192.0.2.9', port: 65_535 },
    });
  });

  test('LOCAL is the peer of the socket, and its block is discarded unread', () => {
    expect(headerOf(v2({ versionAndCommand: 0x20, family: 0, addresses: Buffer.alloc(0) }))).toEqual(NOTHING);
    expect(headerOf(v2({ versionAndCommand: 0x20 }))).toEqual(NOTHING);
    expect(headerOf(v2({ versionAndCommand: 0x20, family: 0xff, addresses: Buffer.alloc(99, 0xff) }))).toEqual(NOTHING);
  });

  test('so is a family or a kind of socket that is not said', () => {
    for (const family of [0x00, 0x01, 0x10, 0x20, 0x30])
      expect(headerOf(v2({ family, addresses: Buffer.alloc(7, 0xff) })), String(family)).toEqual(NOTHING);
  });

  test('and a client on a unix socket, whose names are skipped; what its TLVs say counts', () => {
    expect(headerOf(v2({ family: UNIX, addresses: Buffer.alloc(216, 0x2f) }))).toEqual(NOTHING);
    const bytes = withChecksum({ family: UNIX, addresses: Buffer.alloc(216, 0x2f), tlvs: [ssl(1)] });
    expect(headerOf(bytes)).toEqual({ ...NOTHING, secure: true });
    expect(violationOf(v2({ family: UNIX, addresses: Buffer.alloc(215) }))).toBe('length at 15');
  });

  test('its signature, version, command, family and kind of socket are known ones', () => {
    for (let at = 1; at < SIGNATURE.length; at += 1) {
      const bytes = v2();
      bytes[at] = (bytes[at] ?? 0) ^ 0x20;
      expect(violationOf(bytes)).toBe(`signature at ${at}`);
    }
    for (const versionAndCommand of [0x11, 0x31, 0x01, 0xf1])
      expect(violationOf(v2({ versionAndCommand }))).toBe('version at 12');
    for (const versionAndCommand of [0x22, 0x2f]) expect(violationOf(v2({ versionAndCommand }))).toBe('command at 12');
    for (const family of [0x41, 0xf1]) expect(violationOf(v2({ family }))).toBe('family at 13');
    for (const family of [0x12, 0x22, 0x32, 0x02, 0x13, 0x1f])
      expect(violationOf(v2({ family }))).toBe('transport at 13');
  });

  test('its length holds the addresses', () => {
    expect(violationOf(v2({ length: 11 }))).toBe('length at 15');
    expect(violationOf(v2({ length: 0 }))).toBe('length at 15');
    expect(violationOf(v2({ family: TCP6, addresses: V6_ADDRESSES, length: 35 }))).toBe('length at 15');
  });

  test('TLVs are skipped, also empty ones and those that nobody knows', () => {
    const tlvs = [
      { type: 0x01, value: text('http/1.1') },
      { type: 0x04, value: Buffer.alloc(0) },
      { type: 0xea, value: Buffer.alloc(300, 0x20) },
      { type: 0xff, value: Buffer.alloc(0) },
    ];
    expect(headerOf(v2({ tlvs }))).toEqual(V4);
  });

  test('the length of a TLV is within the header, whose last bytes are one', () => {
    const value = text('abc');
    // 16 bytes, 12 of addresses; the TLV is wrong with the last byte of its length.
    expect(violationOf(v2({ tlvs: [{ type: 4, value, length: 4 }] }))).toBe('tlv_length at 30');
    expect(violationOf(v2({ tlvs: [{ type: 4, value, length: 65_535 }] }))).toBe('tlv_length at 30');
    expect(violationOf(v2({ tlvs: [{ type: 4, value, length: 2 }] }))).toBe('tlv_length at 32');
    expect(violationOf(v2({ tlvs: [{ type: 4, value, length: 1 }] }))).toBe('tlv_length at 31');
    expect(headerOf(v2({ tlvs: [{ type: 4, value, length: 0 }], addresses: V4_ADDRESSES }).fill(0, 31))).toEqual(V4);
    expect(violationOf(v2({ addresses: Buffer.concat([V4_ADDRESSES, Buffer.of(4)]) }))).toBe('tlv_length at 27');
  });

  test('2.2.6: the SSL TLV says whether the client came over TLS', () => {
    const version = { type: 0x21, value: text('TLSv1.3') };
    const name = { type: 0x22, value: text('example.com') };
    expect(headerOf(v2({ tlvs: [ssl(1, version)] }))).toEqual({ ...V4, secure: true });
    expect(headerOf(v2({ tlvs: [ssl(7, version, name), { type: 4, value: text('x') }] }))).toMatchObject({
      secure: true,
    });
    expect(headerOf(v2({ tlvs: [ssl(0)] }))).toEqual({ ...V4, secure: false });
    expect(headerOf(v2({ tlvs: [ssl(6)] }))).toMatchObject({ secure: false });
  });

  test('2.2.6: it has its five bytes, whole TLVs of its own, and comes once', () => {
    expect(violationOf(v2({ tlvs: [{ type: 0x20, value: Buffer.alloc(4) }] }))).toBe('tlv_length at 30');
    expect(violationOf(v2({ tlvs: [ssl(1), ssl(1)] }))).toBe('tlv_repeated at 38');
    // What is inside ends inside, though the header goes on.
    const lie = { type: 0x21, value: text('v'), length: 2 };
    expect(violationOf(v2({ tlvs: [ssl(1, lie), { type: 4, value: text('x') }] }))).toBe('tlv_length at 38');
    const short = { type: 0x20, value: Buffer.alloc(7) };
    expect(violationOf(v2({ tlvs: [short, { type: 4, value: text('x') }] }))).toBe('tlv_length at 35');
  });

  test('2.2.6: what stands inside of it is neither a checksum nor another one', () => {
    const inner = [ssl(1), { type: 0x03, value: Buffer.alloc(4) }, { type: 0x03, value: text('x') }];
    expect(headerOf(v2({ tlvs: [ssl(0, ...inner)] }))).toEqual({ ...V4, secure: false });
  });

  test('2.2.3: a checksum that is there is the right one', () => {
    expect(headerOf(withChecksum({}))).toEqual(V4);
    expect(headerOf(withChecksum({ tlvs: [ssl(1)] }))).toEqual({ ...V4, secure: true });
    expect(violationOf(withChecksum({}, 1))).toBe('crc32c at 34');
    for (let at = 16; at < 28; at += 1) {
      const bytes = withChecksum({});
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(violationOf(bytes)).toBe('crc32c at 34');
    }
  });

  test('2.2.3: it covers what follows it, has four bytes, and comes once', () => {
    const header = v2({
      tlvs: [
        { type: 3, value: Buffer.alloc(4) },
        { type: 4, value: text('xyz') },
      ],
    });
    header.writeUInt32BE(referenceCrc32c(header), 31);
    expect(headerOf(header)).toEqual(V4);
    header[header.length - 1] = 0x41;
    expect(violationOf(header)).toBe(`crc32c at ${header.length - 1}`);
    expect(violationOf(v2({ tlvs: [{ type: 3, value: Buffer.alloc(3) }] }))).toBe('tlv_length at 30');
    expect(violationOf(v2({ tlvs: [{ type: 3, value: Buffer.alloc(5) }] }))).toBe('tlv_length at 30');
    const sum = { type: 3, value: Buffer.alloc(4) };
    expect(violationOf(v2({ tlvs: [sum, sum] }))).toBe('tlv_repeated at 37');
  });

  test('64 KiB of TLVs pass, in one or in many', () => {
    const room = 65_535 - V4_ADDRESSES.length;
    const one = { type: 0xea, value: Buffer.alloc(room - 3, 0x5a) };
    expect(headerOf(v2({ tlvs: [one] }), 'any', 9_973)).toEqual(V4);
    const many = Array.from({ length: room / 3 }, () => ({ type: 0x04, value: Buffer.alloc(0) }));
    expect(headerOf(v2({ tlvs: many }), 'any', 9_973)).toEqual(V4);
    const last = { tlvs: [{ type: 0xea, value: Buffer.alloc(room - 10, 0x5a) }] };
    expect(headerOf(withChecksum(last), 'any', 9_973)).toEqual(V4);
  });

  test('a second header is what the connection carries', () => {
    expect(feedAll([v2(), v2()], 'any')).toEqual({ header: V4, rest: v2() });
    expect(feedAll([Buffer.concat([v2(), v2()])], 'any')).toEqual({ header: V4, rest: v2() });
  });
});

describe('what begins no header of a version that is taken', () => {
  const line = v1('UNKNOWN');
  const block = v2();

  test('is left untouched, by its first byte', () => {
    expect(violationOf(text('GET / HTTP/1.1\r\n\r\n'))).toBe('absent at 0');
    expect(violationOf(Buffer.from('160301', 'hex'))).toBe('absent at 0');
    expect(violationOf(block, 'v1')).toBe('absent at 0');
    expect(violationOf(line, 'v2')).toBe('absent at 0');
  });

  test('one that is taken passes', () => {
    for (const versions of ['v1', 'any'] as const) expect(headerOf(line, versions)).toEqual(NOTHING);
    for (const versions of ['v2', 'any'] as const) expect(headerOf(block, versions)).toEqual(V4);
  });

  test('nothing yet is nothing wrong', () => {
    expect(feedAll([], 'any')).toEqual({ more: 0 });
    expect(feedAll([Buffer.alloc(0), line], 'any')).toEqual({ header: NOTHING, rest: Buffer.alloc(0) });
  });

  test('a header that is cut at any byte is waited for', () => {
    for (const bytes of [line, v1('TCP4 192.0.2.9 198.51.100.7 4000 443'), withChecksum({ tlvs: [ssl(1)] })]) {
      for (let end = 1; end < bytes.length; end += 1)
        expect(feedAll([bytes.subarray(0, end)], 'any')).toEqual({ more: end });
    }
  });
});

describe('properties', () => {
  test('the checksum is that of RFC 4960, in every cut', () => {
    const of = (...pieces: readonly Uint8Array[]) => {
      const crc = new Crc32c();
      for (const piece of pieces) crc.update(piece, 0, piece.length);
      return crc.value;
    };
    expect(of(text('123456789'))).toBe(0xe306_9283);
    expect(of()).toBe(0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        expect(of(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(referenceCrc32c(Buffer.from(bytes)));
      }),
    );
  });

  test('any addresses, ports and TLVs come out as they went in', () => {
    const tlvs = fc.array(
      fc.record({ type: fc.constantFrom(1, 2, 4, 5, 0x21, 0x30, 0xea), value: fc.uint8Array({ maxLength: 40 }) }),
      { maxLength: 6 },
    );
    const addresses = fc.uint8Array({ minLength: 36, maxLength: 36 });
    fc.assert(
      fc.property(addresses, tlvs, fc.boolean(), (bytes, values, isV4) => {
        const parts = {
          family: isV4 ? TCP4 : TCP6,
          addresses: Buffer.from(bytes.subarray(0, isV4 ? 12 : 36)),
          tlvs: values.map(({ type, value }) => ({ type, value: Buffer.from(value) })),
        };
        const header = withChecksum(parts);
        const told = referenceProxyHeader(header, 'v2');
        const parsed = headerOf(header, 'v2', 17);
        expect(told).toEqual({
          headerBytes: header.length,
          source: [parsed.source?.address, parsed.source?.port],
          destination: [parsed.destination?.address, parsed.destination?.port],
          secure: null,
        });
      }),
    );
  });
});
