import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ServiceManager } from '../../src/fleet/service-manager.ts';
import { atTestEnd } from '../support/cleanup.ts';

/** A folder for PATH, with a command in it that does `script`, in which HERE is the folder. */
function pathWith(script: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'fg-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  if (script === null) return folder;
  const file = join(folder, 'systemd-notify');
  writeFileSync(file, `#!/bin/sh\n${script.replace('HERE', folder)}\n`);
  chmodSync(file, 0o755);
  return folder;
}

function manager(PATH: string, warnings: unknown[] = []): ServiceManager {
  const log = { event: (...line: unknown[]) => void warnings.push(line) };
  const env = { NOTIFY_SOCKET: '/run/nobody', PATH };
  const made = ServiceManager.of({ env, pid: 42, monotonicUs: () => 7_000_001n }, log);
  if (made === null) throw new Error('there is one');
  return made;
}

test('what happens is told in its order, and nothing behind the stop', async () => {
  const folder = pathWith('echo "$@" >> HERE/told');
  const told = manager(folder);
  void told.ready();
  told.reloading(true);
  told.reloading(false);
  told.stopping();
  told.reloading(true);
  await told.ready();
  const lines = readFileSync(join(folder, 'told'), 'utf8');
  expect(lines).toBe('READY=1 MAINPID=42\nRELOADING=1 MONOTONIC_USEC=7000001\nREADY=1\nSTOPPING=1\n');
});

test.each([
  ['is missing', null, 'ENOENT'],
  ['fails', 'exit 3', 'exit code 3'],
])('a command that %s is one warning, and no more', async (_, script, error) => {
  const warnings: unknown[] = [];
  const told = manager(pathWith(script), warnings);
  await told.ready();
  await told.ready();
  expect(warnings).toEqual([['warn', 'notify.failed', { command: 'systemd-notify', error }]]);
});

test('without NOTIFY_SOCKET nobody is told', () => {
  const log = { event: () => {} };
  for (const env of [{}, { NOTIFY_SOCKET: '' }])
    expect(ServiceManager.of({ env, pid: 1, monotonicUs: () => 0n }, log)).toBe(null);
  expect(ServiceManager.of(undefined, log)).toBe(null);
});
