// Owns the checks across the keys of `auth`, and of the routes that name its methods. It must not read files.

import { printable } from './addresses.ts';
import { checkTwice } from './check-names.ts';
import type { CrossReport } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { didYouMean } from './suggest.ts';
import type { ParsedConfig } from './types.ts';

/** Lets in who brought nothing; no method can have its name. */
const ANONYMOUS = 'anonymous';

export function checkAuth(config: ParsedConfig, report: CrossReport): void {
  const { auth, defaults, routes } = config;
  const names = Object.keys(auth);
  if (Object.hasOwn(auth, ANONYMOUS)) report('error', ['auth', ANONYMOUS], 'anonymous is no method: another name');
  checkNames(defaults.auth, ['defaults', 'auth'], names, report);
  for (const [index, { auth: own }] of routes.entries())
    checkNames(own ?? [], ['routes', index, 'auth'], names, report);
  const used = new Set([...defaults.auth, ...routes.flatMap(({ auth: own }) => own ?? [])]);
  for (const name of names) if (!used.has(name)) report('warning', ['auth', name], 'no route uses this method');
  for (const [name, { jwt }] of Object.entries(auth)) {
    if (jwt === undefined) continue;
    const ways = [jwt.secret, jwt.key, jwt.jwks].filter((one) => one !== undefined).length;
    if (ways !== 1) report('error', ['auth', name, 'jwt'], 'expected exactly one of secret, key, jwks');
    const { jwks } = jwt;
    if (jwks !== undefined && (jwks.file === undefined) === (jwks.url === undefined))
      report('error', ['auth', name, 'jwt', 'jwks'], 'expected exactly one of file, url');
  }
}

function checkNames(own: readonly string[], path: PathSegments, names: readonly string[], report: CrossReport): void {
  checkTwice(own, path, report);
  for (const [at, name] of own.entries()) {
    const isLast = at === own.length - 1;
    if (name === ANONYMOUS && isLast && at > 0) continue;
    if (name === ANONYMOUS)
      report('error', [...path, at], 'anonymous stands behind all methods, and not alone: an open route has []');
    else if (!names.includes(name))
      report('error', [...path, at], `there is no method "${printable(name)}"${didYouMean(name, names)}`);
  }
}
