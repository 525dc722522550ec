// Who a client certificate is for: one of its names, out of the texts that OpenSSL and Node make of them. What cannot
// be read without doubt names nobody.

import { altNames, nameOf } from './certificate-names.ts';

/** The texts, as `net/secure-accept` gives them. */
interface CertificateNames {
  /** RFC 4514, the most specific part first. */
  readonly subject: string;
  /** `DNS:a,URI:x`; null when it has none. */
  readonly san: string | null;
  readonly sha256: string;
}

type CertificateSubject = 'san_uri' | 'san_dns' | 'cn' | 'sha256';

const BYTES_MAX = 256;
/** Such a name would break lines of logs. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
/** One part of a subject: what is escaped there is not what parts it. */
const PART = /(?:[^,\\]|\\.)+/gs;

/** Null: nobody that could be told. Of several of a type the first. */
export function certificateIdentity(certificate: CertificateNames, by: CertificateSubject): string | null {
  const name = nameBy(certificate, by);
  const isGood = name !== '' && name !== null && Buffer.byteLength(name) <= BYTES_MAX && !CONTROL.test(name);
  return isGood ? name : null;
}

function nameBy({ subject, san, sha256 }: CertificateNames, by: CertificateSubject): string | null {
  switch (by) {
    case 'san_uri':
      return firstOf(san, 'URI');
    case 'san_dns': {
      const name = firstOf(san, 'DNS');
      return name === null ? null : nameOf(name);
    }
    case 'cn':
      return commonName(subject);
    case 'sha256':
      return sha256;
  }
}

function firstOf(san: string | null, type: string): string | null {
  return altNames(san ?? '', ',').find((name) => name.type === type)?.text ?? null;
}

/** RFC 4514 2.4: "," and "+" of a value itself come escaped; a "+" that is not joins two attributes to one part. */
function commonName(subject: string): string | null {
  const part = subject.match(PART)?.find((one) => one.startsWith('CN='));
  if (part === undefined || /(?:^|[^\\])(?:\\\\)*\+/.test(part)) return null;
  const bytes: Buffer[] = [];
  for (const [, hex, plain, text = ''] of part.slice('CN='.length).matchAll(/\\([0-9A-Fa-f]{2})|\\(.)|([^\\]+)/gs))
    bytes.push(hex === undefined ? Buffer.from(plain ?? text) : Buffer.from(hex, 'hex'));
  return Buffer.concat(bytes).toString('utf8');
}
