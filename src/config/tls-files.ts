// Owns reading the PEM files of an upstream's tls block: every certificate parsed, the key parsed and matched.
// It must not put file contents into a message.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type FileAccess, readBytes } from './substitute.ts';
import type { ParsedConfig, TlsConfig } from './types.ts';

interface TlsContext extends FileAccess {
  readonly report: (key: 'ca' | 'cert' | 'key', message: string) => void;
}

type ParsedTls = NonNullable<ParsedConfig['upstreams'][string]['tls']>;

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/** True for the text of a PEM file itself, as `${NAME}` or `{file: path}` bring it, instead of its path. */
export function isPemText(text: string): boolean {
  return text.startsWith('-----BEGIN ');
}

export function loadTls(tls: ParsedTls, context: TlsContext): TlsConfig {
  const ca = pemBytes('ca', tls.ca, context);
  const cert = pemBytes('cert', tls.cert, context);
  const key = pemBytes('key', tls.key, context);
  if (ca !== null) certificates('ca', ca, context);
  const chain = cert === null ? [] : certificates('cert', cert, context);
  const parsedKey = key === null ? null : privateKey(key, context);
  const [leaf] = chain;
  if (leaf !== undefined && parsedKey !== null && !leaf.checkPrivateKey(parsedKey)) {
    context.report('key', 'this key does not belong to the first certificate of cert');
  }
  if (tls.cert !== undefined && tls.key === undefined) context.report('cert', 'needs its key in tls.key');
  if (tls.key !== undefined && tls.cert === undefined) context.report('key', 'needs its certificate in tls.cert');
  return { ca, cert, key, server_name: tls.server_name ?? null, verify: tls.verify };
}

function pemBytes(key: 'ca' | 'cert' | 'key', text: string | undefined, context: TlsContext): Buffer | null {
  if (text === undefined) return null;
  if (isPemText(text)) return Buffer.from(text);
  const bytes = readBytes(text, context);
  if ('value' in bytes) return bytes.value;
  context.report(key, bytes.problem);
  return null;
}

function certificates(key: 'ca' | 'cert', pem: Buffer, context: TlsContext): X509Certificate[] {
  const text = pem.toString('latin1');
  const found: X509Certificate[] = [];
  for (let start = text.indexOf(BEGIN); start !== -1; start = text.indexOf(BEGIN, start + 1)) {
    const end = text.indexOf(END, start);
    if (end === -1) break;
    try {
      found.push(new X509Certificate(text.slice(start, end + END.length)));
    } catch {
      context.report(key, `certificate ${found.length + 1} of this file cannot be parsed`);
      return [];
    }
  }
  if (found.length === 0) context.report(key, 'there is no PEM certificate in this file');
  return found;
}

function privateKey(pem: Buffer, context: TlsContext): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    context.report('key', 'there is no PEM private key without passphrase in this file');
    return null;
  }
}
