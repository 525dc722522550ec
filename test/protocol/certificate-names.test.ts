// The DNS names in the text that Node makes of a subjectAltName.

import { expect, test } from 'vitest';
import { dnsNames, nameOf } from '../../src/protocol/certificate-names.ts';

test.each([
  ['DNS:a.test', ['a.test']],
  ['DNS:a.test, DNS:b.test, DNS:a.test', ['a.test', 'b.test']],
  ['DNS:A.Test., DNS:*.WILD.test', ['a.test', '*.wild.test']],
  ['IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1', []],
  ['IP Address:127.0.0.1, DNS:a.test, URI:spiffe://b.test, email:c@d.test', ['a.test']],
  ['', []],
  // As Node quotes what holds a comma, a quote or a NUL.
  [String.raw`DNS:"a.test\u002c DNS:b.test", DNS:c.test`, ['c.test']],
  [String.raw`DNS:"a.test\u0000.evil.test", DNS:c.test`, ['c.test']],
  [String.raw`URI:"x\", DNS:evil.test, URI:\"y", DNS:c.test`, ['c.test']],
  [String.raw`DirName:"CN=x\u002c DNS:evil.test", DNS:c.test`, ['c.test']],
  // Nothing that Node writes.
  ['DNS:a.test,DNS:b.test', []],
  ['DNS:"a.test', []],
  ['DNS:a.test, b.test', []],
])('%j holds %j', (altNames, names) => {
  expect(dnsNames(altNames)).toEqual(names);
});

test.each([
  '*',
  '*.',
  'a.*.test',
  'a*.test',
  '**.test',
  '*.*.test',
  '.test',
  'a..test',
  'a.test..',
  'a b.test',
  'ä.test',
  '',
  'x'.repeat(64),
  `${'x.'.repeat(126)}xx`,
])('%j is no name', (text) => {
  expect(nameOf(text)).toBe(null);
});

test.each(['localhost', '_srv.a-b.test', 'xn--bcher-kva.test', 'x'.repeat(63), `${'x.'.repeat(126)}x`])(
  '%j is a name',
  (text) => {
    expect(nameOf(text)).toBe(text);
  },
);
