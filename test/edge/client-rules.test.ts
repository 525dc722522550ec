// Whom a listener believes, in which field, and how the client's scheme is known.

import { describe, expect, test } from 'vitest';
import { LiveListener } from '../../src/edge/arrival.ts';
import { TrustedProxies } from '../../src/edge/client-address.ts';
import { ClientRules } from '../../src/edge/client-rules.ts';
import type { HeadField } from '../../src/protocol/http-head.ts';
import { loaded } from '../config/loading.ts';
import { setOf } from '../protocol/addresses/sets.ts';

const PROXY = '10.0.0.1';
const trusted = new TrustedProxies(setOf('10.0.0.0/8', 'fd00::/8'), false);

function rules(client_ip_from: string, forwarded_proto: 'auto' | 'http' | 'https' = 'auto'): ClientRules {
  return new ClientRules(trusted, { client_ip_from, forwarded_proto });
}

function fieldsOf(...lines: readonly string[]): HeadField[] {
  return lines.map((line) => {
    const colon = line.indexOf(': ');
    const name = line.slice(0, colon);
    return { name, lower: name.toLowerCase(), value: line.slice(colon + 2) };
  });
}

describe('X9: Forwarded names the client', () => {
  const clientOf = (...values: readonly string[]) =>
    rules('forwarded').clientOf(PROXY, fieldsOf(...values.map((value) => `Forwarded: ${value}`)));

  test.each([
    ['203.0.113.5', 'for=203.0.113.5'],
    ['203.0.113.5', 'for=6.6.6.6, for=203.0.113.5'],
    ['203.0.113.5', 'for=6.6.6.6, For="203.0.113.5:4711";proto=https, for=10.0.0.2'],
    ['2001:db8::1', 'for="[2001:DB8::1]:80", for="[fd00::1]"'],
    ['10.0.0.3', 'for=10.0.0.3, for=10.0.0.2'],
    ['10.0.0.2', 'for=6.6.6.6, for=unknown, for=10.0.0.2'],
    ['10.0.0.2', 'for=6.6.6.6, for=_hidden;by=x, for=10.0.0.2'],
    ['10.0.0.2', 'for=6.6.6.6, by=10.0.0.3, for=10.0.0.2'],
    [PROXY, 'for=6.6.6.6;for=203.0.113.5'],
    [PROXY, 'for=6.6.6.6, for="203.0.113.5'],
    ['203.0.113.5', 'for="6.6.6.6, for=203.0.113.5'],
    [PROXY, ''],
  ])('X9: %s by %s', (client, value) => {
    expect(clientOf(value)).toBe(client);
  });

  test('X9: over all lines, 32 elements at most', () => {
    expect(clientOf('for=203.0.113.5', 'for=10.0.0.2')).toBe('203.0.113.5');
    expect(clientOf('for=203.0.113.5', Array(31).fill('for=10.0.0.2').join())).toBe('203.0.113.5');
    expect(clientOf('for=203.0.113.5', Array(32).fill('for=10.0.0.2').join())).toBe('10.0.0.2');
    expect(clientOf()).toBe(PROXY);
  });

  test('X9: from a trusted peer alone, and no other spelling', () => {
    expect(rules('forwarded').clientOf('192.0.2.1', fieldsOf('Forwarded: for=203.0.113.5'))).toBe('192.0.2.1');
    expect(rules('forwarded').clientOf(PROXY, fieldsOf('X-Forwarded-For: 203.0.113.5'))).toBe(PROXY);
    expect(rules('x-forwarded-for').clientOf(PROXY, fieldsOf('Forwarded: for=203.0.113.5'))).toBe(PROXY);
  });
});

describe('X10: one field names the client', () => {
  const own = rules('x-mine');

  test.each([
    ['203.0.113.5', null, ['X-Mine: 203.0.113.5']],
    ['203.0.113.5', null, ['x-mine: 203.0.113.5:4711', 'X-Forwarded-For: 6.6.6.6']],
    ['2001:db8::1', null, ['X-Mine: 2001:DB8::1']],
    ['10.0.0.9', null, ['X-Mine: 10.0.0.9']],
    [PROXY, 'absent', ['X-Forwarded-For: 6.6.6.6']],
    [PROXY, 'twice', ['X-Mine: 203.0.113.5', 'X-Mine: 203.0.113.5']],
    [PROXY, 'unreadable', ['X-Mine: 6.6.6.6, 203.0.113.5']],
    [PROXY, 'unreadable', ['X-Mine: ']],
    [PROXY, 'unreadable', ['X-Mine: unknown']],
  ])('X10: %s (%s) by %j', (client, unclear, lines) => {
    expect(own.clientOf(PROXY, fieldsOf(...lines))).toBe(client);
    expect(own.unclear(fieldsOf(...lines))).toBe(unclear);
  });

  test('X10: from a trusted peer alone', () => {
    expect(own.clientOf('192.0.2.1', fieldsOf('X-Mine: 203.0.113.5'))).toBe('192.0.2.1');
  });

  test('a chain is never unclear', () => {
    for (const chain of ['forwarded', 'x-forwarded-for']) expect(rules(chain).unclear([])).toBeNull();
  });
});

describe('X11: the scheme of the client', () => {
  const plain = { secure: false, proxied: null, peerTrusted: false };
  const claim = fieldsOf('X-Forwarded-Proto: https');

  test('is what the listener says, whoever says otherwise', () => {
    for (const said of ['http', 'https'] as const)
      for (const peerTrusted of [false, true])
        expect(rules('forwarded', said).protoOf({ ...plain, secure: true, peerTrusted }, claim)).toBe(said);
  });

  test('is https by our own TLS, or by the PROXY header', () => {
    expect(rules('forwarded').protoOf({ ...plain, secure: true }, [])).toBe('https');
    expect(rules('forwarded').protoOf({ ...plain, proxied: true }, [])).toBe('https');
    expect(rules('forwarded').protoOf({ ...plain, proxied: false }, claim)).toBe('http');
    expect(rules('forwarded').protoOf(plain, claim)).toBe('http');
  });

  test('is what a trusted peer says, if it is one of the four, once', () => {
    const protoOf = (...values: readonly string[]) =>
      rules('forwarded').protoOf(
        { ...plain, peerTrusted: true },
        fieldsOf(...values.map((value) => `X-Forwarded-Proto: ${value}`)),
      );
    for (const scheme of ['http', 'https', 'ws', 'wss', 'HTTPS']) expect(protoOf(scheme)).toBeNull();
    for (const junk of ['', 'httpss', 'https, http', 'ftp', ' https', 'https\nx']) expect(protoOf(junk)).toBe('http');
    expect(protoOf('https', 'https')).toBe('http');
    expect(protoOf()).toBe('http');
  });
});

test('a listener asks the rules of its name, and keeps the last ones when the config has it no longer', () => {
  const [config] = loaded('listeners: [{ name: a, address: ":0" }]').listeners;
  if (config === undefined) throw new Error('no listener');
  const listener = new LiveListener(config, 0);
  expect(listener.rulesIn({ clientRules: new Map() }).trusts(PROXY)).toBe(false);
  const own = rules('forwarded');
  expect(listener.rulesIn({ clientRules: new Map([['a', own]]) })).toBe(own);
  expect(listener.rulesIn({ clientRules: new Map([['b', rules('x-mine')]]) })).toBe(own);
});
