// What is known of the attempts to get a certificate, kept beside it: a process that is started again and again must
// not ask an authority each time, and those that share a folder fail as one.

import { createHash } from 'node:crypto';
import type { AcmeCertificate } from '../config/types.ts';
import { leftMs } from './schedule.ts';
import type { AcmeStore } from './store.ts';

export interface Attempts {
  /** In a row. */
  readonly failures: number;
  /** When the next one may be, and when the certificate was got; milliseconds since 1970, null: not known. */
  readonly retryAt: number | null;
  readonly obtainedAt: number | null;
  /** How it was asked for (`asked`); '' where nobody knows. */
  readonly by: string;
}

export const NO_ATTEMPTS: Attempts = { failures: 0, retryAt: null, obtainedAt: null, by: '' };
const DIGEST_LENGTH = 16;
const FAILURES_MAX = 1_000;

/** What may be the cause of a failure, and nothing of what it is for: who changes it has not to wait. */
export function asked({ email, challenge, directory, eab, tls }: AcmeCertificate): string {
  const hash = createHash('sha256').update(JSON.stringify([email, challenge, directory.text, eab]));
  return hash
    .update(tls?.ca ?? '')
    .digest('hex')
    .slice(0, DIGEST_LENGTH);
}

/** Rejects with AcmeError. What is damaged counts as nothing. */
export async function readAttempts(store: AcmeStore, settings: AcmeCertificate): Promise<Attempts> {
  try {
    const value: unknown = JSON.parse((await store.read(fileOf(settings.id)))?.text ?? 'null');
    if (typeof value !== 'object' || value === null) return NO_ATTEMPTS;
    const time = (key: string): number | null => {
      const at: unknown = Reflect.get(value, key);
      return typeof at === 'number' && Number.isFinite(at) ? at : null;
    };
    const obtainedAt = time('obtainedAt');
    const by = asked(settings);
    if (Reflect.get(value, 'by') !== by) return { ...NO_ATTEMPTS, obtainedAt, by };
    const failures = Math.min(Math.max(Math.trunc(time('failures') ?? 0), 0), FAILURES_MAX);
    return { failures, retryAt: time('retryAt'), obtainedAt, by };
  } catch (error) {
    if (error instanceof SyntaxError) return NO_ATTEMPTS;
    throw error;
  }
}

export function writeAttempts(store: AcmeStore, id: string, attempts: Attempts): Promise<void> {
  return store.write(fileOf(id), JSON.stringify(attempts));
}

/** How long nobody is to ask. */
export function waitOf({ retryAt }: Attempts, wallNow: number): number {
  return retryAt === null ? 0 : leftMs(retryAt, wallNow);
}

function fileOf(id: string): string {
  return `attempts-${id}.json`;
}
