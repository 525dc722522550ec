// The examples of contrib/auth with the files that they name, in which the tests know every secret.

import { createHash, randomBytes, scryptSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './source.ts';

const FOLDER = join(projectRoot, 'contrib', 'auth');

export const EXAMPLE_KEY = 'key-of-acme';
export const EXAMPLE_PASSWORD = 'password of ada';
export const EXAMPLE_SECRET = 'a secret of thirty-two bytes, or more';

/** Names without `.yaml`. */
export function exampleNames(): readonly string[] {
  return readdirSync(FOLDER).map((name) => name.replace(/\.yaml$/, ''));
}

export function exampleText(name: string): string {
  return readFileSync(join(FOLDER, `${name}.yaml`), 'utf8');
}

/** `expires`: of the key. */
export function exampleFiles(expires = '2099-01-01T00:00:00Z'): Readonly<Record<string, string>> {
  const sha256 = createHash('sha256').update(EXAMPLE_KEY).digest('hex');
  const salt = randomBytes(16);
  // The cheapest that is taken.
  const hash = scryptSync(EXAMPLE_PASSWORD, salt, 32, { N: 2 ** 10, r: 8, p: 1 });
  const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return {
    'keys.yaml': `- { name: acme, sha256: "${sha256}", expires: ${expires} }\n`,
    'users.yaml': `- { name: ada, password: "$scrypt$ln=10,r=8,p=1$${unpadded(salt)}$${unpadded(hash)}" }\n`,
    'jwt-secret.txt': `${EXAMPLE_SECRET}\n`,
    'client-secret.txt': 'secret of framegate\n',
  };
}
