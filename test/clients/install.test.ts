import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { isInstalled } from './install.ts';

const wanted = {
  '': {},
  'node_modules/a': { version: '1.0.0' },
  'node_modules/a/node_modules/b': { version: '2.0.0' },
  'node_modules/of-another-platform': { version: '1.0.0', optional: true },
};

/** `there` is what npm left behind; null: nothing is installed. */
function folderWith(there: object | null): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-install-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  if (there === null) return folder;
  mkdirSync(path.join(folder, 'node_modules'));
  writeFileSync(path.join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: there }));
  return folder;
}

test('packages are there when each of the lock is, in its version', () => {
  const { 'node_modules/a': a, 'node_modules/a/node_modules/b': b } = wanted;
  expect(isInstalled(folderWith({ 'node_modules/a': a, 'node_modules/a/node_modules/b': b }))).toBe(true);
  expect(isInstalled(folderWith({ 'node_modules/a': a, 'node_modules/a/node_modules/b': { version: '2.0.1' } }))).toBe(
    false,
  );
  expect(isInstalled(folderWith({ 'node_modules/a': a }))).toBe(false);
  expect(isInstalled(folderWith(null))).toBe(false);
});
