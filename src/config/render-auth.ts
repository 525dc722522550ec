// Owns the methods of a loaded `auth` in the form in which they would be written: secrets are what their rows print.

import { originOf } from './origin.ts';
import { pathText } from './problems.ts';
import { SECRET } from './secret-file.ts';
import type { AuthConfig, Config, JwtKeyConfig, TlsConfig } from './types.ts';

type Plain = Record<string, unknown>;

/** The block of one method, its values not printed yet; `asIs` are, by their paths below it. */
export function writtenMethod(method: AuthConfig, config: Config): Plain {
  const { kind, name, ...rest } = method;
  const at = (...path: string[]) => pathText(['auth', name, kind, ...path]);
  const { files } = originOf(config);
  const listOf = (key: string, own: unknown): unknown => {
    const file = files.get(at(key));
    return file === undefined ? own : { file };
  };
  const tlsOf = (tls: TlsConfig | null, ...path: string[]): Plain | undefined => {
    if (tls === null) return undefined;
    const file = (key: 'ca' | 'cert' | 'key') =>
      tls[key] === null ? undefined : (files.get(at(...path, 'tls', key)) ?? SECRET);
    return { ...tls, ca: file('ca'), cert: file('cert'), key: file('key'), server_name: tls.server_name ?? undefined };
  };
  const keyOf = (key: JwtKeyConfig): Plain => {
    if (key.kind === 'secret') return { secret: key.secret };
    if (key.kind === 'pem') return { key: key.pem };
    if (key.kind === 'jwks_file') return { jwks: { file: key.file } };
    const { kind: _, tls, ...own } = key;
    return { jwks: { ...own, tls: tlsOf(tls, 'jwks') } };
  };
  switch (method.kind) {
    case 'api_key':
      return { [kind]: { ...rest, keys: listOf('keys', method.keys) } };
    case 'basic':
      return { [kind]: { ...rest, users: listOf('users', method.users) } };
    case 'jwt':
      return { [kind]: { ...rest, key: undefined, ...keyOf(method.key) } };
    case 'introspection':
    case 'forward':
      return { [kind]: { ...rest, tls: tlsOf(method.tls) } };
    case 'certificate':
      return { [kind]: { ...rest, allow: method.allow ?? undefined } };
    case 'hmac':
      return { [kind]: rest };
  }
}
