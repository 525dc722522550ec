// Owns which files the methods of `auth` name, and has them read: keys and users, JWK Sets, and what TLS to services
// is made of.

import { checkKeys, checkNames } from './check-auth-entries.ts';
import { checkPem, checkPublicAlgorithms, checkSecret, checkSet } from './check-jwt-keys.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { isPemText } from './pem.ts';
import { type PathSegments, pathText } from './problems.ts';
import { type FileAccess, readSecret } from './substitute.ts';
import { loadTls } from './tls-files.ts';
import type { ApiKeyEntry, ParsedConfig, TlsConfig, UserEntry } from './types.ts';

/** By the name of the method. */
export interface LoadedAuth {
  readonly keys: ReadonlyMap<string, readonly ApiKeyEntry[]>;
  readonly users: ReadonlyMap<string, readonly UserEntry[]>;
  /** JSON of a JWK Set. */
  readonly sets: ReadonlyMap<string, string>;
  readonly tls: ReadonlyMap<string, TlsConfig>;
  /** What the files are called, by the path of the key. */
  readonly files: ReadonlyMap<string, string>;
}

/** Lists that a file of their own may hold, and what their entries are. */
export interface EntryLists {
  readonly api_key: readonly ApiKeyEntry[];
  readonly basic: readonly UserEntry[];
}

interface AuthAround extends FileAccess {
  readonly now: number;
  /** Names of the routes; null when some are not known. */
  readonly routes: ReadonlySet<string> | null;
  readonly isFaulty: Written['isFaulty'];
  readonly report: CrossReport;
  /** The list that such a file holds; null when it is faulty, which has been told. `path`: of the key. */
  readonly entriesOf: <K extends keyof EntryLists>(kind: K, file: string, path: PathSegments) => EntryLists[K] | null;
}

export function loadAuth({ auth }: ParsedConfig, given: AuthAround): LoadedAuth {
  // What stands in for a faulty value fits nothing.
  const report: CrossReport = (severity, path, message) => {
    if (!given.isFaulty(path)) given.report(severity, path, message);
  };
  const around = { ...given, report };
  const loaded = {
    keys: new Map<string, readonly ApiKeyEntry[]>(),
    users: new Map<string, readonly UserEntry[]>(),
    sets: new Map<string, string>(),
    tls: new Map<string, TlsConfig>(),
    files: new Map<string, string>(),
  };
  for (const [name, method] of Object.entries(auth)) {
    const path = ['auth', name];
    const { api_key, basic, jwt, hmac } = method;
    if (api_key !== undefined) {
      const { keys } = api_key;
      const at = [...path, 'api_key', 'keys'];
      if ('file' in keys) loaded.files.set(pathText(at), keys.file);
      else checkKeys(keys, at, around);
      loaded.keys.set(name, 'file' in keys ? (around.entriesOf('api_key', keys.file, at) ?? []) : keys);
    }
    if (basic !== undefined) {
      const { users } = basic;
      const at = [...path, 'basic', 'users'];
      if ('file' in users) loaded.files.set(pathText(at), users.file);
      else checkNames(users, at, around);
      loaded.users.set(name, 'file' in users ? (around.entriesOf('basic', users.file, at) ?? []) : users);
    }
    if (hmac !== undefined) checkNames(hmac.keys, [...path, 'hmac', 'keys'], around);
    if (jwt !== undefined) loadSet(jwt, name, around, loaded.sets);
    loadServices(method, name, around, loaded);
  }
  return loaded;
}

type ParsedMethod = ParsedConfig['auth'][string];

/** The set of a file is kept; keys of all kinds are held against the algorithms. */
function loadSet(
  { secret, key, jwks, algorithms }: NonNullable<ParsedMethod['jwt']>,
  name: string,
  around: AuthAround,
  sets: Map<string, string>,
): void {
  const path = ['auth', name, 'jwt'];
  if (secret !== undefined) checkSecret(secret, algorithms, path, around.report);
  if (key !== undefined) checkPem(key, algorithms, path, around.report);
  if (jwks === undefined) return;
  checkPublicAlgorithms(algorithms, path, around.report);
  if (jwks.file === undefined) return;
  const text = readSecret(jwks.file, around);
  if ('value' in text) checkSet(text.value, algorithms, path, around.report);
  else around.report('error', [...path, 'jwks', 'file'], text.problem);
  sets.set(name, 'value' in text ? text.value : '');
}

function loadServices(
  { jwt, introspection, forward }: ParsedMethod,
  name: string,
  around: AuthAround,
  { tls, files }: { readonly tls: Map<string, TlsConfig>; readonly files: Map<string, string> },
): void {
  const services = { 'jwt.jwks': jwt?.jwks?.tls, introspection: introspection?.tls, forward: forward?.tls };
  for (const [block, own] of Object.entries(services)) {
    if (own === undefined) continue;
    const at = ['auth', name, ...block.split('.'), 'tls'];
    for (const key of ['ca', 'cert', 'key'] as const) {
      const text = own[key];
      if (text !== undefined && !isPemText(text)) files.set(pathText([...at, key]), text);
    }
    const report = (key: string, message: string) => around.report('error', [...at, key], message);
    tls.set(name, loadTls(own, { ...around, report }));
  }
}
