// Owns reading the files of a listener's tls block, and finds out by trying that OpenSSL takes what is in them. It must
// not put anything of them into a message.

import type { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { dnsNames, nameOf } from '../protocol/certificate-names.ts';
import { printable } from './addresses.ts';
import { checkChain, checkLists, checkMode, checkValidity } from './check-certificates.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { loadAcme } from './load-acme.ts';
import { derOf, errorCode, isEncryptedKey, parseCertificates, parseKey, pemBlocks, readPem } from './pem.ts';
import type { PathSegments } from './problems.ts';
import { type FileAccess, type FileMode, resolvePath } from './substitute.ts';
import type { AcmeCertificate, ListenerCertificate, ListenerTls, ParsedConfig } from './types.ts';

export interface TlsAround extends FileAccess {
  readonly report: CrossReport;
  readonly isFaulty: Written['isFaulty'];
  readonly fileMode: FileMode;
  /** The file that a text at this path was read from. */
  readonly secretFileOf: (path: PathSegments) => string | null;
  /** The time that certificates are judged by. */
  readonly now: number;
}

type ParsedTls = NonNullable<ParsedConfig['listeners'][number]['tls']>;
type ParsedCertificate = ParsedTls['certificates'][number];

/** What a key that has no name of its own is called. */
const NAMELESS = 'unnamed';

/** `path` is that of the block. What could not be read is left out, and reported. */
export function loadListenerTls(tls: ParsedTls, path: PathSegments, around: TlsAround): ListenerTls {
  const ciphers = tls.ciphers ?? null;
  const hasCiphers = ciphers !== null && isTaken({ ciphers }, [...path, 'ciphers'], 'knows no such ciphers', around);
  const rest = hasCiphers ? { ciphers } : {};
  const certificates: ListenerCertificate[] = [];
  const acme: AcmeCertificate[] = [];
  for (const [position, one] of tls.certificates.entries()) {
    const at = [...path, 'certificates', position];
    if (around.isFaulty(at)) continue;
    if (one.acme !== undefined) acme.push(loadAcme(one.acme, position, at, around));
    else certificates.push(...loadCertificate(one, at, rest, around));
  }
  checkReaders(around.secretFileOf([...path, 'tickets']), [...path, 'tickets'], around);
  return {
    ...tls,
    certificates,
    acme,
    ciphers,
    client_ca: tls.client_ca === undefined ? null : loadAuthorities(tls.client_ca, [...path, 'client_ca'], around),
    client_crl: tls.client_crl === null ? null : loadLists(tls.client_crl, [...path, 'client_crl'], around),
  };
}

function loadCertificate(
  one: ParsedCertificate,
  path: PathSegments,
  rest: SecureContextOptions,
  around: TlsAround,
): readonly ListenerCertificate[] {
  const passphrase = one.passphrase ?? null;
  // What is missing has been told.
  if (one.cert === undefined || one.key === undefined) return [];
  const cert = pemAt(one.cert, [...path, 'cert'], around);
  const key = pemAt(one.key, [...path, 'key'], around);
  const chain = cert === null ? [] : certificatesIn(cert, [...path, 'cert'], around);
  const fits = key !== null && isKeyOf(chain[0], key, passphrase, path, around);
  checkChain(chain, [...path, 'cert'], around.report);
  checkReaders(around.secretFileOf([...path, 'key']) ?? one.key, [...path, 'key'], around);
  checkReaders(around.secretFileOf([...path, 'passphrase']), [...path, 'passphrase'], around);
  const [leaf] = chain;
  if (cert === null || leaf === undefined || !fits) return [];
  const options = { ...rest, cert, key, ...(passphrase === null ? {} : { passphrase }) };
  if (!isTaken(options, [...path, 'cert'], 'does not take this certificate', around)) return [];
  return [{ cert, key, passphrase, ...factsOf(leaf) }];
}

/** A text that is no path leads to no file. */
function checkReaders(file: string | null, path: PathSegments, { baseDir, fileMode, report }: TlsAround): void {
  if (file !== null) checkMode(fileMode(resolvePath(baseDir, file)), path, report);
}

/** Reports what is wrong. */
function isKeyOf(
  leaf: X509Certificate | undefined,
  pem: Buffer,
  passphrase: string | null,
  path: PathSegments,
  { report }: TlsAround,
): boolean {
  const wrong = (key: 'key' | 'passphrase', message: string): boolean => {
    report('error', [...path, key], message);
    return false;
  };
  const encrypted = isEncryptedKey(pem);
  if (encrypted && passphrase === null) return wrong('key', 'this key is encrypted: it needs its passphrase');
  const parsed = parseKey(pem, passphrase);
  if ('problem' in parsed)
    return encrypted
      ? wrong('passphrase', 'does not open the key, which may be damaged')
      : wrong('key', parsed.problem);
  if (passphrase !== null && !encrypted)
    report('warning', [...path, 'passphrase'], 'has no effect: the key is not encrypted');
  if (leaf === undefined) return false;
  return (
    leaf.checkPrivateKey(parsed.value) || wrong('key', 'this key does not belong to the first certificate of cert')
  );
}

function factsOf(leaf: X509Certificate): Pick<ListenerCertificate, 'names' | 'name' | 'not_before' | 'not_after'> {
  const commonName = commonNameOf(leaf);
  // RFC 9525 2: a certificate that lists names is for no other.
  const named = leaf.subjectAltName === undefined ? nameOf(commonName ?? '') : null;
  const names = leaf.subjectAltName === undefined ? (named === null ? [] : [named]) : dnsNames(leaf.subjectAltName);
  return {
    names,
    not_before: Date.parse(leaf.validFrom),
    not_after: Date.parse(leaf.validTo),
    name: names[0] ?? (commonName === null ? NAMELESS : printable(commonName)),
  };
}

/** Of several the last, which stands for the smallest. */
function commonNameOf(leaf: X509Certificate): string | null {
  const { CN } = leaf.toLegacyObject().subject ?? {};
  const name: unknown = Array.isArray(CN) ? CN.at(-1) : CN;
  return typeof name === 'string' && name !== '' ? name : null;
}

function loadAuthorities(text: string, path: PathSegments, around: TlsAround): Buffer | null {
  const pem = pemAt(text, path, around);
  if (pem === null || certificatesIn(pem, path, around).length === 0) return null;
  return isTaken({ ca: pem }, path, 'does not take these certificates', around) ? pem : null;
}

function loadLists(text: string, path: PathSegments, around: TlsAround): readonly Buffer[] | null {
  const pem = pemAt(text, path, around);
  if (pem === null) return null;
  const blocks = pemBlocks(pem, 'X509 CRL');
  const lists = blocks.map((block) => Buffer.from(block));
  if (lists.length === 0) around.report('error', path, 'there is no PEM revocation list (X509 CRL) in this file');
  for (const [index, crl] of lists.entries()) {
    if (!isTaken({ crl }, path, `cannot parse revocation list ${index + 1} of this file`, around)) return null;
  }
  checkLists(blocks.map(derOf), path, around.now, around.report);
  return lists;
}

function pemAt(text: string, path: PathSegments, around: TlsAround): Buffer | null {
  if (around.isFaulty(path)) return null;
  const pem = readPem(text, around);
  if ('value' in pem) return pem.value;
  around.report('error', path, pem.problem);
  return null;
}

function certificatesIn(pem: Buffer, path: PathSegments, around: TlsAround): readonly X509Certificate[] {
  const parsed = parseCertificates(pem);
  if ('problem' in parsed) {
    around.report('error', path, parsed.problem);
    return [];
  }
  checkValidity(parsed.value, path, around.now, around.report);
  return parsed.value;
}

/** Whether a secure context can be made of it. What is left out, such as the authorities, is none then. */
function isTaken(options: SecureContextOptions, path: PathSegments, why: string, { report }: TlsAround): boolean {
  try {
    createSecureContext({ ca: [], ...options });
    return true;
  } catch (error) {
    report('error', path, `OpenSSL ${why} (${errorCode(error)})`);
    return false;
  }
}
