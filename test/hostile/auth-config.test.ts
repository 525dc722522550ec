// Configs of auth that would let in who should not come in: refused before anything listens, with nothing shown of a
// secret.

import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import type { ConfigInput } from '../../src/config/types.ts';

type Methods = NonNullable<ConfigInput['auth']>;
type Route = Partial<ConfigInput['routes'][number]>;

/** `path: message` of every error. */
function errorsOf(auth: Methods, own: Route = {}, files: Readonly<Record<string, string>> = {}): string[] {
  const routes = [{ upstream: 'builtin:echo', auth: Object.keys(auth), origins: [], ...own }];
  try {
    loadObject({ auth, routes }, { baseDir: '', readFile: (path) => Buffer.from(files[path] ?? '') });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const errors = error.problems.filter(({ severity }) => severity === 'error');
    return errors.map(({ path, message }) => `${path}: ${message}`);
  }
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const weakPem = weak.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const jwk = rsa.publicKey.export({ format: 'jwk' });
const secretJwk = { kty: 'oct', k: 'Y2FuYXJ5' };

type Jwt = NonNullable<Methods[string]['jwt']>;
const RS256: Jwt['algorithms'] = ['RS256'];

test.each<[string, Jwt, string]>([
  ['a secret of 31 bytes', { secret: 'x'.repeat(31), algorithms: ['HS256'] }, 'secret'],
  ['a public key as the secret', { secret: publicPem, algorithms: ['HS256'] }, 'secret'],
  ['HS256 beside a public key', { key: publicPem, algorithms: ['RS256', 'HS256'] }, 'algorithms[1]'],
  ['RS256 beside a secret', { secret: 'x'.repeat(32), algorithms: RS256 }, 'algorithms[0]'],
  ['ES256 with an RSA key', { key: publicPem, algorithms: ['ES256'] }, 'algorithms[0]'],
  ['a private key', { key: privatePem, algorithms: RS256 }, 'key'],
  ['an RSA key of 1024 bits', { key: weakPem, algorithms: RS256 }, 'key'],
  ['a set with a secret', { jwks: { file: 'secret' }, algorithms: RS256 }, 'jwks.file'],
  ['a set with a private key', { jwks: { file: 'private' }, algorithms: RS256 }, 'jwks.file'],
  ['a set with nothing for RS256', { jwks: { file: 'none' }, algorithms: RS256 }, 'jwks.file'],
  ['a set of a URL and HS256', { jwks: { url: 'https://as/' }, algorithms: ['HS256'] }, 'algorithms[0]'],
  ['no algorithm', { key: publicPem, algorithms: [] }, 'algorithms'],
])('A60: %s is a config error', (_, jwt, place) => {
  const files = {
    secret: JSON.stringify({ keys: [jwk, secretJwk] }),
    private: JSON.stringify({ keys: [jwk, rsa.privateKey.export({ format: 'jwk' })] }),
    none: JSON.stringify({ keys: [] }),
  };
  const errors = errorsOf({ users: { jwt } }, {}, files);
  expect(errors.map((line) => line.split(': ')[0])).toEqual([`auth.users.jwt.${place}`]);
  const shown = errors.join();
  for (const secret of [secretJwk.k, 'x'.repeat(31), privatePem.slice(60, 90)]) expect(shown).not.toContain(secret);
});

const key = (prefix?: string): Methods[string] => ({
  api_key: { from: ['header:Authorization'], keys: [], ...(prefix === undefined ? {} : { prefix }) },
});
const jwt = (from?: string): Methods[string] => ({
  jwt: { jwks: { url: 'https://as/' }, algorithms: RS256, ...(from === undefined ? {} : { from: [from] }) },
});

test.each<[string, Methods[string], Methods[string], boolean]>([
  ['two of one kind', jwt(), jwt(), false],
  ['of one kind, at places of their own', jwt(), jwt('query:token'), true],
  ['a key that may be any text, and a token', key(), jwt(), false],
  ['a key with the beginning of every token', key('ey'), jwt(), false],
  ['a key with a prefix, and a token', key('fgk_'), jwt(), true],
  ['keys of which one begins as the other', key('fgk_'), key('fgk_a_'), false],
  ['keys that begin apart', key('a_'), key('b_'), true],
  ['entries of the offer that begin in both ways', jwt('subprotocol_prefix:a.'), jwt('subprotocol_prefix:a.b.'), false],
])('A61: two methods that read one place: %s', (_, a, b, isGood) => {
  const told = isGood ? [] : [expect.stringMatching(/^routes\[0\]\.auth\[1\]: .* cannot be told apart$/)];
  expect(errorsOf({ a, b })).toEqual(told);
  expect(errorsOf({ b, a })).toEqual(told);
});

test.each<[string, Methods[string]]>([
  ['a cookie', jwt('cookie:sid')],
  ['a cookie that a service is asked about', { forward: { url: 'https://as/' } }],
  ['a password', { basic: { users: [] } }],
  ['a certificate', { certificate: {} }],
])('A62: %s on a route that does not say whose pages may use it is a config error', (_, method) => {
  const errors = errorsOf({ m: method }, { origins: undefined });
  expect(errors).toEqual([expect.stringMatching(/^routes\[0\]\.origins: is required/)]);
  expect(errorsOf({ m: method }, { origins: ['same'] })).toEqual([]);
});

test.each(['http://as/', 'http://127.0.0.1.nip.example/', 'http://[::2]/'])(
  'A63: tokens and keys over %s are a config error',
  (url) => {
    const service = { url, client_id: 'a', client_secret: 'b' };
    expect(errorsOf({ m: { introspection: service } })).toEqual([
      expect.stringMatching(/^auth\.m\.introspection\.url: .* in the clear/),
    ]);
    expect(errorsOf({ m: { introspection: { ...service, insecure: true } } })).toEqual([]);
    expect(errorsOf({ m: { introspection: { ...service, url: 'http://127.0.0.1/' } } })).toEqual([]);
    expect(errorsOf({ m: { jwt: { jwks: { url }, algorithms: RS256 } } })).toEqual([
      expect.stringMatching(/^auth\.m\.jwt\.jwks\.url: .* in the clear/),
    ]);
  },
);
