// Owns reading the PEM files of an upstream's tls block: every certificate parsed, the key parsed and matched.

import { parseCertificates, parseKey, readPem } from './pem.ts';
import type { FileAccess } from './substitute.ts';
import type { ParsedConfig, TlsConfig } from './types.ts';

interface TlsContext extends FileAccess {
  readonly report: (key: 'ca' | 'cert' | 'key', message: string) => void;
}

type ParsedTls = NonNullable<ParsedConfig['upstreams'][string]['tls']>;

export function loadTls(tls: ParsedTls, context: TlsContext): TlsConfig {
  const ca = pemBytes('ca', tls.ca, context);
  const cert = pemBytes('cert', tls.cert, context);
  const key = pemBytes('key', tls.key, context);
  if (ca !== null) certificates('ca', ca, context);
  const [leaf] = cert === null ? [] : certificates('cert', cert, context);
  const parsedKey = key === null ? null : privateKey(key, context);
  if (leaf !== undefined && parsedKey !== null && !leaf.checkPrivateKey(parsedKey)) {
    context.report('key', 'this key does not belong to the first certificate of cert');
  }
  if (tls.cert !== undefined && tls.key === undefined) context.report('cert', 'needs its key in tls.key');
  if (tls.key !== undefined && tls.cert === undefined) context.report('key', 'needs its certificate in tls.cert');
  return { ca, cert, key, server_name: tls.server_name ?? null, verify: tls.verify };
}

function pemBytes(key: 'ca' | 'cert' | 'key', text: string | undefined, context: TlsContext): Buffer | null {
  if (text === undefined) return null;
  const bytes = readPem(text, context);
  if ('value' in bytes) return bytes.value;
  context.report(key, bytes.problem);
  return null;
}

function certificates(key: 'ca' | 'cert', pem: Buffer, context: TlsContext) {
  const parsed = parseCertificates(pem);
  if ('value' in parsed) return parsed.value;
  context.report(key, parsed.problem);
  return [];
}

function privateKey(pem: Buffer, context: TlsContext) {
  const parsed = parseKey(pem, null);
  if ('value' in parsed) return parsed.value;
  context.report('key', 'there is no PEM private key without passphrase in this file');
  return null;
}
