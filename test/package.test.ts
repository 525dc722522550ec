// The package that is published: what it brings along, and whether what its README points at is in it.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from './support/source.ts';

/** Packages that are installed with framegate, itself not counted: each is code that somebody has to trust. */
const PACKAGES_MAX = 16;

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

const read = (file: string): string => readFileSync(path.join(projectRoot, file), 'utf8');

test(`at most ${PACKAGES_MAX} packages are installed with it`, () => {
  const { packages }: Lock = JSON.parse(read('package-lock.json'));
  const installed = Object.entries(packages).filter(
    ([where, { dev, devOptional }]) => where !== '' && dev !== true && devOptional !== true,
  );
  expect(installed.map(([where]) => where)).toContain('node_modules/pino');
  expect(installed.length).toBeLessThanOrEqual(PACKAGES_MAX);
});

/** Files of this project that a text links to, or names as files of its folders. */
function mentioned(text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
  const names = [...text.matchAll(/`((?:contrib|grafana|prometheus)\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
  return [...new Set([...links.filter((link) => !/^[a-z]+:/.test(link)), ...names])];
}

test('every file that README names is in it', () => {
  // Without scripts: what is built is not asked for.
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const packed = JSON.parse(execFileSync('npm', args, { cwd: projectRoot, encoding: 'utf8', stdio: 'pipe' }));
  const files = new Set<string>(packed[0].files.map((file: { readonly path: string }) => file.path));
  const wanted = mentioned(read('README.md'));
  expect(wanted).toEqual(expect.arrayContaining(['ARCHITECTURE.md', 'config.yaml', 'contrib/kubernetes.yaml']));
  expect(wanted.filter((file) => !files.has(file))).toEqual([]);
});

test('and the check can fail', () => {
  expect(mentioned('[a](a.md) [b](b.md#c) [c](#c) [d](https://x.example/d) `contrib/e` `src/f.ts`')).toEqual([
    'a.md',
    'b.md',
    'contrib/e',
  ]);
});
