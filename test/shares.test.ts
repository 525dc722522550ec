// The shares that the tests are run in: no test is lost between them, and none runs twice.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { projectRoot } from './support/source.ts';

/** `[handle] test/e2e/relay.test.ts`: each file of a share with the layout that it is run on. */
async function filesOf(share: string): Promise<string[]> {
  const env = { ...process.env, TEST_SHARE: share };
  const args = ['node_modules/vitest/vitest.mjs', 'list', '--filesOnly'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: projectRoot, env });
  const lines = stdout.split('\n').filter((line) => line.startsWith('['));
  // These have processes of their own, on the first layout.
  return lines.map((line) => line.replace(/^\[(?:apart|programs)\]/, '[handle]')).sort();
}

test('npm test and the rest of the matrix are all tests on all layouts, each once', async () => {
  const [all, main, rest] = await Promise.all([filesOf('all'), filesOf('main'), filesOf('rest')]);
  expect(new Set(all).size).toBe(all.length);
  expect([...main, ...rest].sort()).toEqual(all);
  const long = rest.filter((file) => file.startsWith('[handle]'));
  expect(long.map((file) => file.replace(/^.*\/([\w-]+)\.test\.ts$/, '$1'))).toEqual([
    'attacks',
    'page-actions',
    'page-hostile',
    'page-looks',
    'page-many',
    'fuzzing-client',
    'fuzzing-server',
    'corpus',
    'acme-shared',
    'fuzz',
    'operations',
    'process-faults',
    'oracle',
    'scale',
    'slow-link',
    'terminal',
  ]);
  expect(rest.length).toBeGreaterThan(20);
});

test('the quick share has none on real sockets', async () => {
  const [quick, rest] = await Promise.all([filesOf('quick'), filesOf('rest')]);
  const onSockets = new Set(rest.map((line) => line.replace(/^\[\w+\]/, '[handle]')));
  expect(quick.length).toBeGreaterThan(90);
  expect(quick.filter((file) => onSockets.has(file))).toEqual([]);
});
