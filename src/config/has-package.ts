// Whether an optional package is installed. It loads nothing of it.

import { createRequire } from 'node:module';

export function hasAcmeClient(): boolean {
  try {
    createRequire(import.meta.url).resolve('acme-client');
    return true;
  } catch {
    return false;
  }
}
