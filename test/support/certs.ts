// Certificates made when a test asks for them: a CA, and leafs with one fault each. EC P-256, since RSA keys take
// seconds to make.

import './reflect.ts';
import type { webcrypto } from 'node:crypto';
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
} from '@peculiar/x509';

/** The name that the good leaf is for. */
export const GOOD_NAME = 'backend.test';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A certificate and its key, both PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  /** The common name; "Test leaf" otherwise. */
  readonly commonName?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** For a client certificate instead of a server's. */
  readonly client?: boolean;
}

type KeyPair = webcrypto.CryptoKeyPair;

/** One CA of the test, and what it issued. */
export interface TestCertificates {
  /** PEM of the CA, for `ca` options. */
  readonly ca: string;
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
  issue(options: LeafOptions): Promise<Identity>;
}

export async function makeCertificates(): Promise<TestCertificates> {
  const caKeys = await makeKeys();
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Test CA',
    serialNumber: '01',
    ...validity({}),
    signingAlgorithm: SIGNING,
    keys: caKeys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  let serial = 1;
  const issue = async (options: LeafOptions): Promise<Identity> => {
    const keys = await makeKeys();
    serial += 1;
    const leaf = await X509CertificateGenerator.create({
      subject: `CN=${options.commonName ?? 'Test leaf'}`,
      issuer: ca.subject,
      serialNumber: serial.toString(16).padStart(2, '0'),
      ...validity(options),
      signingAlgorithm: SIGNING,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: leafExtensions(options),
    });
    return { cert: leaf.toString('pem'), key: await keyPem(keys) };
  };
  const now = Date.now();
  const forGoodName = { dns: [GOOD_NAME] };
  const [good, expired, notYetValid, wrongName, client, selfSigned] = await Promise.all([
    issue({ dns: [GOOD_NAME, '*.wild.test', 'localhost'], ip: ['127.0.0.1', '::1'] }),
    issue({ ...forGoodName, notBefore: new Date(now - 2 * DAY_MS), notAfter: new Date(now - DAY_MS) }),
    issue({ ...forGoodName, notBefore: new Date(now + DAY_MS), notAfter: new Date(now + 2 * DAY_MS) }),
    issue({ dns: ['other.test'] }),
    issue({ client: true }),
    signOwn(forGoodName),
  ]);
  return { ca: ca.toString('pem'), good, expired, notYetValid, wrongName, selfSigned, client, issue };
}

async function signOwn(options: LeafOptions): Promise<Identity> {
  const keys = await makeKeys();
  const cert = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Test alone',
    serialNumber: '01',
    ...validity(options),
    signingAlgorithm: SIGNING,
    keys,
    extensions: leafExtensions(options),
  });
  return { cert: cert.toString('pem'), key: await keyPem(keys) };
}

function leafExtensions(options: LeafOptions): Extension[] {
  const names: JsonGeneralNames = [
    ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ip ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const usage = options.client === true ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usage]),
  ];
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
  return extensions;
}

function validity(options: LeafOptions): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return {
    notBefore: options.notBefore ?? new Date(now - DAY_MS),
    notAfter: options.notAfter ?? new Date(now + DAY_MS),
  };
}

async function makeKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function keyPem(keys: KeyPair): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}
