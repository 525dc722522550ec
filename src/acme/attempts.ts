// What is known of the attempts to get a certificate, kept beside it: a process that is started again and again must
// not ask an authority each time, and those that share a folder fail as one.

import { leftMs } from './schedule.ts';
import type { AcmeStore } from './store.ts';

export interface Attempts {
  /** In a row. */
  readonly failures: number;
  /** When the next one may be, and when the certificate was got; milliseconds since 1970, null: not known. */
  readonly retryAt: number | null;
  readonly obtainedAt: number | null;
}

export const NO_ATTEMPTS: Attempts = { failures: 0, retryAt: null, obtainedAt: null };
const FAILURES_MAX = 1_000;

/** Rejects with AcmeError. What is damaged counts as nothing. */
export async function readAttempts(store: AcmeStore, id: string): Promise<Attempts> {
  try {
    const value: unknown = JSON.parse((await store.read(fileOf(id)))?.text ?? 'null');
    if (typeof value !== 'object' || value === null) return NO_ATTEMPTS;
    const time = (key: string): number | null => {
      const at: unknown = Reflect.get(value, key);
      return typeof at === 'number' && Number.isFinite(at) ? at : null;
    };
    const failures = Math.trunc(time('failures') ?? 0);
    return {
      failures: Math.min(Math.max(failures, 0), FAILURES_MAX),
      retryAt: time('retryAt'),
      obtainedAt: time('obtainedAt'),
    };
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
