// Who the client is, in the config: what listeners take from the top level, and which fields may name a client.

import { describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import { changedPaths } from '../../src/control/config-changes.ts';
import { atOnce } from '../../src/limits/slices.ts';
import { errorsOf, loaded, warningsOf } from './loading.ts';

const A = '{ name: a, address: ":1", trusted_proxies: [10.0.0.0/8], client_ip_from: Forwarded }';
const TWO = `listeners: [${A}, { name: b, address: ":2" }]\n`;

test('a listener has what the top level says, unless it says so itself', () => {
  const config = loaded(`${TWO}trusted_proxies: [unix]\nclient_ip_from: X-Mine`);
  const [a, b] = config.listeners;
  expect([a?.client_ip_from, b?.client_ip_from]).toEqual(['forwarded', 'x-mine']);
  expect(b?.trusted_proxies).toBe(config.trusted_proxies);
  expect(a?.trusted_proxies).not.toBe(config.trusted_proxies);
  expect([a?.forwarded_proto, config.send_forwarded]).toEqual(['auto', false]);
  expect(loaded(renderConfig(config), { whole: true })).toEqual(config);
});

test('what listeners take from the top level is one change', () => {
  const before = loaded(`${TWO}trusted_proxies: [unix]`);
  const after = loaded(`${TWO}trusted_proxies: [10.0.0.0/8]\nclient_ip_from: forwarded`);
  expect(atOnce(changedPaths(before, after))).toEqual(['client_ip_from', 'trusted_proxies']);
});

test('everybody in the list of a listener is worth a warning', () => {
  expect(warningsOf('listeners: [{ trusted_proxies: [0.0.0.0/0] }]\nroutes: [{ upstream: "builtin:echo" }]')).toEqual([
    '1:33 listeners[0].trusted_proxies[0]: every client can claim any address',
  ]);
});

describe('the field that names the client', () => {
  test.each(['x-forwarded-for', 'forwarded', 'cf-connecting-ip', 'X-Real-IP', 'true-client-ip', 'a'.repeat(64)])(
    'may be %s',
    (name) => {
      expect(loaded(`client_ip_from: ${name}`).client_ip_from).toBe(name.toLowerCase());
    },
  );

  test.each([
    ...['host', 'Cookie', 'connection', 'te', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id', 'via', 'origin'],
    ...['sec-websocket-key', 'sec-websocket-anything', 'authorization', 'user-agent', 'upgrade'],
  ])('is not %s, which means something else', (name) => {
    const [error] = errorsOf(`client_ip_from: ${name}`);
    expect(error).toMatch(
      new RegExp(`^1:17 client_ip_from: ${name.toLowerCase()} means something else: expected x-for`),
    );
  });

  test.each(['"a b"', 'x_real_ip', '"x:"', '""', '"x\\r\\ny"', 'a'.repeat(65)])('is not %s', (name) => {
    expect(errorsOf(`client_ip_from: ${name}`)).toEqual([
      '1:17 client_ip_from: expected x-forwarded-for, forwarded, or the name of a field with one address such as ' +
        'cf-connecting-ip',
    ]);
  });
});
