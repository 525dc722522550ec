// Passwords without the time that scrypt takes: hashes that a test makes, and answers when it says so.

import { createHash, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { HashAsk } from '../../src/edge/auth/password-hasher.ts';
import { passwordHashText } from '../../src/protocol/password-hash.ts';

const SALT = Buffer.alloc(8, 7);

/** As the config has it; nothing but `PlainHashes` makes the same of the password. */
export function plainHash(password: string, ln = 10): string {
  return passwordHashText({ ln, r: 8, p: 1, salt: SALT, hash: digestOf({ password, salt: SALT, size: 32 }) });
}

/** As hash-password makes it, but cheap. */
export async function scryptHash(password: string): Promise<string> {
  const hashed: (text: string, salt: Buffer, size: number, cost: object) => Promise<Buffer> = promisify(scrypt);
  const hash = await hashed(password, SALT, 32, { N: 1024, r: 8, p: 1 });
  return passwordHashText({ ln: 10, r: 8, p: 1, salt: SALT, hash });
}

/** In place of scrypt. */
export class PlainHashes {
  readonly asked: HashAsk[] = [];
  /** While it is held, in the order in which they were asked for. */
  private readonly held: (() => void)[] = [];
  isHeld = false;

  readonly hash = (ask: HashAsk): Promise<Buffer> => {
    this.asked.push(ask);
    if (!this.isHeld) return Promise.resolve(digestOf(ask));
    return new Promise((resolve) => this.held.push(() => resolve(digestOf(ask))));
  };

  letGo(count = this.held.length): void {
    for (const one of this.held.splice(0, count)) one();
  }
}

function digestOf({ password, salt, size }: Pick<HashAsk, 'password' | 'salt' | 'size'>): Buffer {
  return createHash('sha256').update(salt).update(password).digest().subarray(0, size);
}
