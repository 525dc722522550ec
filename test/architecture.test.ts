// ARCHITECTURE.md names files and members of classes: each of them is there.

import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot, sourceFiles } from './support/source.ts';

const text = readFileSync(path.join(projectRoot, 'ARCHITECTURE.md'), 'utf8');
const sources = sourceFiles('src', /\.ts$/);
const folders = ['protocol', 'limits', 'config', 'observe', 'net', 'upstream', 'session', 'edge', 'admin', 'cli'];

/** `net/dial` is src/net/dial.ts, `test/fuzz/model` a folder. */
function isThere(name: string): boolean {
  const roots = folders.includes(name.split('/')[0] ?? '') ? ['src/'] : ['', 'src/'];
  return roots.some((root) =>
    ['', '.ts', '.test.ts'].some((end) => existsSync(path.join(projectRoot, root + name + end))),
  );
}

function hasMember(owner: string, member: string): boolean {
  const declared = new RegExp(`\\b(class|interface|const) ${owner}\\b`);
  return sources.some((file) => declared.test(file.text) && new RegExp(`\\b${member}\\b`).test(file.text));
}

function namedFiles(of: string): string[] {
  const known = [...folders, 'src', 'test', 'bench'].join('|');
  return [...of.matchAll(new RegExp(`\\b((?:${known})/[a-z0-9./-]*[a-z0-9])`, 'g'))].map((match) => match[1] ?? '');
}

test('every file that it names', () => {
  const named = namedFiles(text);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !isThere(name))).toEqual([]);
});

test('every member that it names', () => {
  const named = [...text.matchAll(/`([A-Z]\w+)\.(\w+)/g)].map(
    ([, owner = '', member = '']) => [owner, member] as const,
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(([owner, member]) => !hasMember(owner, member))).toEqual([]);
});

test('and the checks can fail', () => {
  expect(namedFiles('in `net/nothing`, src/net/dial and text')).toEqual(['net/nothing', 'src/net/dial']);
  expect([isThere('net/nothing'), isThere('net/dial'), isThere('src/net/dial'), isThere('test/fuzz/model')]).toEqual([
    ...[false, true, true, true],
  ]);
  expect([hasMember('Handshake', 'nothingOfIt'), hasMember('Nobody', 'admit')]).toEqual([false, false]);
});
