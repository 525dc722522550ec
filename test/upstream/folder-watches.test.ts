// What folders tell of the files in them: each interest hears of its own names alone, by one watch for all.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FolderWatches } from '../../src/upstream/sources/folder-watches.ts';
import { until } from '../e2e/operating.ts';
import { atTestEnd } from '../support/cleanup.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fg-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('each hears of its own names, also when they become others, and of none after its end', async () => {
  const folder = newFolder();
  const watches = new FolderWatches();
  const heard = { a: 0, b: 0, c: 0 };
  const write = (name: string) => writeFileSync(join(folder, name), 'x');
  const [a, b, c] = (['a', 'b', 'c'] as const).map((name) => {
    const interest = watches.watch(folder, () => (heard[name] += 1));
    interest.await([name, 'all']);
    return interest;
  });
  write('b');
  await until('b is heard', () => heard.b > 0);
  expect([heard.a, heard.c]).toEqual([0, 0]);
  write('all');
  await until('all are heard', () => heard.a > 0 && heard.c > 0);
  a?.await(['z']);
  c?.close();
  const before = { ...heard };
  write('a');
  write('c');
  write('z');
  await until('z is heard', () => heard.a > before.a);
  expect([heard.b, heard.c]).toEqual([before.b, before.c]);
  a?.close();
  b?.close();
});

test('a folder that is not there yet is watched when it is asked for again', async () => {
  const folder = join(newFolder(), 'later');
  let heard = 0;
  const interest = new FolderWatches().watch(folder, () => (heard += 1));
  interest.await(['a']);
  mkdirSync(folder);
  interest.await(['a']);
  writeFileSync(join(folder, 'a'), 'x');
  await until('it is heard', () => heard > 0);
  interest.close();
});
