// What is told of certificates that are read: when they end, what they are for, who else reads their keys.

import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Authority, type Identity, type LeafOptions, makeAuthority } from '../support/certs.ts';
import { type Around, errorsOf, warningsOf } from './loading.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2031, 4, 6, 7, 8, 9);
const DURING = { notBefore: new Date(NOW - 30 * DAY_MS), notAfter: new Date(NOW + 30 * DAY_MS) };
const CERT = 'listeners[0].tls.certificates[0].cert';
const CRL = 'listeners[0].tls.client_crl';
const KEY = 'listeners[0].tls.certificates[0].key';

let authority: Authority;

beforeAll(async () => {
  authority = await makeAuthority('Test CA', DURING);
});

const withoutPlace = (problem: string): string => problem.replace(/^\S+ /, '');

interface Given extends Omit<Around, 'files'> {
  readonly routes?: string;
  readonly more?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** A listener with these, in their order, and the routes. */
function configOf(identities: readonly Identity[], given: Given): [string, Around] {
  const { routes = '[{ upstream: "builtin:echo" }]', more = '', files = {}, ...around } = given;
  const all: Record<string, string> = { ...files };
  const blocks = identities.map(({ cert, key }, index) => {
    Object.assign(all, { [`${index}.pem`]: cert, [`${index}.key`]: key });
    return `{ cert: ${index}.pem, key: ${index}.key }`;
  });
  const tls = `{ certificates: [${blocks.join(', ')}]${more} }`;
  const text = `listeners: [{ name: a, address: ":1", tls: ${tls} }, { name: b, address: ":2" }]\nroutes: ${routes}\n`;
  return [text, { now: NOW, whole: true, files: all, ...around }];
}

function warnings(identities: readonly Identity[], given: Given = {}): string[] {
  return warningsOf(...configOf(identities, given)).map(withoutPlace);
}

const issue = (options: LeafOptions = {}) => authority.issue({ dns: ['a.test'], ...DURING, ...options });

describe('when a certificate is valid', () => {
  test.each([
    [{ notAfter: new Date(NOW + 14 * DAY_MS + 1000) }, []],
    [{ notAfter: new Date(NOW + 14 * DAY_MS) }, [`${CERT}: this certificate ends soon, at 2031-05-20T07:08:09Z`]],
    [{ notAfter: new Date(NOW) }, [`${CERT}: this certificate ends soon, at 2031-05-06T07:08:09Z`]],
    [{ notAfter: new Date(NOW - 1000) }, [`${CERT}: this certificate ended at 2031-05-06T07:08:08Z`]],
    [{ notBefore: new Date(NOW) }, []],
    [{ notBefore: new Date(NOW + 1000) }, [`${CERT}: this certificate is not valid before 2031-05-06T07:08:10Z`]],
  ])('%j: %j', async (validity, told) => {
    expect(warnings([await issue(validity)])).toEqual(told);
  });

  test('holds for every one of a chain and of the authorities', async () => {
    const [between, other] = await Promise.all([
      authority.below('Between CA', { notAfter: new Date(NOW - 1000) }),
      makeAuthority('Other CA', { notAfter: new Date(NOW + DAY_MS) }),
    ]);
    const leaf = await between.issue({ dns: ['a.test'], ...DURING });
    const more = ', client_auth: request, client_ca: ca.pem';
    expect(warnings([leaf], { more, files: { 'ca.pem': authority.ca + other.ca } })).toEqual([
      `${CERT}: certificate 2 of this file ended at 2031-05-06T07:08:08Z`,
      'listeners[0].tls.client_ca: certificate 2 of this file ends soon, at 2031-05-07T07:08:09Z',
    ]);
  });

  test.each([
    [NOW, []],
    [NOW - 1000, [`${CRL}: list 2 of this file ended at 2031-05-06T07:08:08Z: clients of its authority are refused`]],
  ])('a revocation list that ends at %i: %j', async (end, told) => {
    const between = await authority.below('Between CA', DURING);
    const lists = await Promise.all([authority.crl([], DURING), between.crl([], { notAfter: new Date(end) })]);
    const files = { 'ca.pem': authority.ca, 'crl.pem': lists.join('') };
    const more = ', client_auth: request, client_ca: ca.pem, client_crl: crl.pem';
    expect(warnings([await issue()], { more, files })).toEqual(told);
  });

  test('a time that is none is an error', async () => {
    const { cert, key } = await issue();
    const der = new X509Certificate(cert).raw.toString('latin1');
    const [start = ''] = /\d{12}Z/.exec(der) ?? [];
    const broken = Buffer.from(der.replace(start, '319999999999Z'), 'latin1').toString('base64');
    const pem = `-----BEGIN CERTIFICATE-----\n${broken}\n-----END CERTIFICATE-----\n`;
    expect(errorsOf(...configOf([{ cert: pem, key }], {})).map(withoutPlace)).toEqual([
      `${CERT}: this certificate says no time that can be read`,
    ]);
  });
});

describe('what a certificate is for', () => {
  test('one of clients is not for servers', async () => {
    expect(warnings([await issue({ client: true })])).toEqual([
      `${CERT}: this certificate is not for servers (extended key usage)`,
    ]);
  });

  test('what stands behind a certificate has issued it', async () => {
    const between = await authority.below('Between CA', DURING);
    const leaf = await between.issue({ dns: ['a.test'], ...DURING });
    expect(warnings([leaf])).toEqual([]);
    expect(warnings([{ ...leaf, cert: leaf.cert + authority.ca }])).toEqual([]);
    const [own = '', issuer = ''] = leaf.cert.split(/(?=-----BEGIN)/);
    expect(warnings([{ ...leaf, cert: own + authority.ca + issuer }])).toEqual([
      `${CERT}: certificate 2 of this file has not issued the one before it`,
      `${CERT}: certificate 3 of this file has not issued the one before it`,
    ]);
  });
});

describe('who can read a key', () => {
  test.each([
    [0o600, null],
    [0o400, null],
    [0o711, null],
    [0o640, '0640'],
    [0o604, '0604'],
    [0o644, '0644'],
  ])('mode %i: %s', async (mode, shown) => {
    const told = shown === null ? [] : [`${KEY}: group or others can read this file (mode ${shown})`];
    expect(warnings([await issue()], { modes: { '0.key': mode, '0.pem': 0o644 } })).toEqual(told);
  });

  test('holds for keys, passphrases and ticket keys behind {file: path} too', async () => {
    const { cert, key } = await issue();
    const text =
      'listeners: [{ tls: { certificates: [{ cert: c, key: { file: k }, passphrase: { file: p } }], ' +
      'tickets: { file: t } } }]\nroutes: [{ upstream: "builtin:echo" }]\n';
    const files = { c: cert, k: key, p: 'secret', t: 'a'.repeat(96) };
    const modes = { c: 0o644, k: 0o644, p: 0o644, t: 0o644 };
    const told = warningsOf(text, { files, modes, now: NOW, whole: true }).map(withoutPlace);
    expect(told.filter((one) => one.includes('can read')).map((one) => one.replace(/: group.*/, ''))).toEqual([
      KEY,
      'listeners[0].tls.certificates[0].passphrase',
      'listeners[0].tls.tickets',
    ]);
  });
});

describe('names that no route is for', () => {
  const AT = 'listeners[0].tls.certificates[0]';
  const routesFor = (...hosts: readonly string[]) =>
    `[{ match: { hosts: [${hosts.join(', ')}] }, upstream: "builtin:echo" }]`;

  test.each([
    ['a.test', 'a.test', true],
    ['a.test', 'b.test', false],
    ['a.test', '"*.test"', true],
    ['a.test', '"*.a.test"', false],
    ['b.a.test', '"*.test"', true],
    ['*.a.test', 'b.a.test', true],
    ['*.a.test', 'a.test', false],
    ['*.a.test', 'c.b.a.test', false],
    ['*.a.test', '"*.a.test"', true],
    ['*.a.test', '"*.test"', true],
    // c.b.a.test is no name of such a certificate.
    ['*.a.test', '"*.b.a.test"', false],
  ])('%s with a route of %s: %s', async (name, host, isReached) => {
    const told = isReached ? [] : [`${AT}: no route on this listener is for ${name}`];
    expect(warnings([await issue({ dns: [name] })], { routes: routesFor(host) })).toEqual(told);
  });

  test('a route of any host is for all of them, on its listeners', async () => {
    const identity = await issue();
    const [any, other] = ['{ upstream: "builtin:echo" }', '{ match: { hosts: [b.test] }, upstream: "builtin:echo" }'];
    const elsewhere = '{ match: { listeners: [b] }, upstream: "builtin:echo" }';
    expect(warnings([identity], { routes: `[${any}, ${other}]` })).toEqual([]);
    expect(warnings([identity], { routes: `[${elsewhere}, ${other}]` })).toEqual([
      `${AT}: no route on this listener is for a.test`,
    ]);
  });

  test('of many some are named', async () => {
    const identity = await issue({ dns: Array.from({ length: 7 }, (_, at) => `${at}.a.test`) });
    expect(warnings([identity], { routes: routesFor('0.a.test') })).toEqual([
      `${AT}: no route on this listener is for 1.a.test, 2.a.test, 3.a.test, 4.a.test, 5.a.test and 1 more`,
    ]);
  });

  test('a name in two certificates is told, and which is used', async () => {
    const both = await Promise.all([
      issue({ dns: ['a.test', 'b.test', 'c.test'] }),
      issue({ dns: ['d.test'] }),
      issue({ dns: ['b.test', 'd.test', 'c.test'] }),
    ]);
    expect(warnings(both)).toEqual([
      'listeners[0].tls.certificates[2]: certificates[0] is for b.test, c.test too, and goes before this one',
    ]);
  });
});
