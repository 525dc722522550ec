// Each method of auth with one good credential: what framegate's config says of it, and the fields that a client sends.
// What it remembers, it remembers: as for a client that comes again.

import {
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scryptSync,
  sign,
} from 'node:crypto';

export const AUTH_METHODS = [
  'api_key',
  'basic',
  'jwt-hs256',
  'jwt-rs256',
  'jwt-es256',
  'hmac',
  'introspection',
  'forward',
] as const;
export type AuthMethodName = (typeof AUTH_METHODS)[number];

export interface MethodUnderTest {
  /** In the config. */
  readonly method: object;
  /** Of one request to `host`, each with its CR LF. */
  fieldsFor(host: string): string;
}

/** Longer than any run. */
const LIFETIME_SECONDS = 86_400;
const NAME = 'bench';

/** Where services are asked; anything for methods that ask nobody. */
export function methodUnderTest(name: AuthMethodName, serviceUrl: string): MethodUnderTest {
  const secret = randomBytes(24).toString('base64url');
  switch (name) {
    case 'api_key': {
      const sha256 = createHash('sha256').update(secret).digest('hex');
      return { method: { api_key: { keys: [{ name: NAME, sha256 }] } }, fieldsFor: () => `X-API-Key: ${secret}\r\n` };
    }
    case 'basic': {
      const login = Buffer.from(`${NAME}:${secret}`).toString('base64');
      const users = [{ name: NAME, password: hashed(secret) }];
      return { method: { basic: { users } }, fieldsFor: () => authorization(`Basic ${login}`) };
    }
    case 'jwt-hs256':
      return jwt({ secret }, 'HS256', (input) => createHmac('sha256', secret).update(input).digest());
    case 'jwt-rs256': {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      return jwt({ key: pem(publicKey) }, 'RS256', (input) => sign('sha256', Buffer.from(input), privateKey));
    }
    case 'jwt-es256': {
      const { publicKey, privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const dsaEncoding = 'ieee-p1363';
      return jwt({ key: pem(publicKey) }, 'ES256', (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding }));
    }
    case 'hmac':
      // The same signature all the time.
      return {
        method: { hmac: { keys: [{ name: NAME, secret }], clock_skew: '1h' } },
        fieldsFor: (host) => signedFields(host, secret),
      };
    case 'introspection': {
      const method = { introspection: { url: serviceUrl, client_id: NAME, client_secret: secret } };
      return { method, fieldsFor: () => authorization(`Bearer ${secret}`) };
    }
    case 'forward':
      return { method: { forward: { url: serviceUrl } }, fieldsFor: () => authorization(`Bearer ${secret}`) };
  }
}

/** The others decide by themselves. */
export function asksService(name: AuthMethodName): boolean {
  return name === 'introspection' || name === 'forward';
}

function jwt(key: object, alg: string, signed: (input: string) => Buffer): MethodUnderTest {
  const exp = Math.floor(Date.now() / 1000) + LIFETIME_SECONDS;
  const input = `${part({ alg, typ: 'JWT' })}.${part({ sub: NAME, iss: 'https://as.example.com', aud: 'chat', exp })}`;
  const token = `${input}.${signed(input).toString('base64url')}`;
  return {
    method: { jwt: { ...key, algorithms: [alg], issuer: 'https://as.example.com', audience: 'chat' } },
    fieldsFor: () => authorization(`Bearer ${token}`),
  };
}

/** draft-cavage-http-signatures-12. */
function signedFields(host: string, secret: string): string {
  const date = new Date().toUTCString();
  const text = `(request-target): get /\nhost: ${host}\ndate: ${date}`;
  const signature = createHmac('sha256', secret).update(text).digest('base64');
  const parameters = `keyId="${NAME}",algorithm="hmac-sha256",headers="(request-target) host date"`;
  return `Date: ${date}\r\n${authorization(`Signature ${parameters},signature="${signature}"`)}`;
}

function authorization(value: string): string {
  return `Authorization: ${value}\r\n`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function pem(key: KeyObject): string {
  return String(key.export({ type: 'spki', format: 'pem' }));
}

/** With what `hash-password` takes. */
function hashed(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
  const [saltText, hashText] = [salt, hash].map((bytes) => bytes.toString('base64').replace(/=+$/, ''));
  return `$scrypt$ln=15,r=8,p=1$${saltText}$${hashText}`;
}
