// Owns which files the tls blocks of a config name, and has them read: of upstreams and of listeners.

import { type AcmePackage, checkAcme } from './check-acme.ts';
import { checkNames } from './check-certificates.ts';
import { checkTls } from './check-tls.ts';
import { loadListenerTls, type TlsAround } from './listener-tls.ts';
import { isPemText } from './pem.ts';
import { type PathSegments, pathText } from './problems.ts';
import { loadTls } from './tls-files.ts';
import type { ListenerTls, ParsedConfig, TlsConfig } from './types.ts';

export interface LoadedTls {
  /** By name. */
  readonly upstreams: ReadonlyMap<string, TlsConfig>;
  /** By position. */
  readonly listeners: ReadonlyMap<number, ListenerTls>;
  /** What the files are called, by the path of the key. */
  readonly files: ReadonlyMap<string, string>;
}

export function loadAllTls(parsed: ParsedConfig, around: TlsAround & AcmePackage): LoadedTls {
  const files = new Map<string, string>();
  const upstreams = new Map<string, TlsConfig>();
  for (const [name, { tls }] of Object.entries(parsed.upstreams)) {
    if (tls === undefined) continue;
    const path = ['upstreams', name, 'tls'];
    noteFiles(tls, ['ca', 'cert', 'key'], path, files);
    const report = (key: string, message: string) => around.report('error', [...path, key], message);
    upstreams.set(name, loadTls(tls, { ...around, report }));
  }
  const listeners = new Map<number, ListenerTls>();
  for (const [index, { tls }] of parsed.listeners.entries()) {
    if (tls === undefined) continue;
    const path = ['listeners', index, 'tls'];
    noteFiles(tls, ['client_ca', 'client_crl'], path, files);
    for (const [at, one] of tls.certificates.entries()) {
      noteFiles(one, ['cert', 'key'], [...path, 'certificates', at], files);
      noteFiles(one.acme?.tls ?? {}, ['ca'], [...path, 'certificates', at, 'acme', 'tls'], files);
    }
    listeners.set(index, loadListenerTls(tls, path, around));
  }
  checkTls(parsed, around.report);
  checkAcme(parsed, around);
  if (!around.isFaulty(['routes'])) checkNames(parsed, listeners, around.report);
  return { upstreams, listeners, files };
}

function noteFiles<K extends string>(
  block: { readonly [P in K]?: string | null | undefined },
  keys: readonly K[],
  path: PathSegments,
  files: Map<string, string>,
): void {
  for (const key of keys) {
    const text = block[key];
    if (typeof text === 'string' && !isPemText(text)) files.set(pathText([...path, key]), text);
  }
}
