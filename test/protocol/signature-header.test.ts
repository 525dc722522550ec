import { describe, expect, test } from 'vitest';
import { parseFixdate, parseSignatureHeader, signingString } from '../../src/protocol/signature-header.ts';
import { accepted, requestText } from './heads.ts';

const GOOD = { keyId: 'a', algorithm: 'hmac-sha256', headers: 'host date', signature: 'AAAA' };

function credentials(own: Record<string, string | undefined> = {}, comma = ','): string {
  return Object.entries({ ...GOOD, ...own })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]))
    .join(comma);
}

describe('the parameters', () => {
  test.each([
    ['in any order', 'signature="AAAA",headers="host date",keyId="a",algorithm="hmac-sha256"'],
    ['with blanks behind commas', credentials({}, ', ')],
    ['with blanks on both sides', credentials({}, ' ,\t ')],
    ['with what a name may hold', credentials({ keyId: "a b/c=d'e" })],
    ['with padding', credentials({ signature: 'AAA=' })],
    ['with more padding', credentials({ signature: 'AQ==' })],
    ['of one field', credentials({ headers: '(request-target)' })],
  ])('are taken %s', (_, text) => {
    expect(parseSignatureHeader(text)).toMatchObject({ algorithm: 'hmac-sha256' });
  });

  test.each([
    ['nothing', ''],
    ['one missing', credentials({ headers: undefined })],
    ['no keyId', credentials({ keyId: undefined })],
    ['an empty keyId', credentials({ keyId: '' })],
    ['one twice', `${credentials()},keyId="a"`],
    ['another one', `${credentials()},opaque="x"`],
    ['created', `${credentials()},created="1402170695"`],
    ['a number without quotes', `${credentials()},expires=1402170695`],
    ['another case', credentials().replace('keyId', 'keyid')],
    ['no quotes', credentials().replace('"a"', 'a')],
    ['a blank around "="', credentials().replace('="a"', ' = "a"')],
    ['a quoted pair', credentials({ keyId: 'a\\"b' })],
    ['a comma in quotes', credentials({ keyId: 'a,b' })],
    ['an open quote', `${credentials()},"`],
    ['a comma too many', `${credentials()},`],
    ['a control', credentials({ keyId: 'a\x01' })],
    ['a byte above ASCII', credentials({ keyId: '\xe9' })],
    ['a name in capitals', credentials({ headers: 'Host date' })],
    ['a name twice', credentials({ headers: 'host date host' })],
    ['two blanks', credentials({ headers: 'host  date' })],
    ['a blank at the end', credentials({ headers: 'host ' })],
    ['no names', credentials({ headers: '' })],
    ['(created)', credentials({ headers: '(created) host' })],
    ['65 names', credentials({ headers: Array.from({ length: 65 }, (_, index) => `x${index}`).join(' ') })],
    ['another alphabet', credentials({ signature: 'AA_-' })],
    ['no padding', credentials({ signature: 'AAA' })],
    ['bits behind the last byte', credentials({ signature: 'AAB=' })],
    ['bits behind the only byte', credentials({ signature: 'AB==' })],
    ['an empty signature', credentials({ signature: '' })],
    ['4097 characters', credentials({ keyId: 'a'.repeat(4097) })],
  ])('are refused with %s', (_, text) => {
    expect(parseSignatureHeader(text)).toBeNull();
  });
});

describe('the text that is signed', () => {
  /** draft-cavage-http-signatures-12 2.3, without its folded line. */
  const fields = [
    'Date: Tue, 07 Jun 2014 20:51:35 GMT',
    'X-Example:   Example header with some whitespace.  ',
    'X-EmptyHeader:',
    'Cache-Control: max-age=60',
    'Cache-Control: must-revalidate',
  ];
  const request = accepted(
    requestText({ line: 'GET /foo?a=%41&b HTTP/1.1', without: ['Host'], fields: ['Host: example.org', ...fields] }),
  );

  test('is that of the draft', () => {
    const signed = ['(request-target)', 'host', 'date', 'cache-control', 'x-emptyheader', 'x-example'];
    expect(signingString(request, signed)).toBe(
      [
        '(request-target): get /foo?a=%41&b',
        'host: example.org',
        'date: Tue, 07 Jun 2014 20:51:35 GMT',
        'cache-control: max-age=60, must-revalidate',
        'x-emptyheader: ',
        'x-example: Example header with some whitespace.',
      ].join('\n'),
    );
  });

  test('does not exist without one of its fields', () => {
    expect(signingString(request, ['host', 'digest'])).toBeNull();
  });
});

describe('a date', () => {
  test('is an IMF-fixdate', () => {
    expect(parseFixdate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(784_111_777_000);
  });

  test.each([
    ['another day of the week', 'Mon, 06 Nov 1994 08:49:37 GMT'],
    ['the day of the draft', 'Tue, 07 Jun 2014 20:51:35 GMT'],
    ['the 31st of November', 'Thu, 31 Nov 1994 08:49:37 GMT'],
    ['no month', 'Sun, 06 Nox 1994 08:49:37 GMT'],
    ['two halves of months', 'Sun, 06 anF 1994 08:49:37 GMT'],
    ['one digit', 'Sun, 6 Nov 1994 08:49:37 GMT'],
    ['an hour too many', 'Sun, 06 Nov 1994 24:49:37 GMT'],
    ['a leap second', 'Sun, 06 Nov 1994 08:49:60 GMT'],
    ['another zone', 'Sun, 06 Nov 1994 08:49:37 UTC'],
    ['RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT'],
    ['asctime', 'Sun Nov  6 08:49:37 1994'],
    ['ISO 8601', '1994-11-06T08:49:37Z'],
    ['a blank more', 'Sun, 06 Nov 1994 08:49:37 GMT '],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(parseFixdate(text)).toBeNull();
  });
});
