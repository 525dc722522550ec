// Certificates made when a test asks for them: CAs, those between them and a leaf, leafs with one fault each, lists of
// those revoked. EC P-256 unless a test asks for RSA, whose keys take long to make: one for the whole run.

import './reflect.ts';
import { createPrivateKey, type webcrypto, X509Certificate } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';

/** The name that the good leaf is for. */
export const GOOD_NAME = 'backend.test';

const ALGORITHMS = {
  ec: { name: 'ECDSA', namedCurve: 'P-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const;
/** Of the CAs, which are all EC. */
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A certificate with those between it and its CA, and its key, both PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

interface Validity {
  /** A day ago unless given. */
  readonly notBefore?: Date;
  /** A day from now unless given: ending soon. */
  readonly notAfter?: Date;
}

export interface LeafOptions extends Validity {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  /** Further names of other types, such as `{ type: 'url', value: 'spiffe://x' }`. */
  readonly names?: JsonGeneralNames;
  /** The common name; "Test leaf" otherwise. */
  readonly commonName?: string;
  /** For a client certificate instead of a server's. */
  readonly client?: boolean;
  readonly keys?: keyof typeof ALGORITHMS;
}

type KeyPair = webcrypto.CryptoKeyPair;

export interface Authority {
  /** PEM of this CA, for `ca` options. */
  readonly ca: string;
  issue(options?: LeafOptions): Promise<Identity>;
  /** A CA below this one: what it issues comes with the certificate of it. */
  below(name: string, validity?: Validity): Promise<Authority>;
  /** PEM of a list that revokes these. */
  crl(revoked?: readonly Identity[], validity?: Validity): Promise<string>;
}

/** One CA of the test, and what it issued. */
export interface TestCertificates extends Authority {
  /** For backend.test, *.wild.test, localhost, 127.0.0.1 and ::1. */
  readonly good: Identity;
  readonly expired: Identity;
  readonly notYetValid: Identity;
  /** For other.test only. */
  readonly wrongName: Identity;
  /** For backend.test, signed by its own key. */
  readonly selfSigned: Identity;
  /** A certificate for TLS clients. */
  readonly client: Identity;
}

let made: Promise<TestCertificates> | undefined;

/** The same ones each time. */
export function makeCertificates(): Promise<TestCertificates> {
  made ??= certificatesOf();
  return made;
}

/** Of another CA, which has the same name. */
export function otherCertificates(): Promise<TestCertificates> {
  return certificatesOf();
}

async function certificatesOf(): Promise<TestCertificates> {
  const authority = await makeAuthority();
  const { issue } = authority;
  const forGoodName = { dns: [GOOD_NAME] };
  const [good, expired, notYetValid, wrongName, client, selfSigned] = await Promise.all([
    issue({ dns: [GOOD_NAME, '*.wild.test', 'localhost'], ip: ['127.0.0.1', '::1'] }),
    issue({ ...forGoodName, notBefore: daysFromNow(-2), notAfter: daysFromNow(-1) }),
    issue({ ...forGoodName, notBefore: daysFromNow(1), notAfter: daysFromNow(2) }),
    issue({ dns: ['other.test'] }),
    issue({ client: true }),
    signOwn(forGoodName),
  ]);
  return { ...authority, good, expired, notYetValid, wrongName, selfSigned, client };
}

export function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * DAY_MS);
}

/** The same key as encrypted PKCS#8. */
export function encryptedKey(key: string, passphrase: string): string {
  return createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
}

export async function makeAuthority(name = 'Test CA', validity: Validity = {}): Promise<Authority> {
  const keys = await makeKeys('ec');
  const root = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    serialNumber: nextSerial(),
    ...validityOf(validity),
    signingAlgorithm: SIGNING,
    keys,
    extensions: authorityExtensions(),
  });
  return authorityOf({ subject: root.subject, pem: pemLines(root.toString('pem')), chain: '', keys });
}

interface Issuer {
  readonly subject: string;
  readonly pem: string;
  /** What goes with a leaf: this one and those above it, without the root. */
  readonly chain: string;
  readonly keys: KeyPair;
}

function authorityOf(issuer: Issuer): Authority {
  const sign = async (subject: string, { publicKey }: KeyPair, validity: Validity, extensions: Extension[]) => {
    const certificate = await X509CertificateGenerator.create({
      subject,
      issuer: issuer.subject,
      serialNumber: nextSerial(),
      ...validityOf(validity),
      signingAlgorithm: SIGNING,
      publicKey,
      signingKey: issuer.keys.privateKey,
      extensions,
    });
    return pemLines(certificate.toString('pem'));
  };
  return {
    ca: issuer.pem,
    issue: async (options = {}) => {
      const keys = await makeKeys(options.keys ?? 'ec');
      const pem = await sign(subjectOf(options), keys, options, leafExtensions(options));
      return { cert: pem + issuer.chain, key: await keyPem(keys) };
    },
    below: async (name, validity = {}) => {
      const keys = await makeKeys('ec');
      const pem = await sign(`CN=${name}`, keys, validity, authorityExtensions());
      return authorityOf({ subject: `CN=${name}`, pem, chain: pem + issuer.chain, keys });
    },
    crl: async (revoked = [], { notBefore = daysFromNow(-1), notAfter = daysFromNow(1) } = {}) => {
      const list = await X509CrlGenerator.create({
        issuer: issuer.subject,
        thisUpdate: notBefore,
        nextUpdate: notAfter,
        entries: revoked.map(({ cert }) => ({ serialNumber: new X509Certificate(cert).serialNumber })),
        signingAlgorithm: SIGNING,
        signingKey: issuer.keys.privateKey,
      });
      // RFC 7468 7; the tag that the library has is one that OpenSSL does not read.
      return pemLines(PemConverter.encode(list.rawData, 'X509 CRL'));
    },
  };
}

async function signOwn(options: LeafOptions): Promise<Identity> {
  const keys = await makeKeys('ec');
  const cert = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Test alone',
    serialNumber: nextSerial(),
    ...validityOf(options),
    signingAlgorithm: SIGNING,
    keys,
    extensions: leafExtensions(options),
  });
  return { cert: pemLines(cert.toString('pem')), key: await keyPem(keys) };
}

function subjectOf({ commonName = 'Test leaf' }: LeafOptions): string {
  return `CN=${commonName}`;
}

function authorityExtensions(): Extension[] {
  return [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

function leafExtensions(options: LeafOptions): Extension[] {
  const names: JsonGeneralNames = [
    ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ip ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(options.names ?? []),
  ];
  const usage = options.client === true ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth;
  const forKeys = options.keys === 'rsa' ? KeyUsageFlags.keyEncipherment : 0;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature | forKeys, true),
    new ExtendedKeyUsageExtension([usage]),
  ];
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
  return extensions;
}

function validityOf({ notBefore = daysFromNow(-1), notAfter = daysFromNow(1) }: Validity): Required<Validity> {
  return { notBefore, notAfter };
}

let serial = 0;

/** The first byte keeps it positive, however many there are. */
function nextSerial(): string {
  serial += 1;
  return `01${serial.toString(16).padStart(8, '0')}`;
}

let rsaKeys: Promise<KeyPair> | undefined;

function makeKeys(kind: keyof typeof ALGORITHMS): Promise<KeyPair> {
  if (kind === 'rsa') {
    rsaKeys ??= crypto.subtle.generateKey(ALGORITHMS.rsa, true, ['sign', 'verify']);
    return rsaKeys;
  }
  return crypto.subtle.generateKey(ALGORITHMS.ec, true, ['sign', 'verify']);
}

async function keyPem(keys: KeyPair): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}

/** Ends with a line end, so that one can stand behind another. */
function pemLines(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
