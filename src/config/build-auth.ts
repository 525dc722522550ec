// Turns the methods of `auth` that the schema parsed into those of the Config: with what their files hold.
// It must not judge: `check-auth.ts` has.

import assert from 'node:assert/strict';
import type { LoadedAuth } from './load-auth.ts';
import type { AuthConfig, JwtKeyConfig, ParsedConfig } from './types.ts';

type ParsedMethod = ParsedConfig['auth'][string];

const REALM = 'framegate';

export function buildAuth({ auth }: ParsedConfig, files: LoadedAuth): Readonly<Record<string, AuthConfig>> {
  const methods: Record<string, AuthConfig> = Object.create(null);
  for (const [name, method] of Object.entries(auth)) methods[name] = buildMethod(name, method, files);
  return methods;
}

function buildMethod(name: string, method: ParsedMethod, files: LoadedAuth): AuthConfig {
  const { api_key, basic, jwt, introspection, hmac, certificate, forward } = method;
  const tls = files.tls.get(name) ?? null;
  if (api_key !== undefined) return { ...api_key, kind: 'api_key', name, keys: files.keys.get(name) ?? [] };
  if (basic !== undefined) {
    return { ...basic, kind: 'basic', name, realm: basic.realm ?? REALM, users: files.users.get(name) ?? [] };
  }
  if (jwt !== undefined) {
    const { secret, key, jwks, ...rest } = jwt;
    return { ...rest, kind: 'jwt', name, key: keyOf(name, { secret, key, jwks }, files) };
  }
  if (introspection !== undefined) return { ...introspection, kind: 'introspection', name, tls };
  if (hmac !== undefined) return { ...hmac, kind: 'hmac', name };
  if (certificate !== undefined) {
    return { ...certificate, kind: 'certificate', name, allow: certificate.allow ?? null };
  }
  assert(forward !== undefined, 'the schema asks for one of them');
  return { ...forward, kind: 'forward', name, tls };
}

type KeyWays = Pick<NonNullable<ParsedMethod['jwt']>, 'secret' | 'key' | 'jwks'>;

function keyOf(name: string, { secret, key, jwks }: KeyWays, files: LoadedAuth): JwtKeyConfig {
  if (secret !== undefined) return { kind: 'secret', secret };
  if (key !== undefined) return { kind: 'pem', pem: key };
  assert(jwks !== undefined, 'it was checked that one of them is there');
  const { file, url, tls: _, ...rest } = jwks;
  if (file !== undefined) return { kind: 'jwks_file', file, text: files.sets.get(name) ?? '' };
  assert(url !== undefined, 'it was checked that one of them is there');
  return { ...rest, kind: 'jwks_url', url, tls: files.tls.get(name) ?? null };
}
