// Owns the checks of placeholders about whoever a session is for, against the methods of `auth` that could tell.

import { printable } from './addresses.ts';
import { type Headers, type Placeholder, placeholdersIn, shown } from './check-headers.ts';
import type { CrossReport } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { didYouMean } from './suggest.ts';
import type { ParsedConfig } from './types.ts';

type Method = ParsedConfig['auth'][string];

/** Whether a method can give such a placeholder a value. */
const TELLS: Readonly<Record<string, (method: Method, lower: string) => boolean>> = {
  auth: () => true,
  identity: () => true,
  'claim.': ({ jwt, introspection }) => jwt !== undefined || introspection !== undefined,
  'forward.': ({ forward }, lower) => forward?.take.includes(lower) === true,
};

export function checkHolderNames({ auth, defaults, routes }: ParsedConfig, report: CrossReport): void {
  const taken = [...new Set(Object.values(auth).flatMap(({ forward }) => forward?.take ?? []))];
  const check = (headers: Headers, path: PathSegments, names: readonly string[]): void => {
    const methods = names.flatMap((name) => (Object.hasOwn(auth, name) ? [auth[name] ?? {}] : []));
    for (const { at, placeholder } of placeholdersIn(headers)) {
      const fault = faultOf(placeholder, methods, taken);
      if (fault !== null) report(fault.severity, [...path, ...at], `${shown(placeholder)}${fault.problem}`);
    }
  };
  const takers = routes.filter(({ headers }) => headers?.request === undefined || headers.response === undefined);
  check(
    defaults.headers,
    ['defaults', 'headers'],
    takers.flatMap(({ auth: own }) => own ?? defaults.auth),
  );
  for (const [index, { auth: own, headers = {} }] of routes.entries())
    check(headers, ['routes', index, 'headers'], own ?? defaults.auth);
}

interface Fault {
  readonly severity: 'error' | 'warning';
  readonly problem: string;
}

/** `taken`: fields that any method takes. */
function faultOf({ name, argument }: Placeholder, methods: readonly Method[], taken: readonly string[]): Fault | null {
  const tells = Object.hasOwn(TELLS, name) ? TELLS[name] : undefined;
  if (tells === undefined) return null;
  const lower = argument.toLowerCase();
  if (name === 'forward.' && !taken.includes(lower)) {
    const guess = didYouMean(lower, taken);
    return { severity: 'error', problem: `: no forward method has ${printable(lower)} in its take${guess}` };
  }
  if (methods.some((method) => tells(method, lower))) return null;
  const why = methods.length === 0 ? 'nobody is asked for a credential here' : 'no method here knows it';
  return { severity: 'warning', problem: ` never has a value: ${why}` };
}
