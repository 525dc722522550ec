// Owns what of `auth` no `{file: path}` may stand for: what logs, metrics, answers and messages show.

import type { PathSegments } from './problems.ts';
import type { ParsedConfig } from './types.ts';

/** Says so of a key, of each item of a list. */
interface Shown {
  readonly one: (...path: PathSegments) => void;
  readonly each: (items: unknown, ...path: PathSegments) => void;
}

export function checkAuthSecrets({ auth, defaults, routes }: ParsedConfig, { one, each }: Shown): void {
  each(defaults.auth, 'defaults', 'auth');
  for (const [index, route] of routes.entries()) each(route.auth, 'routes', index, 'auth');
  for (const [name, method] of Object.entries(auth)) {
    const { api_key, basic, jwt, introspection, hmac, certificate, forward } = method;
    const at = ['auth', name];
    const list = (entries: readonly unknown[] | { readonly file: string }, ...path: PathSegments): void => {
      if ('file' in entries) one(...path, 'file');
      else for (const index of entries.keys()) one(...path, index, 'name');
    };
    for (const kind of ['api_key', 'jwt', 'introspection'] as const) each(method[kind]?.from, ...at, kind, 'from');
    if (api_key !== undefined) {
      list(api_key.keys, ...at, 'api_key', 'keys');
      if (!('file' in api_key.keys))
        for (const [index, { routes: own }] of api_key.keys.entries())
          each(own, ...at, 'api_key', 'keys', index, 'routes');
    }
    if (basic !== undefined) list(basic.users, ...at, 'basic', 'users');
    if (hmac !== undefined) list(hmac.keys, ...at, 'hmac', 'keys');
    if (certificate !== undefined) each(certificate.allow, ...at, 'certificate', 'allow');
    one(...at, 'basic', 'realm');
    one(...at, 'jwt', 'jwks', 'file');
    for (const [block, own] of Object.entries({ 'jwt.jwks': jwt?.jwks, introspection, forward }))
      if (own !== undefined) one(...at, ...block.split('.'), 'url');
    for (const kind of ['jwt', 'introspection'] as const)
      for (const key of ['subject', 'quota_claim']) one(...at, kind, key);
    each(hmac?.headers, ...at, 'hmac', 'headers');
    for (const key of ['send', 'take'] as const) each(forward?.[key], ...at, 'forward', key);
  }
}
