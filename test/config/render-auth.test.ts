// `framegate config` of auth: it loads again to the same, and what is secret is `***`.

import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { originOf } from '../../src/config/origin.ts';
import { renderConfig } from '../../src/config/render.ts';
import { makeCertificates } from '../support/certs.ts';
import { errorsOf, loaded } from './loading.ts';

const HASH = '2b'.repeat(32);
const PASSWORD = `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;
let ca = '';

beforeAll(async () => {
  ({ ca } = await makeCertificates());
});

const WITHOUT_SECRETS = `
auth:
  keys:
    api_key:
      from: ["subprotocol_prefix:key.", header:X-A]
      prefix: fgk_
      decode: base64url
      keys: { file: keys.yaml }
  staff: { basic: { realm: "the staff", users: { file: users.yaml }, strip: off } }
  local: { jwt: { jwks: { file: set.json }, algorithms: [RS256], issuer: "https://as", audience: [a, b], typ: at+jwt } }
  users:
    jwt:
      from: ["query:token", "cookie:sid", "subprotocol:bearer"]
      jwks: { url: "https://as/jwks?x=1", tls: { ca: ca.pem, server_name: as.test }, refresh: 1h, max_size: 1MiB }
      algorithms: [ES256, EdDSA]
      required: { scope: chat, realm_access.roles: [a, b], "https://x/admin": true, level: 3, "off": "no" }
      require_exp: off
      leeway: 1m
      max_age: 24h
      subject: off
      quota_claim: plan.quota
      bind: off
  devices: { certificate: { subject: san_dns, allow: [x, "*.y"] } }
  ask: { forward: { url: "http://127.0.0.1:9000/check?a=b", send: [cookie], take: [x-user], recheck: 30s, grace: 1m } }
defaults: { auth: [keys, staff, devices, ask], origins: [same] }
routes:
  - { name: one, match: { path: /one }, upstream: "builtin:echo" }
  - { name: two, match: { path: /two }, upstream: "builtin:echo", auth: [users, anonymous] }
  - { name: three, match: { path: /three }, upstream: "builtin:echo", auth: [] }
  - { name: four, match: { path: /four }, upstream: "builtin:echo", auth: [local] }
`;

test('methods without secrets load again to the same', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const files = {
    'keys.yaml':
      `- { name: acme, sha256: ${HASH}, expires: 2099-01-31T00:00:00Z, routes: [one], ` +
      'quota: { max_sessions: 3 } }',
    'users.yaml': `- { name: "ada \u00e9", password: "${PASSWORD}" }`,
    'set.json': JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }),
    'ca.pem': ca,
  };
  const config = loaded(WITHOUT_SECRETS, { files });
  const printed = renderConfig(config);
  expect(printed).not.toMatch(/\*\*\*|2b2b|scrypt/);
  const again = loaded(printed, { files });
  expect(again).toEqual(config);
  expect(originOf(again).files).toEqual(originOf(config).files);
  expect(Object.fromEntries(config.routes.map(({ name, auth }) => [name, auth.join()]))).toEqual({
    one: 'keys,staff,devices,ask',
    two: 'users,anonymous',
    three: '',
    four: 'local',
  });
});

test('secrets and hashes are ***, which no method takes for one', () => {
  const text = `
auth:
  keys: { api_key: { keys: [{ name: acme, sha256: ${HASH} }] } }
  staff: { basic: { users: [{ name: ada, password: "${PASSWORD}" }] } }
  users: { jwt: { secret: ${'canary'.repeat(6)}, algorithms: [HS256] } }
  opaque: { introspection: { url: "https://as/i", client_id: fg, client_secret: { file: s } } }
  signed: { hmac: { keys: [{ name: a, secret: canary-canary }] } }
`;
  const printed = renderConfig(loaded(text, { files: { s: 'canary of a file' } }));
  expect(printed).not.toMatch(/canary|2b2b|scrypt\$ln/);
  expect(printed.match(/\*\*\*/g)).toHaveLength(5);
  const refused = errorsOf(printed).map((line) => line.replace(/^\d+:\d+ (auth\.[^:]*): .*$/s, '$1'));
  expect(refused).toEqual([
    'auth.keys.api_key.keys[0].sha256',
    'auth.staff.basic.users[0].password',
    'auth.users.jwt.secret',
    'auth.opaque.introspection.client_secret',
    'auth.signed.hmac.keys[0].secret',
  ]);
});
