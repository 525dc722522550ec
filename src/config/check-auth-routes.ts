// Owns the checks of what methods of `auth` mean for routes: whose pages may use what browsers send by themselves, who
// is let in without anything, and who can go around a client certificate. It must not read files.

import { placeKey } from '../protocol/credential-places.ts';
import { printable } from './addresses.ts';
import { ambientOf, type Methods, type ParsedMethod, placesOf } from './auth-places.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { listenerName } from './names.ts';
import type { PathSegments } from './problems.ts';
import type { ParsedConfig } from './types.ts';

type ParsedListener = ParsedConfig['listeners'][number];

/** What is in force on a route, and where that is written. */
interface Named {
  readonly names: readonly string[];
  readonly path: PathSegments;
}

export function checkAuthRoutes(config: ParsedConfig, methods: Methods, written: Written, report: CrossReport): void {
  checkOrigins(config, methods, written, report);
  checkOpen(config, written, report);
  for (const [index, { match }] of config.routes.entries()) {
    const { listeners } = match;
    const reached = config.listeners.filter((one) => !listeners?.length || listeners.includes(listenerName(one)));
    const named = namedBy(config, index);
    if (!written.isFaulty(['routes', index, 'match']))
      checkCertificates(namedBy(config, index), index, { methods, reached }, report);
    checkKept(named, methods, report);
  }
}

function namedBy({ defaults, routes }: ParsedConfig, index: number): Named {
  const own = routes[index]?.auth;
  // What defaults says is told at the route: another one may be right.
  return own === undefined
    ? { names: defaults.auth, path: ['routes', index] }
    : { names: own, path: ['routes', index, 'auth'] };
}

/** A place goes on only if all that read it keep it. */
function checkKept({ names, path }: Named, methods: Methods, report: CrossReport): void {
  const keepers = names.filter((name) => isKept(methods.get(name)));
  const hidden = new Set(names.filter((name) => !keepers.includes(name)).flatMap((name) => keysOf(methods.get(name))));
  const goesOn = (name: string): boolean => {
    const keys = keysOf(methods.get(name));
    return keys.length === 0 || keys.some((key) => !hidden.has(key));
  };
  const quoted = (some: readonly string[]): string => some.map((name) => `"${printable(name)}"`).join(', ');
  const kept = keepers.filter(goesOn);
  const idle = keepers.filter((name) => !goesOn(name));
  if (kept.length > 0) report('warning', path, `the backend gets what ${quoted(kept)} reads: strip is off`);
  if (idle.length > 0)
    report('warning', path, `strip: off of ${quoted(idle)} has no effect: methods with strip: on read the same`);
}

function keysOf(method: ParsedMethod | undefined): readonly string[] {
  return method === undefined ? [] : placesOf(method).map(placeKey);
}

function isKept(method: ParsedMethod | undefined): boolean {
  return Object.values(method ?? {}).some((block) => block?.strip === false);
}

function checkOrigins(config: ParsedConfig, methods: Methods, { isGiven }: Written, report: CrossReport): void {
  const { defaults, routes } = config;
  const isShared = isGiven(['defaults', 'origins']);
  const told = new Set<string>();
  const tell = (severity: 'error' | 'warning', path: PathSegments, message: string): void => {
    const key = path.join();
    if (!told.has(key)) report(severity, path, message);
    told.add(key);
  };
  for (const [index, route] of routes.entries()) {
    const { names } = namedBy(config, index);
    const name = names.find((one) => ambientOf(methods.get(one)) !== null) ?? '';
    const ambient = ambientOf(methods.get(name));
    // Origins judge upgrades: without upstream there are none, and other requests are the app's to protect.
    if (ambient === null || route.upstream === undefined) continue;
    // Where defaults names the method, it can name the pages.
    const isOfDefaults = route.origins === undefined && (isShared || route.auth === undefined);
    const path = [...(isOfDefaults ? ['defaults'] : ['routes', index]), 'origins'];
    const which = `a ${ambient} for "${printable(name)}"`;
    if (route.origins === undefined && !isShared)
      tell('error', path, `is required: browsers send ${which} whatever page asks. Name your pages`);
    else if ((route.origins ?? defaults.origins) === 'any')
      tell('warning', path, `every page in the web can use ${which} of whoever visits it`);
  }
}

function checkOpen({ routes }: ParsedConfig, { isGiven }: Written, report: CrossReport): void {
  if (isGiven(['defaults', 'auth']) || !routes.some(({ auth }) => auth !== undefined && auth.length > 0)) return;
  for (const [index, { auth }] of routes.entries()) {
    if (auth !== undefined) continue;
    report('warning', ['routes', index], 'lets everybody in, and other routes have auth: write auth: [] if it should');
  }
}

function checkCertificates(
  { names, path }: Named,
  index: number,
  { methods, reached }: { readonly methods: Methods; readonly reached: readonly ParsedListener[] },
  report: CrossReport,
): void {
  const reads = names.filter((name) => methods.get(name)?.certificate !== undefined);
  const asking = reached.filter(({ tls }) => tls !== undefined && tls.client_auth !== 'none');
  for (const name of asking.length > 0 ? [] : reads) {
    const message = `no listener of this route asks for the certificates of "${printable(name)}" (tls.client_auth)`;
    report('warning', path, message);
  }
  // Who chose between certificates and something else has said what is good without one.
  if (reads.length > 0) return;
  const demanding = reached.find(({ tls }) => tls?.client_auth === 'require');
  const other = reached.find(({ tls }) => tls?.client_auth !== 'require');
  if (demanding === undefined || other === undefined) return;
  const [one, two] = [demanding, other].map((listener) => `"${printable(listenerName(listener))}"`);
  report('warning', ['routes', index, 'match'], `${two} leads here, too, without the certificate that ${one} requires`);
}
