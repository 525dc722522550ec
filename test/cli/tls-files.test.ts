// The files of a tls block on their way from the disk: all of them are watched, and who may read a key is looked at.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadSource } from '../../src/cli/load.ts';
import { daysFromNow, encryptedKey, makeAuthority } from '../support/certs.ts';

const PASSPHRASE = 'correct horse';
const NAMES = ['c.pem', 'k.pem', 'pass.txt', 'ca.pem', 'crl.pem', 'tickets.txt'];

let folder: string;

const at = (name: string) => join(folder, name);
const load = async () => {
  const result = await loadSource({ kind: 'file', path: at('config.yaml') }, { env: {}, stdin: nothing() });
  if (result === null || !('config' in result)) throw new Error(JSON.stringify(result));
  return result;
};

async function* nothing(): AsyncGenerator<Uint8Array> {}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'framegate-tls-'));
  const long = { notAfter: daysFromNow(90) };
  const authority = await makeAuthority('Test CA', long);
  const { cert, key } = await authority.issue({ dns: ['a.test'], ...long });
  const texts: Record<string, string> = {
    'c.pem': cert,
    'k.pem': encryptedKey(key, PASSPHRASE),
    'pass.txt': `${PASSPHRASE}\n`,
    'ca.pem': authority.ca,
    'crl.pem': await authority.crl(),
    'tickets.txt': `${'a'.repeat(96)}\n`,
    'config.yaml':
      'listeners: [{ tls: { certificates: [{ cert: c.pem, key: k.pem, passphrase: { file: pass.txt } }], ' +
      'client_auth: require, client_ca: ca.pem, client_crl: crl.pem, tickets: { file: tickets.txt } } }]\n' +
      'routes: [{ upstream: "builtin:echo" }]\n',
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(at(name), text, { mode: 0o600 });
});

afterAll(() => rmSync(folder, { recursive: true }));

test('every file is one to watch', async () => {
  const { files } = await load();
  expect([...files].sort()).toEqual([...NAMES, 'config.yaml'].map(at).sort());
});

test('a change of one makes it another config', async () => {
  const before = await load();
  writeFileSync(at('tickets.txt'), 'b'.repeat(96));
  const after = await load();
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(after.config.listeners[0]?.tls?.tickets).toEqual({ key: Buffer.alloc(48, 0xbb) });
});

test('a key that others can read is told, by its permissions on the disk', async () => {
  expect((await load()).warnings).toEqual([]);
  chmodSync(at('k.pem'), 0o640);
  const told = (await load()).warnings.map(({ path, message }) => `${path}: ${message}`);
  chmodSync(at('k.pem'), 0o600);
  expect(told).toEqual(['listeners[0].tls.certificates[0].key: group or others can read this file (mode 0640)']);
});
