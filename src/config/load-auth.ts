// Owns which files the methods of `auth` name, and has them read: keys and users, JWK Sets, and what TLS to services
// is made of.

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
  readonly report: (severity: 'error' | 'warning', path: PathSegments, message: string) => void;
  /** The list that such a file holds; null when it is faulty, which has been told. `path`: of the key. */
  readonly entriesOf: <K extends keyof EntryLists>(kind: K, file: string, path: PathSegments) => EntryLists[K] | null;
}

export function loadAuth({ auth }: ParsedConfig, around: AuthAround): LoadedAuth {
  const keys = new Map<string, readonly ApiKeyEntry[]>();
  const users = new Map<string, readonly UserEntry[]>();
  const sets = new Map<string, string>();
  const tls = new Map<string, TlsConfig>();
  const files = new Map<string, string>();
  for (const [name, { api_key, basic, jwt, introspection, forward }] of Object.entries(auth)) {
    const path = ['auth', name];
    if (api_key !== undefined) {
      const { keys: own } = api_key;
      const at = [...path, 'api_key', 'keys'];
      if ('file' in own) files.set(pathText(at), own.file);
      keys.set(name, 'file' in own ? (around.entriesOf('api_key', own.file, at) ?? []) : own);
    }
    if (basic !== undefined) {
      const { users: own } = basic;
      const at = [...path, 'basic', 'users'];
      if ('file' in own) files.set(pathText(at), own.file);
      users.set(name, 'file' in own ? (around.entriesOf('basic', own.file, at) ?? []) : own);
    }
    const file = jwt?.jwks?.file;
    if (file !== undefined) sets.set(name, readSet(file, [...path, 'jwt', 'jwks', 'file'], around));
    const services = { 'jwt.jwks': jwt?.jwks?.tls, introspection: introspection?.tls, forward: forward?.tls };
    for (const [block, own] of Object.entries(services)) {
      if (own === undefined) continue;
      const at = [...path, ...block.split('.'), 'tls'];
      for (const key of ['ca', 'cert', 'key'] as const) {
        const text = own[key];
        if (text !== undefined) files.set(pathText([...at, key]), text);
      }
      const report = (key: string, message: string) => around.report('error', [...at, key], message);
      tls.set(name, loadTls(own, { ...around, report }));
    }
  }
  return { keys, users, sets, tls, files };
}

/** Its JSON is judged by `check-auth`. */
function readSet(file: string, path: PathSegments, around: AuthAround): string {
  const text = readSecret(file, around);
  if ('value' in text) return text.value;
  around.report('error', path, text.problem);
  return '';
}
