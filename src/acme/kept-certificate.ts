// A certificate with its key as it is kept: one PEM text, so that both are replaced in one step.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { ListenerCertificate } from '../config/types.ts';
import { AcmeError } from './acme-error.ts';

const KEY = /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----/;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Throws AcmeError for what cannot be served, or is not for all of `domains`. */
export function certificateIn(text: string, domains: readonly string[]): ListenerCertificate {
  const [key] = KEY.exec(text) ?? [];
  const chain = text.match(CERTIFICATES) ?? [];
  const [first] = chain;
  if (key === undefined || first === undefined)
    throw new AcmeError('bad_certificate', 'no key or no certificate in it');
  const cert = `${chain.join('\n')}\n`;
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(first);
    createSecureContext({ cert, key, ca: [] });
  } catch (error) {
    throw new AcmeError('bad_certificate', 'OpenSSL does not take it', { cause: error });
  }
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new AcmeError('bad_certificate', 'it is for another key');
  const missing = domains.find((domain) => leaf.checkHost(domain) === undefined);
  if (missing !== undefined) throw new AcmeError('bad_certificate', `it is not for ${missing}`);
  return {
    cert: Buffer.from(cert),
    key: Buffer.from(`${key}\n`),
    passphrase: null,
    names: domains,
    not_before: Date.parse(leaf.validFrom),
    not_after: Date.parse(leaf.validTo),
    name: domains[0] ?? '',
  };
}
