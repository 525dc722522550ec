// The account at an authority: its key, made with the first order, and the URL that it has there.

import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { AcmeCertificate } from '../config/types.ts';
import type { Account } from './authority.ts';
import type { AcmeStore } from './store.ts';

type Whose = Pick<AcmeCertificate, 'directory' | 'email' | 'eab'>;

const NAME_LENGTH = 16;

/** Rejects with AcmeError, as all of these. */
export async function accountOf(store: AcmeStore, whose: Whose): Promise<Account> {
  const kept = parsed((await store.read(fileOf(whose)))?.text ?? '');
  if (kept !== null) return kept;
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const account = { key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })), url: null };
  // Before it is used: an account whose key is lost counts at the authority all the same.
  await keepAccount(store, whose, account);
  return account;
}

export function keepAccount(store: AcmeStore, whose: Whose, account: Account): Promise<void> {
  return store.write(fileOf(whose), JSON.stringify(account));
}

/** The authority does not know it: its key is used for another one. */
export async function forgetAccount(store: AcmeStore, whose: Whose): Promise<void> {
  await keepAccount(store, whose, { ...(await accountOf(store, whose)), url: null });
}

function fileOf({ directory, email, eab }: Whose): string {
  const { authority, path } = directory;
  const hash = createHash('sha256').update(JSON.stringify([authority, path, email, eab?.kid ?? null]));
  return `account-${hash.digest('hex').slice(0, NAME_LENGTH)}.json`;
}

function parsed(text: string): Account | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const [key, url] = [Reflect.get(value, 'key'), Reflect.get(value, 'url')] as unknown[];
    return typeof key === 'string' ? { key, url: typeof url === 'string' ? url : null } : null;
  } catch {
    return null;
  }
}
