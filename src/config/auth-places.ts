// Owns what methods of a parsed `auth` read: their places, what tells their kinds apart there, and what of it browsers
// send along by themselves. It must not report.

import type { CredentialPlace } from '../protocol/credential-places.ts';
import type { Written } from './cross-report.ts';
import type { ParsedConfig } from './types.ts';

export type ParsedMethod = ParsedConfig['auth'][string];

/** By name. */
export type Methods = ReadonlyMap<string, ParsedMethod>;

/** Lets in who brought nothing; no method can have its name. */
export const ANONYMOUS = 'anonymous';

const AUTHORIZATION: CredentialPlace = { kind: 'header', name: 'authorization' };

export function placesOf({ api_key, basic, jwt, introspection, hmac }: ParsedMethod): readonly CredentialPlace[] {
  if (basic !== undefined || hmac !== undefined) return [AUTHORIZATION];
  return (api_key ?? jwt ?? introspection)?.from ?? [];
}

export function decodeOf({ api_key, jwt, introspection }: ParsedMethod): string {
  return (api_key ?? jwt ?? introspection)?.decode ?? 'off';
}

export function placeText({ kind, name }: CredentialPlace): string {
  return `${kind}:${name}`;
}

/** Whether one text can stand at both. */
export function meet(a: CredentialPlace, b: CredentialPlace): boolean {
  if (a.kind === b.kind && a.kind !== 'subprotocol_prefix') return a.name === b.name;
  if (a.kind === b.kind) return a.name.startsWith(b.name) || b.name.startsWith(a.name);
  // The marker of one is a credential of the other.
  if (a.kind === 'subprotocol_prefix' && b.kind === 'subprotocol') return b.name.startsWith(a.name);
  return a.kind === 'subprotocol' && b.kind === 'subprotocol_prefix' && a.name.startsWith(b.name);
}

/** Whether what stands at a place that both read is told apart by its form, in whatever order they are tried. */
export function areApart(a: ParsedMethod, b: ParsedMethod): boolean {
  const [one, other] = [kindOf(a), kindOf(b)];
  if (a.api_key !== undefined && b.api_key !== undefined) {
    const [prefix, second] = [a.api_key.prefix ?? '', b.api_key.prefix ?? ''];
    return !prefix.startsWith(second) && !second.startsWith(prefix);
  }
  if (one === other) return false;
  // Of a scheme of its own.
  if ([one, other].some((kind) => kind === 'basic' || kind === 'hmac')) return true;
  const key = a.api_key ?? b.api_key;
  // Whatever else is no token of introspection.
  return key === undefined || isDistinctPrefix(key.prefix ?? '');
}

/** RFC 7515 3.1: a JWT begins with the Base64 of "{". */
function isDistinctPrefix(prefix: string): boolean {
  return prefix !== '' && !/^e(?:$|[wy])/.test(prefix);
}

/** Those whose places are known: what stands in for a faulty one says nothing. */
export function soundMethods({ auth }: ParsedConfig, { isFaulty }: Written): Methods {
  return new Map(
    Object.entries(auth).filter(([name, method]) => {
      const path = ['auth', name, kindOf(method)];
      return !['from', 'prefix', 'send'].some((key) => isFaulty([...path, key]));
    }),
  );
}

function kindOf(method: ParsedMethod): string {
  return Object.entries(method).find(([, block]) => block !== undefined)?.[0] ?? '';
}

/** What a browser sends along whatever page asks, in words; null when the method reads none of it. */
export function ambientOf(method: ParsedMethod | undefined): string | null {
  if (method === undefined) return null;
  if (placesOf(method).some(({ kind }) => kind === 'cookie') || method.forward?.send.includes('cookie') === true)
    return 'cookie';
  if (method.basic !== undefined) return 'password';
  return method.certificate === undefined ? null : 'certificate';
}
