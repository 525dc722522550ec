import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeProxyHeader } from '../../src/protocol/proxy-header/writer.ts';
import { headerOf, SIGNATURE, TCP4, TCP6, V4_ADDRESSES, V6_ADDRESSES, v1, v2 } from './proxy-headers.ts';

const at = (address: string, port: number) => ({ address, port });
const V4 = { source: at('192.0.2.9', 4000), destination: at('198.51.100.7', 443) };
const V6 = { source: at('2001:db8::9', 4000), destination: at('2001:db8::7', 443) };
const NOTHING = { source: null, destination: null, secure: null };

describe('the PROXY header that backends get', () => {
  test('is the one that the specification describes, to the byte', () => {
    expect(writeProxyHeader('v1', V4)).toEqual(v1('TCP4 192.0.2.9 198.51.100.7 4000 443'));
    expect(writeProxyHeader('v1', V6)).toEqual(v1('TCP6 2001:db8::9 2001:db8::7 4000 443'));
    expect(writeProxyHeader('v2', V4)).toEqual(v2({ family: TCP4, addresses: V4_ADDRESSES }));
    expect(writeProxyHeader('v2', V6)).toEqual(v2({ family: TCP6, addresses: V6_ADDRESSES }));
  });

  test('of whoever speaks for itself says UNKNOWN, or LOCAL', () => {
    expect(writeProxyHeader('v1', null)).toEqual(v1('UNKNOWN'));
    expect(writeProxyHeader('v2', null)).toEqual(Buffer.concat([SIGNATURE, Buffer.of(0x20, 0, 0, 0)]));
  });

  test.each(['v1', 'v2'] as const)('%s: of a client on a unix socket says the same', (version) => {
    for (const destination of [null, V4.destination])
      expect(writeProxyHeader(version, { source: null, destination })).toEqual(writeProxyHeader(version, null));
    expect(writeProxyHeader(version, { source: at('', 0), destination: null })).toEqual(
      writeProxyHeader(version, null),
    );
  });

  test('of a client of one family and a listener of the other is of IPv6, the IPv4 end mapped', () => {
    const mixed = { source: V6.source, destination: V4.destination };
    expect(writeProxyHeader('v1', mixed)).toEqual(v1('TCP6 2001:db8::9 ::ffff:198.51.100.7 4000 443'));
    for (const version of ['v1', 'v2'] as const) {
      expect(headerOf(writeProxyHeader(version, mixed))).toEqual({ ...mixed, secure: null });
      const other = { source: V4.source, destination: V6.destination };
      expect(headerOf(writeProxyHeader(version, other))).toEqual({ ...other, secure: null });
    }
  });

  test.each(['v1', 'v2'] as const)('%s: a listener that nobody knows is no reason to hide the client', (version) => {
    const write = (source: typeof V4.source) => headerOf(writeProxyHeader(version, { source, destination: null }));
    expect(write(V4.source)).toEqual({ source: V4.source, destination: at('0.0.0.0', 0), secure: null });
    expect(write(V6.source)).toEqual({ source: V6.source, destination: at('::', 0), secure: null });
  });

  test('a zone is of this machine only, and a mapped address is IPv4', () => {
    const zoned = { source: at('fe80::1%eth0', 1), destination: at('fe80::2%eth0', 2) };
    expect(writeProxyHeader('v1', zoned)).toEqual(v1('TCP6 fe80::1 fe80::2 1 2'));
    const mapped = { source: at('::ffff:192.0.2.9', 4000), destination: V4.destination };
    expect(writeProxyHeader('v1', mapped)).toEqual(writeProxyHeader('v1', V4));
  });

  test('is read as it was written, at any addresses and ports', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const end = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port });
    const seed = Date.now() & 0x7fffffff;
    fc.assert(
      fc.property(
        end,
        fc.option(end),
        fc.constantFrom('v1' as const, 'v2' as const),
        (source, destination, version) => {
          const bytes = writeProxyHeader(version, { source, destination });
          const read = headerOf(bytes, version, 50);
          // What is written once more is what was read.
          expect(writeProxyHeader(version, read)).toEqual(bytes);
          expect(read.source?.port).toBe(source.port);
          expect(read.destination?.port).toBe(destination?.port ?? 0);
        },
      ),
      { seed },
    );
    expect(headerOf(writeProxyHeader('v1', null))).toEqual(NOTHING);
    expect(headerOf(writeProxyHeader('v2', null))).toEqual(NOTHING);
  });
});
