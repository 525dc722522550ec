import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { ClientAuthorities } from '../../src/net/client-authorities.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';

function digestOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}

function leafOf({ cert }: Identity): X509Certificate {
  return new X509Certificate(cert);
}

function listOf(...authorities: readonly Pick<Authority, 'ca'>[]): ClientAuthorities {
  return new ClientAuthorities(Buffer.from(authorities.map(({ ca }) => ca).join('\n')));
}

test('a certificate depends on the authorities between it and a root, and on no others', async () => {
  const root = await makeAuthority('Root');
  const other = await makeAuthority('Other');
  const below = await root.below('Below');
  const list = listOf(other, root, below);
  expect(list.vouchingFor(leafOf(await root.issue()))).toEqual([digestOf(root.ca)]);
  expect(list.vouchingFor(leafOf(await other.issue()))).toEqual([digestOf(other.ca)]);
  expect(list.vouchingFor(leafOf(await below.issue()))).toEqual([digestOf(below.ca), digestOf(root.ca)]);
  expect([...list.digests]).toEqual(expect.arrayContaining([root, other, below].map(({ ca }) => digestOf(ca))));
  expect(list.digests.size, 'and all together').toBe(4);
});

test('of two with one name the one that has signed it vouches', async () => {
  const [old, renewed] = [await makeAuthority('Same'), await makeAuthority('Same')];
  const list = listOf(old, renewed);
  expect(list.vouchingFor(leafOf(await old.issue()))).toEqual([digestOf(old.ca)]);
  expect(list.vouchingFor(leafOf(await renewed.issue()))).toEqual([digestOf(renewed.ca)]);
});

test('where what stands between is not known, all have to stay', async () => {
  const root = await makeAuthority('Root');
  const other = await makeAuthority('Other');
  const leaf = leafOf(await (await root.below('Below')).issue());
  const [all = '', ...others] = listOf(root, other).vouchingFor(leaf);
  expect(others).toEqual([]);
  expect(listOf(root, other).digests).toContain(all);
  expect(listOf(other, root).digests, 'in any order').toContain(all);
  expect(listOf(root).digests).not.toContain(all);
});
