// Owns the warnings about certificates that are read: when they end, what they are for, who else can read their keys.
// It reads no clock and no file: the time and the modes come in.

import type { X509Certificate } from 'node:crypto';
import { nextUpdateOf } from '../protocol/revocation-list.ts';
import { inPlaces } from '../protocol/tls/certificate-order.ts';
import type { CrossReport } from './cross-report.ts';
import { listenerName } from './names.ts';
import type { PathSegments } from './problems.ts';
import type { ListenerTls, ParsedConfig } from './types.ts';

const DAY_MS = 86_400_000;
/** Time enough to see the warning, and less than what renewing in time leaves. */
const SOON_MS = 14 * DAY_MS;
/** RFC 5280 4.2.1.12: TLS servers, and anything. */
const SERVER_USES = ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'];
const OTHERS_READ = 0o044;
/** Names in one message. */
const NAMES_SHOWN = 5;

export function checkValidity(
  certificates: readonly X509Certificate[],
  path: PathSegments,
  now: number,
  report: CrossReport,
): void {
  for (const [index, { validFrom, validTo }] of certificates.entries()) {
    const which = certificates.length === 1 ? 'this certificate' : `certificate ${index + 1} of this file`;
    const start = Date.parse(validFrom);
    const end = Date.parse(validTo);
    if (Number.isNaN(start) || Number.isNaN(end)) report('error', path, `${which} says no time that can be read`);
    else if (now > end) report('warning', path, `${which} ended at ${timeText(end)}`);
    else if (now < start) report('warning', path, `${which} is not valid before ${timeText(start)}`);
    else if (end - now <= SOON_MS) report('warning', path, `${which} ends soon, at ${timeText(end)}`);
  }
}

/** Behind the end of its list OpenSSL takes no certificate of an authority. */
export function checkLists(lists: readonly Uint8Array[], path: PathSegments, now: number, report: CrossReport): void {
  for (const [index, der] of lists.entries()) {
    const next = nextUpdateOf(der);
    if (next === null || now <= next) continue;
    const which = lists.length === 1 ? 'this list' : `list ${index + 1} of this file`;
    report('warning', path, `${which} ended at ${timeText(next)}: clients of its authority are refused`);
  }
}

function timeText(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

/** A server's certificate with those behind it, each of which is to have issued the one before. */
export function checkChain(chain: readonly X509Certificate[], path: PathSegments, report: CrossReport): void {
  for (const [index, certificate] of chain.entries()) {
    const issued = chain[index - 1];
    if (issued !== undefined && !issued.checkIssued(certificate))
      report('warning', path, `certificate ${index + 1} of this file has not issued the one before it`);
  }
  // Not listed in the certificate: for all uses. Node's name for the extension is the name of another one.
  const uses: readonly string[] | undefined = chain[0]?.keyUsage;
  if (uses !== undefined && !uses.some((use) => SERVER_USES.includes(use)))
    report('warning', path, 'this certificate is not for servers (extended key usage)');
}

/** `mode` is null for what is no regular file. */
export function checkMode(mode: number | null, path: PathSegments, report: CrossReport): void {
  if (mode === null || (mode & OTHERS_READ) === 0) return;
  report('warning', path, `group or others can read this file (mode ${mode.toString(8).padStart(4, '0')})`);
}

/** `loaded` is by the position of the listener. */
export function checkNames(
  { listeners, routes }: ParsedConfig,
  loaded: ReadonlyMap<number, ListenerTls>,
  report: CrossReport,
): void {
  for (const [index, tls] of loaded) {
    const listener = listeners[index];
    const all = inPlaces(tls.certificates, tls.acme);
    // One that could not be loaded is missing, and has been told.
    if (listener?.tls?.certificates.length !== all.length) continue;
    const name = listenerName(listener);
    const hosts = hostsOf(routes.filter(({ match }) => !match.listeners?.length || match.listeners.includes(name)));
    const taken = new Map<string, number>();
    for (const [at, one] of all.entries()) {
      const names = 'position' in one ? one.domains : one.names;
      const path = ['listeners', index, 'tls', 'certificates', at];
      const lost = hosts === null ? [] : names.filter((name) => !isReached(name, hosts));
      if (lost.length > 0) report('warning', path, `no route on this listener is for ${listed(lost)}`);
      const first = names.map((name) => taken.get(name)).find((other) => other !== undefined);
      const twice = names.filter((name) => taken.get(name) === first);
      if (first !== undefined)
        report('warning', path, `certificates[${first}] is for ${listed(twice)} too, and goes before this one`);
      for (const name of names) if (!taken.has(name)) taken.set(name, at);
    }
  }
}

/** What routes are for: whole names, what stands behind the first label of these, and what stands behind a "*.". */
interface Hosts {
  readonly exact: ReadonlySet<string>;
  readonly parents: ReadonlySet<string>;
  readonly wild: ReadonlySet<string>;
}

/** Null: any host, or there is no route at all, which is told elsewhere. */
function hostsOf(routes: ParsedConfig['routes']): Hosts | null {
  if (routes.length === 0 || routes.some(({ match }) => !match.hosts?.length)) return null;
  const all = routes.flatMap(({ match }) => match.hosts ?? []);
  const exact = all.filter((host) => !host.startsWith('*.'));
  const wild = all.filter((host) => host.startsWith('*.'));
  return { exact: new Set(exact), parents: new Set(exact.map(parentOf)), wild: new Set(wild.map(parentOf)) };
}

/** A "*." of a certificate is for one label, one of a route for one or more. */
function isReached(name: string, { exact, parents, wild }: Hosts): boolean {
  const isWild = name.startsWith('*.');
  if (isWild ? parents.has(parentOf(name)) : exact.has(name)) return true;
  for (let above = parentOf(name); above !== ''; above = parentOf(above)) if (wild.has(above)) return true;
  return false;
}

/** What stands behind the first label. */
function parentOf(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(', ');
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}
