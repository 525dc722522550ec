// Where credentials stand in a request, and what is left of it without them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CredentialPlace,
  markerOf,
  nameableProtocols,
  plainProtocols,
  valuesAt,
  withoutPlaces,
} from '../../src/protocol/credential-places.ts';
import type { UpgradeRequest } from '../../src/protocol/upgrade-request.ts';
import { accepted, requestText } from './heads.ts';

const asked = (query: string, ...fields: string[]): UpgradeRequest =>
  accepted(requestText({ line: `GET /a%2Fb${query} HTTP/1.1`, fields }));
const place = (text: string): CredentialPlace => {
  const at = text.indexOf(':');
  return { kind: text.slice(0, at) as CredentialPlace['kind'], name: text.slice(at + 1) };
};
const fieldsOf = (request: UpgradeRequest) =>
  request.head.fields.map(({ name, value }) => `${name}: ${value}`).slice(5);

describe('a query', () => {
  const of = (query: string, name = 'token') => {
    const request = asked(query);
    const left = withoutPlaces(request, [place(`query:${name}`)]);
    expect(left.head.target).toBe(`/a%2Fb${left.query}`);
    return [valuesAt(place(`query:${name}`), request), left.query];
  };

  test.each([
    ['?token=x', ['x'], ''],
    ['?a=1&token=x&b=2', ['x'], '?a=1&b=2'],
    ['?%74oken=x%20+y', ['x  y'], ''],
    ['?t%6Fken=x&token=y&token=z', ['x', 'y'], ''],
    ['?token&token=', [], ''],
    ['?token=&token&token=x&token=y', ['x', 'y'], ''],
    ['?token=x&&=&%zz', ['x'], '?&=&%zz'],
    ['?Token=x&tokens=x&xtoken=x&token[]=x&%2574oken=x', [], '?Token=x&tokens=x&xtoken=x&token[]=x&%2574oken=x'],
    ['?a=b;token=x', [], '?a=b;token=x'],
    ['?token=a=b', ['a=b'], ''],
    ['?', [], '?'],
  ])('%s', (query, values, left) => expect(of(query)).toEqual([values, left]));

  test('a name beyond ASCII, and one with a blank', () => {
    expect(of('?%C3%A9=x&e=y', 'é')).toEqual([['x'], '?e=y']);
    expect(of('?a+b=x&a%20b=y&ab=z', 'a b')).toEqual([['x', 'y'], '?ab=z']);
  });
});

describe('cookies and fields', () => {
  test.each([
    [['Cookie: sid=x'], ['x'], []],
    [['Cookie: a=1; sid=x; b=2'], ['x'], ['Cookie: a=1; b=2']],
    [['Cookie: a=1;sid=x;b=2', 'cookie: sid=y'], ['x', 'y'], ['Cookie: a=1;b=2']],
    [['Cookie: \tsid = "x y" ;;a'], ['"x y"'], ['Cookie: ;a']],
    [['Cookie: sid; SID=x; xsid=y; sidx=z; a=sid=q'], [], ['Cookie: sid; SID=x; xsid=y; sidx=z; a=sid=q']],
    [['Cookie: sid=; sid=x'], ['x'], []],
    [['Cookie: sid=; sid=', 'Cookie: sid=; sid=x; sid=y; sid=z'], ['x', 'y'], []],
  ])('%s', (fields, values, left) => {
    const request = asked('', ...fields);
    expect(valuesAt(place('cookie:sid'), request)).toEqual(values);
    expect(fieldsOf(withoutPlaces(request, [place('cookie:sid')]))).toEqual(left);
  });

  test('a field with all its lines, in any case of its name', () => {
    const request = asked('', 'X-API-Key: a', 'X: y', 'x-api-KEY:  b ', 'X-API-Keys: c');
    const where = place('header:x-api-key');
    expect(valuesAt(where, request)).toEqual(['a', 'b']);
    expect(fieldsOf(withoutPlaces(request, [where]))).toEqual(['X: y', 'X-API-Keys: c']);
    expect(valuesAt(where, asked('', 'X-API-Key:', 'X-API-Key:', 'X-API-Key: a', 'X-API-Key: b'))).toEqual(['a', 'b']);
  });
});

describe('an offer', () => {
  const bearer = place('subprotocol:bearer');
  const prefix = place('subprotocol_prefix:key.');

  test.each([
    [['bearer', 'x'], [], 'bearer'],
    [['chat', 'bearer', 'x', 'y'], ['chat', 'y'], 'bearer'],
    [['chat', 'bearer'], ['chat'], 'bearer'],
    [['bearer', 'chat'], [], 'bearer'],
    [['key.x', 'chat'], ['chat'], null],
    [['bearer', 'key.x', 'chat'], ['chat'], 'bearer'],
    [['Bearer', 'x', 'Key.x'], ['Bearer', 'x', 'Key.x'], null],
  ])('%s', (offered, plain, marker) => {
    expect(plainProtocols(offered, [bearer, prefix])).toEqual(plain);
    expect(markerOf(offered, [bearer, prefix])).toBe(marker);
    expect(nameableProtocols(offered, [bearer, prefix])).toEqual(
      offered.filter((name) => plain.includes(name) || name === marker),
    );
  });

  test('its field says what is left, in one line; nothing when nothing is', () => {
    const left = (...fields: string[]) => fieldsOf(withoutPlaces(asked('', ...fields), [bearer, prefix]));
    const name = 'Sec-WebSocket-Protocol';
    expect(left(`${name}: chat, bearer`, 'X: y', `${name}: secret, v2`)).toEqual([`${name}: chat, v2`, 'X: y']);
    expect(left(`${name}: bearer, secret`, 'X: y')).toEqual(['X: y']);
    expect(left(`${name}: chat,v2`, `${name}: v3`)).toEqual([`${name}: chat,v2`, `${name}: v3`]);
  });

  test('a marker behind another one is what that one announces', () => {
    const other = place('subprotocol:other');
    expect(markerOf(['bearer', 'other', 'x'], [bearer, other])).toBe('bearer');
    expect(nameableProtocols(['bearer', 'other', 'x'], [bearer, other])).toEqual(['bearer']);
    expect(plainProtocols(['bearer', 'other', 'x', 'chat'], [bearer, other])).toEqual(['chat']);
  });
});

describe('whatever a client sends', () => {
  const NAMES = ['token', 'key', 'sid', 'a b'] as const;
  const escaped = (text: string, at: number) =>
    [...text].map((char, index) =>
      (at >> index) & 1 ? `%${char.charCodeAt(0).toString(16)}` : char.replace(' ', '+'),
    );
  const name = fc.oneof(
    fc.constantFrom(...NAMES),
    fc.string({ unit: fc.constantFrom(...'abkeysid=%;.+'), maxLength: 6 }),
  );
  const value = fc.oneof(fc.constant('CANARY'), fc.string({ unit: fc.constantFrom(...'AZ09=%+.;'), maxLength: 6 }));
  const pair = fc.tuple(name, fc.nat(255), value).map(([key, at, text]) => `${escaped(key, at).join('')}=${text}`);
  const cookie = fc
    .tuple(fc.constantFrom('', ' ', '\t ', '\xa0'), fc.oneof(fc.constantFrom('sid', 'key'), name), value)
    .map(([blank, key, text]) => `${blank}${key.replaceAll(/[;%=]/g, '')}=${text.replaceAll(';', '')}`);
  const offer = fc.uniqueArray(fc.constantFrom('bearer', 'chat', 'key.1', 'key.2', 'x', 'y', 'other', 'z'));
  const PLACES = ['query:token', 'query:a b', 'cookie:sid', 'cookie:key', 'header:x-key', 'subprotocol:bearer'];
  const places = fc.subarray([...PLACES, 'subprotocol:other', 'subprotocol_prefix:key.', 'query:key'].map(place));
  const request = fc
    .record({
      pairs: fc.array(pair, { maxLength: 5 }),
      cookies: fc.array(fc.array(cookie, { maxLength: 4 }), { maxLength: 3 }),
      keys: fc.array(fc.constantFrom('X-Key: 1', 'x-key: 2', 'X-Other: 3'), { maxLength: 3 }),
      offer,
    })
    .map(({ pairs, cookies, keys, offer: offered }) => {
      const lines = cookies.map((line) => `Cookie: ${line.join(';')}`);
      const protocols = offered.length === 0 ? [] : [`Sec-WebSocket-Protocol: ${offered.join(', ')}`];
      const query = pairs.length === 0 ? '' : `?${pairs.join('&').replaceAll(' ', '+')}`;
      return asked(query, ...lines, ...keys, ...protocols);
    });

  test('nothing is left where something was read, and all else is byte for byte the same', () => {
    fc.assert(
      fc.property(request, places, (sent, where) => {
        const left = withoutPlaces(sent, where);
        for (const one of where) expect(valuesAt(one, left)).toEqual([]);
        expect(withoutPlaces(left, where)).toBe(left);
        const has = (text: string) => where.some((one) => `${one.kind}:${one.name}` === text);
        // By another reading of queries.
        const pairs = (query: string) => (query === '' ? [] : query.slice(1).split('&'));
        const kept = pairs(sent.query).filter(
          (one) => ![...new URLSearchParams(one).keys()].some((key) => has(`query:${key}`)),
        );
        expect(pairs(left.query)).toEqual(kept);
        const others = ({ head }: UpgradeRequest) =>
          head.fields.filter(
            ({ lower }) => !/^(?:cookie|sec-websocket-protocol)$/.test(lower) && !has(`header:${lower}`),
          );
        expect(others(left)).toEqual(others(sent));
        const offers = left.head.fields.filter(({ lower }) => lower === 'sec-websocket-protocol');
        expect(offers.map((one) => one.value).join()).toBe(left.protocols.join(', '));
        const jar = ({ head }: UpgradeRequest) =>
          head.fields
            .flatMap(({ lower, value: line }) => (lower === 'cookie' ? line.split(';') : []))
            .map((one) => one.trim());
        const isNamed = (one: string) => /^(?:sid|key)\s*=/.test(one) && has(`cookie:${one.split('=', 1)[0]?.trim()}`);
        expect(jar(left).filter((one) => one !== '')).toEqual(jar(sent).filter((one) => one !== '' && !isNamed(one)));
      }),
      { numRuns: 50 },
    );
  });
});
