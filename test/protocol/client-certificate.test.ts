import { describe, expect, test } from 'vitest';
import { certificateIdentity } from '../../src/protocol/client-certificate.ts';

const certificate = (own: { subject?: string; san?: string | null } = {}) => ({
  subject: 'CN=device-1,O=Acme',
  san: 'DNS:One.Example,URI:spiffe://x/a,URI:spiffe://x/b,DNS:two.example',
  sha256: 'ab'.repeat(32),
  ...own,
});

test('the first name of its type is who it is', () => {
  expect(certificateIdentity(certificate(), 'san_uri')).toBe('spiffe://x/a');
  expect(certificateIdentity(certificate(), 'san_dns')).toBe('one.example');
  expect(certificateIdentity(certificate(), 'cn')).toBe('device-1');
  expect(certificateIdentity(certificate(), 'sha256')).toBe('ab'.repeat(32));
});

describe('alternative names', () => {
  test.each([
    ['a comma in quotes', 'URI:"spiffe://x/a\\u002cURI:spiffe://x/admin"', 'spiffe://x/a,URI:spiffe://x/admin'],
    ['a quote in quotes', 'URI:"a\\"b"', 'a"b'],
    ['none of the type', 'DNS:a.example', null],
    ['no names at all', null, null],
    ['an empty one', 'URI:', null],
    ['a NUL', 'URI:"a\\u0000b"', null],
    ['a line end', 'URI:"a\\u000ab"', null],
    ['U+2028', 'URI:"a\\u2028b"', null],
    ['256 bytes', `URI:${'a'.repeat(256)}`, 'a'.repeat(256)],
    ['257 bytes', `URI:${'a'.repeat(257)}`, null],
    ['an open quote', 'URI:"a,URI:b', null],
    ['an escape that is none', 'URI:"\\x41"', null],
    ['what no entry is', 'URI:a,b', null],
  ])('%s', (_, san, identity) => {
    expect(certificateIdentity(certificate({ san }), 'san_uri')).toBe(identity);
  });

  test('a DNS name is one that could be asked for', () => {
    expect(certificateIdentity(certificate({ san: 'DNS:a b' }), 'san_dns')).toBeNull();
    expect(certificateIdentity(certificate({ san: 'DNS:*.Example' }), 'san_dns')).toBe('*.example');
  });
});

describe('a common name', () => {
  test.each([
    ['commas and signs of its own', 'CN=a\\,b\\+c\\=\\\\,O=x', 'a,b+c=\\'],
    ['letters beyond ASCII', 'CN=Zo\u00eb \u65e5', 'Zo\u00eb \u65e5'],
    ['bytes in hex', 'CN=Zo\\C3\\AB', 'Zo\u00eb'],
    ['the most specific one', 'CN=a,CN=b', 'a'],
    ['not first', 'O=x\\,CN=admin,CN=a', 'a'],
    ['a backslash in front of the comma', 'O=x\\\\,CN=a', 'a'],
    ['none', 'O=x', null],
    ['an empty one', 'CN=,O=x', null],
    ['one inside another value', 'O=CN=admin', null],
    ['two attributes in one part', 'CN=a + OU=b', null],
    ['the same behind a backslash', 'CN=a\\\\+OU=b', null],
    ['a line end', 'CN=a\\0Ab', null],
    ['a NUL', 'CN=a\\00', null],
  ])('%s', (_, subject, identity) => {
    expect(certificateIdentity(certificate({ subject }), 'cn')).toBe(identity);
  });
});
