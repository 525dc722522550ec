// Certificates that framegate is to get by itself: what is loaded, and what cannot work.

import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { renderConfig } from '../../src/config/render.ts';
import type { AcmeCertificate } from '../../src/config/types.ts';
import { makeCertificates } from '../support/certs.ts';

const ROUTE = 'routes: [{ match: { path: /x }, upstream: "builtin:echo" }]\n';

interface Around {
  readonly tls?: string;
  readonly listener?: string;
  readonly more?: string;
  readonly hasAcmeClient?: boolean;
  readonly files?: Readonly<Record<string, string>>;
}

function load(acme: string, { tls = '', listener = '', more = '', hasAcmeClient = true, files = {} }: Around = {}) {
  const secure = `tls: { certificates: [{ acme: { ${acme} } }] ${tls} }`;
  const text = `listeners: [{ address: ":443", ${secure} ${listener} } ${more}]\n`;
  const readFile = (path: string): Buffer => {
    const found = Object.entries(files).find(([name]) => path.endsWith(name));
    if (found === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
    return Buffer.from(found[1]);
  };
  const input = { text: text + ROUTE, file: '/etc/c.yaml', env: {}, readFile };
  return loadConfig({ ...input, hasAcmeClient: () => hasAcmeClient });
}

/** Errors and warnings, from the keys of `acme` on. */
function told(acme: string, around: Around = {}): string[] {
  const result = load(acme, around);
  const problems = 'config' in result ? result.warnings : result.problems;
  return problems.map(({ severity, path, message }) => `${severity} ${path.replace(/^.*\]\.acme\.?/, '')}: ${message}`);
}

function loaded(acme: string, around: Around = {}): AcmeCertificate {
  const result = load(acme, around);
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('; '));
  return result.config.listeners[0]?.tls?.acme[0] as AcmeCertificate; // the one that was written
}

const GOOD = 'domains: [a.test], agree: true';

describe('what is loaded', () => {
  test('domains, and nothing else said', () => {
    expect(told(GOOD)).toEqual([]);
    expect(loaded(GOOD)).toMatchObject({
      domains: ['a.test'],
      email: null,
      directory: { text: 'letsencrypt', authority: 'acme-v02.api.letsencrypt.org', path: '/directory' },
      tls: null,
      challenge: 'tls-alpn-01',
      dir: null,
      key: 'ecdsa',
      eab: null,
      position: 0,
    });
  });

  test('all of it', async () => {
    const { ca } = await makeCertificates();
    const own =
      'email: ops@a.test, directory: "https://ca.test:14000/dir", tls: { ca: ca.pem }, challenge: http-01, ' +
      'dir: certs, key: rsa, eab: { kid: k, hmac: { file: mac.txt } }';
    const around = { files: { 'ca.pem': ca, 'mac.txt': 'c2VjcmV0' }, more: ', { address: ":80" }' };
    expect(told(`domains: [A.test., b.test], agree: true, ${own}`, around)).toEqual([]);
    const one = loaded(`domains: [A.test., b.test], agree: true, ${own}`, around);
    expect(one).toMatchObject({
      domains: ['a.test', 'b.test'],
      email: 'ops@a.test',
      directory: { endpoint: { host: 'ca.test', port: 14_000, secure: true }, path: '/dir' },
      tls: { ca: Buffer.from(ca) },
      dir: '/etc/certs',
      eab: { kid: 'k', hmac: 'c2VjcmV0' },
    });
  });

  test('it is called by what makes it another certificate, and by nothing else', () => {
    const id = (acme: string): string => loaded(acme).id;
    const own = id('domains: [a.test, b.test], agree: true');
    expect(own).toMatch(/^a\.test-[0-9a-f]{16}$/);
    expect(id('domains: [b.test, a.test], agree: true').slice(-16)).toBe(own.slice(-16));
    expect(id('domains: [a.test, b.test], email: x@a.test, dir: /x, agree: true')).toBe(own);
    for (const other of ['key: rsa', 'directory: letsencrypt-staging'])
      expect(id(`domains: [a.test, b.test], ${other}, agree: true`)).not.toBe(own);
  });

  test('shown again it loads to the same, without the secret', () => {
    const files = { 'mac.txt': 'c2VjcmV0' };
    const result = load(`${GOOD}, dir: /x, eab: { kid: k, hmac: { file: mac.txt } }`, { files });
    if ('problems' in result) throw new Error('it is right');
    const text = renderConfig(result.config);
    expect(text).not.toContain('c2VjcmV0');
    expect(text).toContain('hmac: "***"');
    const again = loadConfig({
      text: text.replace('"***"', 'c2VjcmV0'),
      file: '/etc/c.yaml',
      env: {},
      readFile: () => Buffer.alloc(0),
    });
    expect('config' in again && again.config.listeners[0]?.tls?.acme).toEqual(result.config.listeners[0]?.tls?.acme);
  });
});

describe('what cannot work', () => {
  test.each([
    [
      'domains: [a.test], agree: false',
      ["error agree: has to be true: that you agree to the authority's terms of service"],
    ],
    ['domains: [a.test]', ['error agree: is required']],
    ['domains: [], agree: true', ['error domains: needs at least one domain']],
    ['domains: ["*.a.test"], agree: true', [expect.stringContaining('dns-01 alone')]],
    ['domains: [192.0.2.1], agree: true', [expect.stringContaining('an address is no domain')]],
    ['domains: ["../x"], agree: true', [expect.stringContaining('is no host name')]],
    ['domains: [a.test, A.test.], agree: true', ['error domains[1]: the same as domains[0]']],
    [`${GOOD}, challenge: dns-01`, [expect.stringContaining('dns-01 is not spoken')]],
    [`${GOOD}, directory: "http://ca.test/"`, ['error directory: ACME is spoken over https alone (RFC 8555 6.1)']],
    [`${GOOD}, email: "a@b.test?cc=x"`, ['error email: expected one address, such as ops@example.com']],
    [`${GOOD}, tls: { ca: none.pem }`, ['error tls.ca: cannot read this file (ENOENT)']],
  ])('{ %s }', (acme, problems) => {
    expect(told(acme)).toEqual(problems);
  });

  test('more than a hundred domains', () => {
    const domains = (count: number): string => Array.from({ length: count }, (_, at) => `a${at}.test`).join(', ');
    expect(told(`domains: [${domains(100)}], agree: true`)).toEqual([]);
    expect(told(`domains: [${domains(101)}], agree: true`)).toEqual(['error domains: at most 100 in one certificate']);
  });

  test('without the package, told once with the command', () => {
    expect(told(GOOD, { hasAcmeClient: false })).toEqual([
      'error : needs the package acme-client: npm install acme-client',
    ]);
  });

  test('cert and key beside it, or neither', () => {
    const problems = (certificate: string): string[] => {
      const text = `listeners: [{ address: ":443", tls: { certificates: [${certificate}] } }]\n${ROUTE}`;
      const result = loadConfig({ text, file: '/etc/c.yaml', env: {}, readFile: () => Buffer.alloc(0) });
      return 'problems' in result ? result.problems.map(({ path, message }) => `${path.slice(33)}: ${message}`) : [];
    };
    expect(problems(`{ cert: c.pem, acme: { ${GOOD} } }`)).toEqual(['cert: a certificate has cert and key, or acme']);
    expect(problems('{ passphrase: x }')).toEqual(['cert: is required', 'key: is required']);
  });
});

describe('whether the authority gets there', () => {
  test.each([
    ['TLS elsewhere', { listener: '' }, []],
    [
      'clients that need a certificate',
      { tls: ', client_auth: require, client_ca: ca.pem' },
      [/^error challenge: .*http-01/],
    ],
    [
      'a PROXY header',
      { listener: ', proxy_protocol: v2, trusted_proxies: [10.0.0.0/8]' },
      [/^error challenge: .*http-01/],
    ],
  ])('by tls-alpn-01: %s', async (_, around, problems) => {
    const { ca } = await makeCertificates();
    // Of the rest there may be a word, too: of a certificate that ends soon.
    const found = told(GOOD, { ...around, files: { 'ca.pem': ca } }).filter((one) => /challenge/.test(one));
    expect(found).toEqual(problems.map((problem) => expect.stringMatching(problem)));
  });

  test.each([
    ['', /^warning challenge: .*a listener without tls has to be there/],
    [', { address: ":8080" }', /^warning challenge: .*port 80.*something has to forward it to :8080/],
  ])('by http-01, with %s beside', (more, warning) => {
    expect(told(`${GOOD}, challenge: http-01`, { more })).toEqual([expect.stringMatching(warning)]);
  });

  test('by http-01 on port 80, whatever stands in front of TLS', async () => {
    const { ca } = await makeCertificates();
    const tls = ', client_auth: require, client_ca: ca.pem';
    const around = { tls, more: ', { address: ":80" }', files: { 'ca.pem': ca } };
    expect(told(`${GOOD}, challenge: http-01`, around).filter((one) => /challenge/.test(one))).toEqual([]);
  });

  test('by tls-alpn-01 on another port something has to forward it', () => {
    const text = `listeners: [{ address: ":8443", tls: { certificates: [{ acme: { ${GOOD} } }] } }]\n${ROUTE}`;
    const result = loadConfig({ text, file: '/etc/c.yaml', env: {}, readFile: () => Buffer.alloc(0) });
    expect('config' in result && result.warnings.map(({ message }) => message)).toEqual([
      'the authority comes to port 443 of each domain: something has to forward it to :8443',
    ]);
  });
});
