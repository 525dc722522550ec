// The authorities of a listener's client certificates, and which of them one that was verified depends on: those who
// leave the config take their clients with them.

import { createHash, X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
/** Longer chains OpenSSL does not verify. */
const CHAIN_MAX = 100;

interface Authority {
  readonly certificate: X509Certificate;
  readonly digest: string;
}

export class ClientAuthorities {
  /** Of each of them, and of all together. */
  readonly digests: ReadonlySet<string>;
  private readonly all: string;
  private readonly list: readonly Authority[];

  constructor(pem: Buffer) {
    const blocks = pem.toString('latin1').match(CERTIFICATE) ?? [];
    this.list = blocks
      .map((block) => new X509Certificate(block))
      .map((certificate) => ({ certificate, digest: digestOf(certificate) }))
      // Of two with one name and key the one that holds for longer vouches.
      .sort((a, b) => Date.parse(b.certificate.validTo) - Date.parse(a.certificate.validTo));
    const digests = this.list.map(({ digest }) => digest).sort();
    this.all = createHash('sha256').update(digests.join()).digest('hex');
    this.digests = new Set([...digests, this.all]);
  }

  /**
   * `digests` that all have to stay for `leaf`, which OpenSSL has verified: of the authorities between it and a root.
   * Those that clients send are not there when a session is resumed: then it may be any, and all have to stay.
   */
  vouchingFor(leaf: X509Certificate): readonly string[] {
    const found: string[] = [];
    let below = leaf;
    for (let depth = 0; depth < CHAIN_MAX; depth += 1) {
      const authority = this.issuerOf(below);
      if (authority !== undefined) found.push(authority.digest);
      const above = authority?.certificate ?? below.issuerCertificate;
      if (above === undefined) return [this.all];
      if (above.checkIssued(above)) return found.length > 0 ? found : [this.all];
      below = above;
    }
    return [this.all];
  }

  /** By its name, and where several have that by their signature, which costs more. */
  private issuerOf(below: X509Certificate): Authority | undefined {
    const [first, ...others] = this.list.filter(({ certificate }) => below.checkIssued(certificate));
    if (first === undefined || others.length === 0) return first;
    return [first, ...others].find(({ certificate }) => below.verify(certificate.publicKey));
  }
}

function digestOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase();
}
