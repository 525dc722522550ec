// Owns the checks of certificates: that each has its files or says how to get it, and of those that framegate gets that
// the authority can reach what proves their names.

import type { CrossReport, Written } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import type { ParsedConfig } from './types.ts';

type ParsedListener = ParsedConfig['listeners'][number];
type ParsedTls = NonNullable<ParsedListener['tls']>;
type ParsedCertificate = ParsedTls['certificates'][number];

export interface AcmePackage {
  /** Whether the package that speaks ACME is there. */
  readonly hasAcmeClient: () => boolean;
}

interface AcmeAround extends AcmePackage {
  readonly report: CrossReport;
  readonly isFaulty: Written['isFaulty'];
}

/** What authorities take (Let's Encrypt), and more than one certificate should be for. */
const DOMAINS_MAX = 100;
const HTTPS = 443;
const HTTP = 80;
const NO_PACKAGE = 'needs the package acme-client: npm install acme-client';
const NOT_AGREED = "has to be true: that you agree to the authority's terms of service";

export function checkAcme(config: ParsedConfig, { report, isFaulty, hasAcmeClient }: AcmeAround): void {
  let isTold = false;
  for (const [index, listener] of config.listeners.entries()) {
    for (const [at, one] of (listener.tls?.certificates ?? []).entries()) {
      const path = ['listeners', index, 'tls', 'certificates', at];
      if (isFaulty(path)) continue;
      checkForm(one, path, report);
      if (one.acme === undefined) continue;
      if (!isTold && !hasAcmeClient()) report('error', [...path, 'acme'], NO_PACKAGE, 'key');
      isTold = true;
      checkSettings(one.acme, [...path, 'acme'], report);
      if (one.acme.challenge === 'http-01') checkPlain(config, [...path, 'acme', 'challenge'], report);
      else checkDirect(listener, [...path, 'acme', 'challenge'], report);
    }
  }
}

function checkForm(one: ParsedCertificate, path: PathSegments, report: CrossReport): void {
  if (one.acme === undefined) {
    for (const key of ['cert', 'key'] as const)
      if (one[key] === undefined) report('error', [...path, key], 'is required');
    return;
  }
  for (const key of ['cert', 'key'] as const) {
    if (one[key] !== undefined) report('error', [...path, key], 'a certificate has cert and key, or acme', 'key');
  }
}

function checkSettings(
  { domains, agree }: NonNullable<ParsedCertificate['acme']>,
  path: PathSegments,
  report: CrossReport,
): void {
  if (!agree) report('error', [...path, 'agree'], NOT_AGREED);
  if (domains.length > DOMAINS_MAX) report('error', [...path, 'domains'], `at most ${DOMAINS_MAX} in one certificate`);
  for (const [at, domain] of domains.entries()) {
    const first = domains.indexOf(domain);
    if (first !== at) report('error', [...path, 'domains', at], `the same as domains[${first}]`);
  }
}

/** tls-alpn-01: the authority comes to the listener itself, and shows no certificate (RFC 8737 3). */
function checkDirect({ tls, address, proxy_protocol }: ParsedListener, path: PathSegments, report: CrossReport): void {
  if (tls?.client_auth === 'require')
    report('error', path, 'the authority shows no certificate, and client_auth is require: use http-01');
  if (proxy_protocol !== 'off')
    report('error', path, 'the authority sends no PROXY header, and proxy_protocol is on: use http-01');
  const { bind } = address;
  if (bind.kind === 'tcp' && bind.port === HTTPS) return;
  report(
    'warning',
    path,
    `the authority comes to port 443 of each domain: something has to forward it to ${address.text}`,
  );
}

/** http-01: any listener without TLS answers. */
function checkPlain({ listeners }: ParsedConfig, path: PathSegments, report: CrossReport): void {
  const plain = listeners.filter(({ tls, proxy_protocol }) => tls === undefined && proxy_protocol === 'off');
  if (plain.some(({ address: { bind } }) => bind.kind === 'tcp' && bind.port === HTTP)) return;
  const [first] = plain;
  const comes = 'the authority comes to port 80 of each domain:';
  const needs =
    first === undefined
      ? 'a listener without tls has to be there, here or in another process with this dir'
      : `something has to forward it to ${first.address.text}`;
  report('warning', path, `${comes} ${needs}`);
}
