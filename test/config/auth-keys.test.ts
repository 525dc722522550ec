// Which keys fit which algorithms of a method jwt, and that nothing of a secret is told.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { problemsOf } from './loading.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const ed25519 = generateKeyPairSync('ed25519');
const ed448 = generateKeyPairSync('ed448');
const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

/** `severity key: message` of everything. */
function told(keys: string, files: Readonly<Record<string, string>> = {}): string[] {
  const text = `auth: { users: { jwt: { ${keys} } } }\nroutes: [{ upstream: "builtin:echo", auth: [users] }]`;
  const problems = problemsOf(text, { files });
  return problems.map(
    ({ severity, path, message }) => `${severity} ${path.replace('auth.users.jwt.', '')}: ${message}`,
  );
}

describe('secret', () => {
  const of = (bytes: number, algorithms: string) =>
    told(`secret: { file: secret }, algorithms: [${algorithms}]`, { secret: 'x'.repeat(bytes) });
  const wants = (bits: number) =>
    `warning secret: HS${bits} wants ${bits / 8} bytes or more, as many as its hash has (RFC 7518 3.2)`;

  test('has 32 bytes or more, and is told below the size of the hash', () => {
    expect(of(31, 'HS256')).toEqual(['error secret: is below 32 bytes: it could be guessed']);
    expect(of(32, 'HS256')).toEqual([]);
    expect(of(47, 'HS256, HS384')).toEqual([wants(384)]);
    expect(of(48, 'HS256, HS384')).toEqual([]);
    expect(of(63, 'HS512')).toEqual([wants(512)]);
    expect(of(64, 'HS512')).toEqual([]);
  });

  test('its bytes count, not its characters', () => {
    expect(told(`secret: ${'é'.repeat(16)}, algorithms: [HS256]`)).toEqual([]);
  });

  test('fits no other algorithm, and is no public key', () => {
    expect(of(32, 'RS256, HS256')).toEqual([
      'error algorithms[0]: RS256 is checked with a public key: key or jwks, not secret',
    ]);
    expect(told('secret: { file: pub.pem }, algorithms: [HS256]', { 'pub.pem': pem(rsa.publicKey) })).toEqual([
      'error secret: this is a key in PEM, which is no secret: key takes it',
    ]);
  });
});

describe('key', () => {
  const of = (text: string, algorithms: string) =>
    told(`key: { file: pub.pem }, algorithms: [${algorithms}]`, { 'pub.pem': text });

  test.each([
    ['RSA', rsa, 'RS256, RS384, RS512, PS256, PS384, PS512'],
    ['P-256', p256, 'ES256'],
    ['P-384', p384, 'ES384'],
    ['Ed25519', ed25519, 'EdDSA, Ed25519'],
  ])('%s fits its algorithms', (_, { publicKey }, algorithms) => {
    expect(of(pem(publicKey), algorithms)).toEqual([]);
  });

  test('PKCS 1 is a form, too', () => {
    expect(of(rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(), 'RS256')).toEqual([]);
  });

  test.each([
    ['RSA', rsa, 'ES256', 'ES256 does not fit: key is an RSA key'],
    ['RSA', rsa, 'HS256', 'HS256 is checked with secret, and key is an RSA key'],
    ['P-256', p256, 'ES384', 'ES384 does not fit: key is an EC key on P-256'],
    ['P-384', p384, 'ES256', 'ES256 does not fit: key is an EC key on P-384'],
    ['P-256', p256, 'RS256', 'RS256 does not fit: key is an EC key on P-256'],
    ['Ed25519', ed25519, 'ES256', 'ES256 does not fit: key is an Ed25519 key'],
  ])('%s does not fit others: %#', (_, { publicKey }, algorithm, message) => {
    expect(of(pem(publicKey), algorithm)).toEqual([`error algorithms[0]: ${message}`]);
  });

  test.each([
    ['RSA of 1024 bits', pem(weak.publicKey), 'an RSA key of 1024 bits is too short: 2048 or more (RFC 7518 3.3)'],
    ['another curve', pem(koblitz.publicKey), 'no algorithm is for this curve: P-256, P-384 and P-521 are'],
    ['Ed448', pem(ed448.publicKey), 'no algorithm is for keys of type ed448: RSA, EC and Ed25519 keys are taken'],
    ['RSA-PSS', pem(pss.publicKey), 'no algorithm is for keys of type rsa-pss: RSA, EC and Ed25519 keys are taken'],
    ['no PEM', 'hello', 'there is no public key in PEM here'],
    ['two keys', pem(rsa.publicKey) + pem(rsa.publicKey), 'there is more than one key here: jwks takes several'],
    [
      'a private key',
      rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'this is a private key, which belongs to who issues tokens: the public one is needed here',
    ],
    [
      'an EC private key',
      p256.privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
      'this is a private key, which belongs to who issues tokens: the public one is needed here',
    ],
  ])('%s is none', (_, text, message) => {
    expect(of(text, 'RS256')).toEqual([`error key: ${message}`]);
  });
});

describe('jwks.file', () => {
  const jwk = (key: KeyObject, more: object = {}): object => ({ ...key.export({ format: 'jwk' }), ...more });
  const of = (text: string, algorithms = 'RS256, ES256') =>
    told(`jwks: { file: set.json }, algorithms: [${algorithms}]`, { 'set.json': text }).map((line) =>
      line.replace('jwks.file: ', ''),
    );
  const set = (...keys: readonly unknown[]): string => JSON.stringify({ keys });
  const good = jwk(rsa.publicKey, { kid: 'a' });

  test('keys for some of the algorithms are enough', () => {
    expect(of(set(good))).toEqual([]);
    expect(of(set(good, jwk(p256.publicKey, { kid: 'b', alg: 'ES256', use: 'sig', key_ops: ['verify'] })))).toEqual([]);
    expect(of(set(jwk(ed25519.publicKey, { alg: 'EdDSA' })), 'Ed25519')).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ['for another algorithm', jwk(p384.publicKey), 'it is an EC key on P-384, for ES384'],
    ['for another algorithm by its alg', jwk(rsa.publicKey, { alg: 'PS256' }), 'it is an RSA key, for PS256'],
    ['with an alg that it cannot be of', jwk(rsa.publicKey, { alg: 'ES256' }), 'its alg does not fit it'],
    ['for encryption', jwk(rsa.publicKey, { use: 'enc' }), 'its use is not sig'],
    ['for signing', jwk(rsa.publicKey, { key_ops: ['sign'] }), 'its key_ops lack verify'],
    ['too short', jwk(weak.publicKey), 'an RSA key of 1024 bits is too short: 2048 or more (RFC 7518 3.3)'],
    ['of a type of its own', { kty: 'X' }, 'it is no public key'],
    ['that is none', null, 'it is no public key'],
  ])('a key %s is passed over, which is told', (_, key, why) => {
    expect(of(set(good, key))).toEqual([`warning keys[1] is not used: ${why}`]);
    expect(of(set(key))).toEqual([`warning keys[0] is not used: ${why}`, 'error no key in it can check RS256, ES256']);
  });

  test.each<[string, unknown, string]>([
    ['a secret', { kty: 'oct', k: 'canary' }, 'is a secret: who may read this file could sign with it'],
    ['a private key', jwk(p256.privateKey), 'is a private key: only its public half belongs here'],
    ['an RSA private key', jwk(rsa.privateKey), 'is a private key: only its public half belongs here'],
  ])('%s in it is an error', (_, key, why) => {
    expect(of(set(good, key))).toEqual([`error keys[1] ${why}`]);
  });

  test('two keys with one kid are an error where a token could mean both', () => {
    expect(of(set(good, jwk(rsa.publicKey, { kid: 'a' })))).toEqual([
      'error keys[1] has the kid of keys[0]: a token would mean both',
    ]);
    // RFC 7517 4.5: keys of several types may share one.
    expect(of(set(good, jwk(p256.publicKey, { kid: 'a' })))).toEqual([]);
    expect(of(set(jwk(rsa.publicKey), jwk(rsa.publicKey)))).toEqual([]);
  });

  test.each([
    ['no JSON', '{ "keys": [canary', 'this file is no JSON'],
    ['a list', '[]', 'this is no JWK Set: { "keys": [...] }'],
    ['keys that are none', '{ "keys": {} }', 'this is no JWK Set: { "keys": [...] }'],
    ['no key', '{ "keys": [] }', 'no key in it can check RS256, ES256'],
    ['257 keys', JSON.stringify({ keys: Array(257).fill(good) }), 'holds more than 256 keys'],
  ])('%s is an error, which shows nothing of it', (_, text, message) => {
    expect(of(text)).toEqual([`error ${message}`]);
  });

  test('a set of public keys checks nothing with HS256, from a file or a URL', () => {
    const message = 'error algorithms[1]: HS256 is checked with secret, and a JWK Set holds public keys';
    expect(of(set(good), 'RS256, HS256')).toEqual([message]);
    expect(told('jwks: { url: "https://as/jwks" }, algorithms: [RS256, HS256]')).toEqual([message]);
  });
});

describe('secrets are not told', () => {
  test('whatever is wrong with what a file holds', () => {
    for (const key of ['secret', 'key'] as const) {
      const text = `auth: { users: { jwt: { ${key}: { file: f }, algorithms: [HS256, RS256, ES256] } } }`;
      for (const held of ['canary', `-----BEGIN PRIVATE KEY-----\ncanary`, '{ "keys": "canary" }'])
        expect(JSON.stringify(problemsOf(text, { files: { f: held } }))).not.toContain('canary');
    }
  });

  test('a file that cannot be read is told at its key', () => {
    expect(told('jwks: { file: gone.json }, algorithms: [RS256]')).toEqual([
      'error jwks.file: cannot read this file (ENOENT)',
    ]);
    expect(told('key: { file: gone.pem }, algorithms: [RS256]')).toEqual(['error key: cannot read this file (ENOENT)']);
  });
});
