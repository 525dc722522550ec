// The tls block of a listener: files read, parsed, matched and tried when the config is loaded.

import { beforeAll, describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import type { ListenerTls } from '../../src/config/types.ts';
import {
  type Authority,
  daysFromNow,
  encryptedKey,
  type Identity,
  makeAuthority,
  makeCertificates,
  type TestCertificates,
} from '../support/certs.ts';
import { type Around, errorsOf, loaded, MINIMAL, warningsOf } from './loading.ts';

const PASSPHRASE = 'correct horse';
const TICKET_KEY = '0123456789abcdefABCDEF'.repeat(5).slice(0, 96);

let certs: TestCertificates;
let between: Authority;
let files: Record<string, string | Buffer>;
let rsa: Identity;

beforeAll(async () => {
  certs = await makeCertificates();
  between = await certs.below('Between CA');
  const [chained, other] = await Promise.all([
    between.issue({ dns: ['chained.test'] }),
    (await makeAuthority('Other CA')).crl(),
  ]);
  rsa = await certs.issue({ dns: ['rsa.test'], keys: 'rsa', notAfter: daysFromNow(90) });
  files = {
    'c.pem': rsa.cert,
    'k.pem': rsa.key,
    'ec.pem': certs.good.cert,
    'ec.key': certs.good.key,
    'chain.pem': chained.cert,
    'chain.key': chained.key,
    'locked.key': encryptedKey(rsa.key, PASSPHRASE),
    'pass.txt': `${PASSPHRASE}\n`,
    'ca.pem': certs.ca + between.ca,
    'crl.pem': `${await certs.crl()}${await between.crl()}`,
    'other.crl': other,
    'tickets.txt': `${TICKET_KEY}\n`,
    empty: '',
    'junk.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'junk.crl': `${other}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n`,
    'junk.key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
    'junk.locked': encryptedKey(rsa.key, PASSPHRASE).replace(/\n[A-Za-z0-9+/]{64}\n/, '\n'),
  };
});

const config = (tls: string) => `${MINIMAL}listeners:\n  - address: 127.0.0.1:8443\n    tls: ${tls}\n`;
const around = (): Around => ({ files, whole: true });

function tlsOf(tls: string, env: Record<string, string> = {}): ListenerTls {
  const [listener] = loaded(config(tls), { ...around(), env }).listeners;
  if (listener?.tls == null) throw new Error('no tls');
  return listener.tls;
}

const GOOD = 'certificates: [{ cert: c.pem, key: k.pem }]';

describe('what is loaded', () => {
  test('a listener without the block is plain', () => {
    expect(loaded(MINIMAL).listeners[0]?.tls).toBe(null);
  });

  test('a certificate, and nothing else said', () => {
    expect(tlsOf(`{ ${GOOD} }`)).toEqual({
      certificates: [
        {
          cert: Buffer.from(rsa.cert),
          key: Buffer.from(rsa.key),
          passphrase: null,
          names: ['rsa.test'],
          name: 'rsa.test',
          not_before: expect.any(Number),
          not_after: expect.any(Number),
        },
      ],
      acme: [],
      unknown_name: 'first',
      min_version: 'TLSv1.2',
      ciphers: null,
      client_auth: 'none',
      client_ca: null,
      client_crl: null,
      tickets: 'on',
    });
  });

  test('a chain, an encrypted key, authorities, a list of each, a ticket key', () => {
    const tls = tlsOf(
      '{ certificates: [{ cert: chain.pem, key: chain.key }, { cert: c.pem, key: locked.key, passphrase: { file: ' +
        'pass.txt } }], client_auth: require, client_ca: ca.pem, client_crl: crl.pem, tickets: { file: tickets.txt } }',
    );
    expect(tls.certificates.map(({ name }) => name)).toEqual(['chained.test', 'rsa.test']);
    expect(tls.certificates[1]?.passphrase).toBe(PASSPHRASE);
    expect(tls.client_ca?.toString()).toBe(certs.ca + between.ca);
    // Of two in one text Node would take the first.
    expect(tls.client_crl?.map((list) => list.toString().match(/BEGIN/g)?.length)).toEqual([1, 1]);
    expect(tls.client_crl?.join('')).toBe(files['crl.pem']);
    expect(tls.tickets).toEqual({ key: Buffer.from(TICKET_KEY, 'hex') });
  });

  test('PEM texts instead of their files', () => {
    const tls = tlsOf(
      `{ certificates: [{ cert: "\${CERT}", key: { file: locked.key }, passphrase: "\${PASS}" }], tickets: "\${T}" }`,
      { CERT: `a note before it\n${rsa.cert}`, PASS: PASSPHRASE, T: TICKET_KEY },
    );
    expect(tls.certificates[0]).toMatchObject({ name: 'rsa.test', passphrase: PASSPHRASE });
    expect(tls.tickets).toEqual({ key: Buffer.from(TICKET_KEY, 'hex') });
  });

  test.each([
    ['on', 'on'],
    ['true', 'on'],
    ['off', 'off'],
    ['false', 'off'],
  ])('tickets: %s', (text, value) => {
    expect(tlsOf(`{ ${GOOD}, tickets: ${text} }`).tickets).toBe(value);
  });

  test('ciphers are of TLSv1.2: those of TLSv1.3 stay, unless the list names some', () => {
    const one = 'ECDHE-RSA-AES128-GCM-SHA256';
    const all = `TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:${one}`;
    expect(tlsOf(`{ ${GOOD}, ciphers: ${one} }`).ciphers).toBe(all);
    expect(tlsOf(`{ ${GOOD}, ciphers: "${one}:TLS_AES_128_GCM_SHA256" }`).ciphers).toBe(
      `${one}:TLS_AES_128_GCM_SHA256`,
    );
  });

  test('bytes are no part of anything larger than themselves and the pool', () => {
    const [one] = tlsOf(`{ ${GOOD} }`).certificates;
    expect(one?.cert.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
  });
});

describe('the names of a certificate', () => {
  const namesOf = async (options: Parameters<Authority['issue']>[0]) => {
    const { cert, key } = await certs.issue(options);
    const [one] = tlsOf(`{ certificates: [{ cert: "\${C}", key: "\${K}" }] }`, { C: cert, K: key }).certificates;
    return { names: one?.names, name: one?.name };
  };

  test.each([
    [{ dns: ['A.test', '*.b.test', 'a.test'] }, ['a.test', '*.b.test'], 'a.test'],
    [{ dns: ['a.test'], commonName: 'cn.test' }, ['a.test'], 'a.test'],
    [{ ip: ['127.0.0.1'], commonName: 'cn.test' }, [], 'cn.test'],
    [{ names: [{ type: 'url' as const, value: 'spiffe://x/y,z' }], dns: ['a.test'] }, ['a.test'], 'a.test'],
    [{ commonName: 'CN.test' }, ['cn.test'], 'cn.test'],
    [{ commonName: 'A person' }, [], 'A person'],
    [{ dns: ['a.test, DNS:b.test', 'c\0.test', 'd.test'] }, ['d.test'], 'd.test'],
  ])('%j: %j', async (options, names, name) => {
    expect(await namesOf(options)).toEqual({ names, name });
  });
});

describe('rendered', () => {
  const FULL =
    '{ certificates: [{ cert: c.pem, key: locked.key, passphrase: { file: pass.txt } }, { cert: ec.pem, key: ec.key }' +
    '], unknown_name: refuse, min_version: TLSv1.3, ciphers: ECDHE+AESGCM, client_auth: request, client_ca: ca.pem, ' +
    'client_crl: crl.pem, tickets: { file: tickets.txt } }';

  test('no secret is shown, and files have their names', () => {
    const text = renderConfig(loaded(config(FULL), around()));
    expect(text).toContain('passphrase: "***"');
    expect(text).toContain('passphrase: off');
    expect(text).toContain('tickets: "***"');
    expect(text).toContain('ciphers: ECDHE+AESGCM\n');
    expect(text).toContain('client_crl: crl.pem');
    for (const secret of [PASSPHRASE, TICKET_KEY, 'PRIVATE', 'BEGIN']) expect(text).not.toContain(secret);
  });

  test('secrets that were written out, or came from the environment, are not shown either', () => {
    const written =
      `{ certificates: [{ cert: "\${C}", key: "\${K}", passphrase: ${PASSPHRASE} }], tickets: "${TICKET_KEY}", ` +
      `client_auth: request, client_ca: "\${CA}" }`;
    const env = { C: rsa.cert, K: encryptedKey(rsa.key, PASSPHRASE), CA: certs.ca };
    const text = renderConfig(loaded(config(written), { ...around(), env }));
    for (const secret of [PASSPHRASE, TICKET_KEY, 'PRIVATE', 'BEGIN']) expect(text).not.toContain(secret);
  });

  test('it loads to the same config where there is no secret', () => {
    const result = loaded(
      config(`{ ${GOOD}, ciphers: ECDHE+AESGCM, client_auth: request, client_ca: ca.pem }`),
      around(),
    );
    expect(loaded(renderConfig(result), around())).toEqual(result);
  });

  test.each(['passphrase', 'tickets'])('the *** in place of %s is no value', (key) => {
    const tls =
      key === 'tickets'
        ? `{ ${GOOD}, tickets: "***" }`
        : '{ certificates: [{ cert: c.pem, key: k.pem, passphrase: "***" }] }';
    expect(errorsOf(config(tls), around())).toEqual([
      expect.stringContaining('*** stands where a secret was: write the secret, or {file: path}'),
    ]);
  });
});

const one = (certificate: string) => `{ certificates: [{ ${certificate} }] }`;
const AT = 'listeners[0].tls';
const CERTIFICATE = `${AT}.certificates[0]`;

function withoutPlace(problem: string): string {
  return problem.replace(/^\S+ /, '');
}

describe('errors', () => {
  test('stand at the value that is wrong', () => {
    expect(errorsOf(config(one('cert: c.pem, key: ec.key')), around())).toEqual([
      `4:47 ${CERTIFICATE}.key: this key does not belong to the first certificate of cert`,
    ]);
  });

  test.each([
    ['{}', `${AT}.certificates: is required`],
    ['{ certificates: [] }', `${AT}.certificates: needs at least one certificate`],
    ['{ certificates: [{}] }', `${CERTIFICATE}.cert: is required`],
    [one('cert: gone.pem, key: k.pem'), `${CERTIFICATE}.cert: cannot read this file (ENOENT)`],
    [one('cert: empty, key: k.pem'), `${CERTIFICATE}.cert: there is no PEM certificate in this file`],
    [one('cert: k.pem, key: k.pem'), `${CERTIFICATE}.cert: there is no PEM certificate in this file`],
    [one('cert: junk.pem, key: k.pem'), `${CERTIFICATE}.cert: certificate 1 of this file cannot be parsed`],
    [one('cert: c.pem, key: gone.pem'), `${CERTIFICATE}.key: cannot read this file (ENOENT)`],
    [one('cert: c.pem, key: c.pem'), `${CERTIFICATE}.key: there is no PEM private key in this file`],
    [one('cert: c.pem, key: junk.key'), `${CERTIFICATE}.key: the private key in this file cannot be parsed`],
    [one('cert: c.pem, key: ec.key'), `${CERTIFICATE}.key: this key does not belong to the first certificate of cert`],
    [
      one('cert: c.pem, key: { file: ec.key }'),
      `${CERTIFICATE}.key: this key does not belong to the first certificate of cert`,
    ],
    [one('cert: c.pem, key: locked.key'), `${CERTIFICATE}.key: this key is encrypted: it needs its passphrase`],
    [
      one('cert: c.pem, key: locked.key, passphrase: wrong'),
      `${CERTIFICATE}.passphrase: does not open the key, which may be damaged`,
    ],
    [
      one('cert: c.pem, key: junk.locked, passphrase: { file: pass.txt }'),
      `${CERTIFICATE}.passphrase: does not open the key, which may be damaged`,
    ],
    [
      one('cert: c.pem, key: k.pem, passphrase: ""'),
      `${CERTIFICATE}.passphrase: expected text of 1 to 1024 bytes without NUL, {file: path}, or off`,
    ],
    [
      one('cert: c.pem, key: k.pem, passphrase: { file: empty }'),
      `${CERTIFICATE}.passphrase: the text of this file is not what this key takes`,
    ],
    [`{ ${GOOD}, ciphers: NOPE }`, `${AT}.ciphers: OpenSSL knows no such ciphers (ERR_SSL_NO_CIPHER_MATCH)`],
    [`{ ${GOOD}, ciphers: "" }`, `${AT}.ciphers: expected a list of ciphers in the words of OpenSSL`],
    [
      `{ ${GOOD}, min_version: TLSv1.1 }`,
      `${AT}.min_version: expected one of TLSv1.2, TLSv1.3 (did you mean "TLSv1.2"?)`,
    ],
    [`{ ${GOOD}, client_auth: require }`, `${AT}.client_auth: needs client_ca: whose certificates are good`],
    [
      `{ ${GOOD}, client_auth: request, client_crl: crl.pem }`,
      `${AT}.client_auth: needs client_ca: whose certificates are good`,
    ],
    [
      `{ ${GOOD}, client_auth: request, client_ca: k.pem }`,
      `${AT}.client_ca: there is no PEM certificate in this file`,
    ],
    [
      `{ ${GOOD}, client_auth: request, client_ca: ca.pem, client_crl: ca.pem }`,
      `${AT}.client_crl: there is no PEM revocation list (X509 CRL) in this file`,
    ],
    [
      `{ ${GOOD}, client_auth: request, client_ca: ca.pem, client_crl: junk.crl }`,
      `${AT}.client_crl: OpenSSL cannot parse revocation list 2 of this file (ERR_CRYPTO_OPERATION_FAILED)`,
    ],
    [`{ ${GOOD}, tickets: k.txt }`, `${AT}.tickets: expected on, off, or {file: path} of a file with 96 hex digits`],
    [`{ ${GOOD}, tickets: { file: gone } }`, `${AT}.tickets: cannot read this file (ENOENT)`],
    [`{ ${GOOD}, tickets: { file: k.pem } }`, `${AT}.tickets: the text of this file is not what this key takes`],
  ])('%s: %s', (tls, error) => {
    expect(errorsOf(config(tls), around()).map(withoutPlace)).toContain(error);
  });

  test.each([
    [95, false],
    [96, true],
    [97, false],
  ])('a ticket key of %i hex digits: %s', (digits, isGood) => {
    const tls = config(`{ ${GOOD}, tickets: { file: t } }`);
    expect(errorsOf(tls, { ...around(), files: { ...files, t: 'a'.repeat(digits) } }).length === 0).toBe(isGood);
  });

  test('a passphrase has at most 1024 bytes', () => {
    const tls = (length: number) => config(one(`cert: c.pem, key: k.pem, passphrase: ${'a'.repeat(length)}`));
    expect(errorsOf(tls(1024), around())).toEqual([]);
    expect(errorsOf(tls(1025), around())).toHaveLength(1);
  });

  test('every certificate is judged, whatever is wrong with another one', () => {
    const tls = '{ certificates: [{ cert: gone, key: k.pem }, { key: k.pem }, { cert: c.pem, key: ec.key }] }';
    expect(errorsOf(config(tls), around()).map(withoutPlace)).toEqual([
      `${AT}.certificates[0].cert: cannot read this file (ENOENT)`,
      `${AT}.certificates[1].cert: is required`,
      `${AT}.certificates[2].key: this key does not belong to the first certificate of cert`,
    ]);
  });

  test('no message holds anything of a file', () => {
    for (const name of Object.keys(files)) {
      const tls =
        `{ certificates: [{ cert: ${name}, key: ${name}, passphrase: { file: ${name} } }], client_auth: request, ` +
        `client_ca: ${name}, client_crl: ${name}, tickets: { file: ${name} } }`;
      for (const error of errorsOf(config(tls), around())) {
        expect(error).not.toMatch(new RegExp(`${PASSPHRASE}|${TICKET_KEY}|BEGIN|MII|AAAA`));
      }
    }
  });
});

describe('warnings', () => {
  test.each([
    [`{ ${GOOD}, client_ca: ca.pem }`, `${AT}.client_ca: has no effect: client_auth is none`],
    [`{ ${GOOD}, client_crl: crl.pem }`, `${AT}.client_crl: has no effect: client_auth is none`],
    [
      one('cert: c.pem, key: k.pem, passphrase: { file: pass.txt }'),
      `${CERTIFICATE}.passphrase: has no effect: the key is not encrypted`,
    ],
  ])('%s: %s', (tls, warning) => {
    expect(warningsOf(config(tls), around()).map(withoutPlace)).toContain(warning);
  });

  test.each([
    [`{ ${GOOD}, ciphers: ECDHE+AESGCM, min_version: TLSv1.3 }`, true],
    [`{ ${GOOD}, ciphers: ECDHE+AESGCM, min_version: TLSv1.2 }`, false],
    [`{ ${GOOD}, ciphers: TLS_AES_128_GCM_SHA256, min_version: TLSv1.3 }`, false],
  ])('%s: ciphers without effect are told: %s', (tls, isTold) => {
    const told = `${AT}.ciphers: has no effect: these are ciphers of TLSv1.2, and min_version is TLSv1.3`;
    expect(warningsOf(config(tls), around()).map(withoutPlace)).toEqual(isTold ? [told] : []);
  });

  test('none without a reason', () => {
    expect(warningsOf(config(`{ ${GOOD} }`), around())).toEqual([]);
  });
});
