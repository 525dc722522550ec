// Chromium without a window, where one is installed: started once for a file of tests, with names that lead to this
// machine and with the keys that it is to trust.

import { createHash, X509Certificate } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import * as path from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { Identity } from '../support/certs.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable'];

/** A cold start on a machine with other things to do. */
export const LAUNCH_MS = 90_000;

/** None of these talks to anybody but the test. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP *.test 127.0.0.1',
];

/** The first on PATH; null where none is installed. */
export function findChromium(): string | null {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** With a fresh profile. A certificate with another key than `trusted` is one that it does not know. */
export function launchChromium(executablePath: string, trusted: readonly Identity[]): Promise<Browser> {
  const keys = trusted.map(({ cert }) => keyHash(cert)).join(',');
  return chromium.launch({
    executablePath,
    args: [...ARGUMENTS, `--ignore-certificate-errors-spki-list=${keys}`],
    timeout: LAUNCH_MS,
  });
}

function keyHash(cert: string): string {
  const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}
