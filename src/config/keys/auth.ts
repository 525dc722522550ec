// Owns the keys of `auth`: how clients prove who they are, by named methods of which each is of one kind.

import { apiKey, basic, certificate, hmac } from './auth-keys.ts';
import { forward, introspection, jwt } from './auth-tokens.ts';
import type { Keys } from './row.ts';

export const method = {
  api_key: { kind: 'block', unset: 'another kind', says: 'Keys that are known by their hash.', keys: apiKey },
  basic: { kind: 'block', unset: 'another kind', says: 'Names and passwords (RFC 7617).', keys: basic },
  jwt: { kind: 'block', unset: 'another kind', says: 'Signed tokens (RFC 7519).', keys: jwt },
  introspection: {
    kind: 'block',
    unset: 'another kind',
    says: 'Tokens that an authorization server is asked about (RFC 7662).',
    keys: introspection,
  },
  hmac: {
    kind: 'block',
    unset: 'another kind',
    says: 'Signed requests (draft-cavage-http-signatures).',
    keys: hmac,
  },
  certificate: { kind: 'block', unset: 'another kind', says: 'Client certificates of TLS.', keys: certificate },
  forward: { kind: 'block', unset: 'another kind', says: 'A service of yours that decides.', keys: forward },
} as const satisfies Keys;
