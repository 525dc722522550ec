// The PEM files of upstreams.*.tls: read, parsed and matched when the config is loaded.

import { beforeAll, describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import { makeCertificates, type TestCertificates } from '../support/certs.ts';
import { errorsOf, loaded } from './loading.ts';

let certs: TestCertificates;

beforeAll(async () => {
  certs = await makeCertificates();
});

const config = (tls: string) =>
  `routes: [{ upstream: u }]\nupstreams:\n  u:\n    targets: [{ url: wss://backend.test }]\n    tls: ${tls}\n`;

function files(): Record<string, string | Buffer> {
  return {
    'ca.pem': `${certs.ca}\n${certs.selfSigned.cert}`,
    'c.pem': certs.client.cert,
    'k.pem': certs.client.key,
    'other.pem': certs.good.key,
    empty: '',
    junk: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    cut: '-----BEGIN CERTIFICATE-----\nAAAA',
    big: Buffer.alloc(1024 * 1024 + 1),
  };
}

describe('files that fit', () => {
  test('the config holds their contents', () => {
    const tls = loaded(config('{ ca: ca.pem, cert: c.pem, key: k.pem, server_name: x.test }'), { files: files() })
      .upstreams.u?.tls;
    expect(tls?.ca?.toString()).toBe(files()['ca.pem']);
    expect(tls?.cert?.toString()).toBe(certs.client.cert);
    expect(tls?.key?.toString()).toBe(certs.client.key);
    expect(tls).toMatchObject({ server_name: 'x.test', verify: true });
  });

  test('a key can come as text, and is not rendered then', () => {
    const text = config(`{ cert: c.pem, key: "\${KEY}" }`);
    const result = loaded(text, { files: files(), env: { KEY: certs.client.key } });
    expect(result.upstreams.u?.tls?.key?.toString()).toBe(certs.client.key);
    expect(renderConfig(result)).toContain('key: "***"');
    expect(renderConfig(result)).not.toContain('PRIVATE');
    const secret = loaded(config('{ cert: c.pem, key: { file: k.pem } }'), { files: files() });
    expect(renderConfig(secret)).not.toContain('PRIVATE');
  });

  test('rendered, the names of the files are back', () => {
    const result = loaded(config('{ ca: ca.pem, cert: c.pem, key: k.pem }'), { files: files() });
    expect(loaded(renderConfig(result), { files: files() })).toEqual(result);
  });
});

test.each([
  ['{ ca: gone.pem }', '5:16 upstreams.u.tls.ca: cannot read this file (ENOENT)'],
  ['{ ca: empty }', '5:16 upstreams.u.tls.ca: there is no PEM certificate in this file'],
  ['{ ca: k.pem }', '5:16 upstreams.u.tls.ca: there is no PEM certificate in this file'],
  ['{ ca: cut }', '5:16 upstreams.u.tls.ca: there is no PEM certificate in this file'],
  ['{ ca: junk }', '5:16 upstreams.u.tls.ca: certificate 1 of this file cannot be parsed'],
  ['{ ca: big }', '5:16 upstreams.u.tls.ca: this file is over 1MiB'],
  ['{ ca: "" }', '5:16 upstreams.u.tls.ca: expected the path of a PEM file'],
  ['{ cert: c.pem }', '5:18 upstreams.u.tls.cert: needs its key in tls.key'],
  ['{ key: k.pem }', '5:17 upstreams.u.tls.key: needs its certificate in tls.cert'],
  [
    '{ cert: c.pem, key: c.pem }',
    '5:30 upstreams.u.tls.key: there is no PEM private key without passphrase in this file',
  ],
  [
    '{ cert: c.pem, key: other.pem }',
    '5:30 upstreams.u.tls.key: this key does not belong to the first certificate of cert',
  ],
])('%s: %s', (tls, error) => {
  expect(errorsOf(config(tls), { files: files() })).toEqual([error]);
});
