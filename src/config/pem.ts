// Owns what a PEM text holds: its blocks, certificates, private keys, revocation lists. It must not put anything of it
// into a message.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type FileAccess, readBytes } from './substitute.ts';
import type { Parsed } from './units.ts';

/** True for the text of a PEM file itself, as `${NAME}` or `{file: path}` bring it, instead of its path. */
export function isPemText(text: string): boolean {
  return text.includes('-----BEGIN ');
}

/** The PEM text that `text` names, or is. */
export function readPem(text: string, access: FileAccess): Parsed<Buffer> {
  if (isPemText(text)) return { value: Buffer.from(text) };
  const bytes = readBytes(text, access);
  // Copied: what was read into is far larger, and a config is copied with all that its bytes are a part of.
  return 'value' in bytes ? { value: Buffer.concat([bytes.value]) } : bytes;
}

export function parseCertificates(pem: Buffer): Parsed<readonly X509Certificate[]> {
  const certificates: X509Certificate[] = [];
  for (const block of pemBlocks(pem, 'CERTIFICATE')) {
    try {
      certificates.push(new X509Certificate(block));
    } catch {
      return { problem: `certificate ${certificates.length + 1} of this file cannot be parsed` };
    }
  }
  return certificates.length > 0 ? { value: certificates } : { problem: 'there is no PEM certificate in this file' };
}

/** `passphrase` is for an encrypted key, and does no harm to another one. */
export function parseKey(pem: Buffer, passphrase: string | null): Parsed<KeyObject> {
  try {
    return { value: createPrivateKey(passphrase === null ? pem : { key: pem, passphrase }) };
  } catch {
    const hasKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem.toString('latin1'));
    return {
      problem: hasKey ? 'the private key in this file cannot be parsed' : 'there is no PEM private key in this file',
    };
  }
}

export function isEncryptedKey(pem: Buffer): boolean {
  return /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: *4, *ENCRYPTED)/m.test(pem.toString('latin1'));
}

/** RFC 7468 2, of one label. What stands around them is for people. */
export function pemBlocks(pem: Buffer, label: string): readonly string[] {
  const text = pem.toString('latin1');
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const blocks: string[] = [];
  for (let start = text.indexOf(begin); start !== -1; start = text.indexOf(begin, start + 1)) {
    const last = text.indexOf(end, start);
    if (last === -1) break;
    blocks.push(`${text.slice(start, last + end.length)}\n`);
  }
  return blocks;
}

/** What a block holds. */
export function derOf(block: string): Uint8Array {
  return Buffer.from(block.replace(/-----[^-]*-----/g, ''), 'base64');
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault';
}
