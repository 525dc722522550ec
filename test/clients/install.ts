// Installs what the clients' own lock names, when it is not there or is not what the lock says.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';

/** Bound for `npm ci`: a registry that does not answer is said to be missing. */
const INSTALL_MS = 120_000;
const TOLD_MAX = 400;

/** Null when everything is there, else why not. */
export function installPackages(folder: string): string | null {
  if (isInstalled(folder)) return null;
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts'];
  const { status, error, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: INSTALL_MS });
  if (status === 0) return null;
  const told = (error?.message ?? stderr).trim().replace(/\s+/g, ' ');
  return `npm ci in test/clients: ${told.slice(0, TOLD_MAX)}`;
}

/** npm leaves behind what it has installed; that must be all of the lock, and each in its version. */
export function isInstalled(folder: string): boolean {
  const left = path.join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(left)) return false;
  const wanted = versions(path.join(folder, 'package-lock.json'));
  const there = versions(left);
  return [...wanted].every(([name, version]) => there.get(name) === version);
}

/** By folder. Not those that a platform may do without. */
function versions(lock: string): Map<string, string> {
  const { packages } = JSON.parse(readFileSync(lock, 'utf8')) as Lock; // the form of npm's lock, version 3
  const named = Object.entries(packages).filter(([name, { optional }]) => name !== '' && optional !== true);
  return new Map(named.map(([name, { version }]) => [name, version]));
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly optional?: boolean }>>;
}
