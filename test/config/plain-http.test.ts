// Keys about requests without upgrade: what contradicts each other, what has no effect, and what is taken instead.

import { describe, expect, test } from 'vitest';
import { makeCertificates } from '../support/certs.ts';
import { errorsOf, loaded, warningsOf } from './loading.ts';

const certs = await makeCertificates();
const files = { 'c.pem': certs.good.cert, 'k.pem': certs.good.key };
const modes = { 'k.pem': 0o600 };

describe('redirect_http', () => {
  const secure = '{ name: s, address: ":8443", tls: { certificates: [{ cert: c.pem, key: k.pem }] }';
  const around = { files, modes };
  const listeners = (...all: string[]) => `listeners: [${all.join(', ')}]\n`;

  test('is an error on a listener with tls, where it would never end', () => {
    expect(errorsOf(listeners(`${secure}, redirect_http: on }`), around)).toEqual([
      '1:111 listeners[0].redirect_http: is for listeners without tls: here it would never end',
    ]);
  });

  test('leads nowhere without a listener with tls, and needs no route of its own with one', () => {
    const plain = '{ name: p, redirect_http: on }';
    expect(warningsOf(listeners(plain))).toEqual([
      '1:39 listeners[0].redirect_http: leads nowhere: no listener has tls',
    ]);
    const route = 'routes: [{ match: { listeners: [s] }, upstream: "builtin:echo" }]\n';
    const text = listeners(plain, `${secure} }`) + route;
    expect(warningsOf(text, around).filter((line) => !line.includes('ends soon'))).toEqual([]);
    expect(loaded(text, around).listeners.map((one) => one.redirect_http)).toEqual([true, false]);
  });
});
