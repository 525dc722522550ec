// What TLS is in a bench: where it ends, with which certificate, and what every client asks for, so that all proxies
// end the same TLS. Pure but for the making of a client's context.

import { createSecureContext, type SecureContext } from 'node:tls';
import type { CertificateKind } from '../support/certificate-kinds.ts';

/** Where TLS is: nowhere, towards the client, or on both sides of the proxy. */
export type TlsSides = 'none' | 'client' | 'both';
export const TLS_VERSIONS = ['1.3', '1.2'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export interface TlsChoice {
  readonly certificate: CertificateKind;
  readonly version: TlsVersion;
}

/** What a client asks for, in the one form that every proxy can answer: a plan that goes from process to process. */
export type TlsPlan = TlsChoice;

/** Of a certificate that was made for one run. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Both in one, as HAProxy wants it. */
  readonly both: string;
}

/** The name in the certificate, which clients ask for. */
export const SERVER_NAME = 'localhost';
/** One of each: with a choice, proxies would choose differently, and AES costs another time than ChaCha. */
const GROUP = 'X25519';
/** Under TLS 1.2 the curve of an ECDSA certificate has to be among those that are offered. */
const GROUPS = 'X25519:P-256';
const MODERN_CIPHER = 'TLS_AES_128_GCM_SHA256';
const OLD_CIPHERS = { ecdsa: 'ECDHE-ECDSA-AES128-GCM-SHA256', rsa: 'ECDHE-RSA-AES128-GCM-SHA256' } as const;
const NO_GROUP = 'no new key';

/** The same for every connection of a process: making one costs as much as some handshakes. */
export function clientContext({ certificate, version }: TlsPlan): SecureContext {
  const name = `TLSv${version}` as const;
  const ciphers = version === '1.3' ? MODERN_CIPHER : OLD_CIPHERS[certificate];
  return createSecureContext({ minVersion: name, maxVersion: name, ciphers, ecdhCurve: GROUPS });
}

export interface Negotiated {
  readonly protocol: string | null;
  readonly cipher: string;
  /** Undefined where the session was resumed without a key exchange. */
  readonly group: string | undefined;
  readonly resumed: boolean;
}

/** Null when `found` is what was asked for; else how it differs. */
export function faultOfTls({ certificate, version }: TlsPlan, found: Negotiated): string | null {
  const cipher = version === '1.3' ? MODERN_CIPHER : OLD_CIPHERS[certificate];
  // A session of TLS 1.2 is resumed with the keys that it has.
  const group = found.resumed && version === '1.2' ? NO_GROUP : GROUP;
  const expected = `TLSv${version} ${cipher} ${group}`;
  const text = `${found.protocol ?? 'no TLS'} ${found.cipher} ${found.group ?? NO_GROUP}`;
  return text === expected ? null : `negotiated ${text}, expected ${expected}`;
}

export function tlsText({ certificate, version }: TlsChoice): string {
  const key = certificate === 'ecdsa' ? 'ECDSA P-256' : 'RSA 2048';
  return `TLS ${version}, ${MODERN_CIPHER.slice(4, 15).replaceAll('_', '-')}, ${GROUP}, certificate ${key}, tickets on`;
}
