// What backends are told of a client's TLS and its certificate, in fields that a route sets: over real sockets.

import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Authority, type Identity, type LeafOptions, makeAuthority } from '../support/certs.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Head } from '../support/wire.ts';

const set = {
  'X-Subject': '{client_cert.subject}',
  'X-San': '{client_cert.san}',
  'X-Fingerprint': '{client_cert.sha256}',
  'X-Sni': '{sni}',
  'X-Tls': '{tls_version}',
  'X-Both': 'sni={sni}; subject={client_cert.subject}',
};

let authority: Authority;
let server: Identity;
beforeAll(async () => {
  authority = await makeAuthority();
  server = await authority.issue({ dns: ['a.test'] });
});

interface Visit {
  readonly certificate: Identity | null;
  readonly servername?: string;
  readonly maxVersion?: 'TLSv1.2' | undefined;
}

/** The request as a backend has it, of a client that claims to be somebody else in each of these fields. */
async function told({ certificate, servername = 'a.test', maxVersion }: Visit): Promise<Head> {
  const tls = { certificates: [server], client_auth: 'request' as const, client_ca: authority.ca };
  const listeners = [{ name: 'test', address: '127.0.0.1:0', tls }];
  const backend = await RawBackend.listen();
  const running = await startProxy(oneRoute(backend.url, { headers: { request: { set } } }, { listeners }));
  const client = await RawClient.connect(running.port, {
    tls: { rejectUnauthorized: false, servername, ...(maxVersion && { maxVersion }), ...certificate },
  });
  const forged = Object.keys(set).map((name) => [name.toLowerCase(), 'forged'] as const);
  const answer = client.upgrade({ headers: Object.fromEntries(forged) });
  const request = await (await backend.nextSession()).request();
  expect((await answer).status).toBe(101);
  return request;
}

const device = (options: LeafOptions): Promise<Identity> => authority.issue({ client: true, ...options });

describe('the facts of a client certificate', () => {
  test('a name with umlauts, commas and percent signs arrives as ASCII, and can be read back', async () => {
    const certificate = await device({ commonName: 'Müller\\, Zoë 100%,O=Acme' });
    const request = await told({ certificate });
    const subject = request.field('x-subject') ?? '';
    expect(subject).toMatch(/^[\x21-\x7e ]*$/);
    expect(subject).toBe('O=Acme,CN=M%C3%BCller\\, Zo%C3%AB 100%25');
    expect(decodeURIComponent(subject)).toBe('O=Acme,CN=Müller\\, Zoë 100%');
  });

  test('a line end in a name makes no field of its own', async () => {
    const certificate = await device({ commonName: 'a\\0D\\0AX-Admin: yes' });
    const request = await told({ certificate });
    expect(request.field('x-subject')).toBe('CN=a\\0D\\0AX-Admin: yes');
    expect(request.field('x-admin')).toBeUndefined();
  });

  test('its names are a list: commas part them, and none stands within one', async () => {
    const certificate = await device({
      dns: ['device-1.test', '*.devices.test'],
      ip: ['192.0.2.1'],
      names: [{ type: 'url', value: 'spiffe://x.test/a,b' }],
    });
    const names = (await told({ certificate })).field('x-san')?.split(',') ?? [];
    expect(names.slice(0, 3)).toEqual(['DNS:device-1.test', 'DNS:*.devices.test', 'IP Address:192.0.2.1']);
    expect(names).toHaveLength(4);
    const uri = decodeURIComponent(names[3] ?? '').replace('URI:', '');
    expect(JSON.parse(uri)).toBe('spiffe://x.test/a,b');
  });

  test('its digest is the one that openssl prints, in lower case and without colons', async () => {
    const certificate = await device({});
    const printed = new X509Certificate(certificate.cert).fingerprint256;
    expect((await told({ certificate })).field('x-fingerprint')).toBe(printed.replaceAll(':', '').toLowerCase());
  });

  test('a long one ends at 1 KiB', async () => {
    const certificate = await device({ dns: Array.from({ length: 100 }, (_, index) => `device-${index}.test`) });
    const san = (await told({ certificate })).field('x-san') ?? '';
    expect(san.length).toBeLessThanOrEqual(1024);
    expect(san).toMatch(/^DNS:device-0\.test,.*,DNS:device-\d\d\.test$/);
  });
});

describe('the facts of TLS', () => {
  test.each([
    ['TLSv1.3', {}],
    ['TLSv1.2', { maxVersion: 'TLSv1.2' }],
  ] as const)('%s and the name that was asked for, as it is compared', async (version, options) => {
    const request = await told({ certificate: null, servername: 'A.Test', ...options });
    expect([request.field('x-tls'), request.field('x-sni')]).toEqual([version, 'a.test']);
  });

  test('what there is none of is in no field, and a client cannot say it instead', async () => {
    const request = await told({ certificate: null });
    const fields = ['x-subject', 'x-san', 'x-fingerprint', 'x-both'];
    expect(fields.map((name) => request.field(name))).toEqual(fields.map(() => undefined));
    expect(request.raw).not.toContain('forged');
  });

  test('a certificate without further names has no list of them', async () => {
    const request = await told({ certificate: await device({ commonName: 'plain' }) });
    expect(request.field('x-san')).toBeUndefined();
    expect(request.field('x-both')).toBe('sni=a.test; subject=CN=plain');
  });
});
