// README's config reference names the keys of the schema and their defaults; `referenceTable` prints it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeKeys } from '../../src/config/key-walk.ts';
import { projectRoot } from '../support/source.ts';

const OVERRIDES = /^(routes\[\]\.(limits|timeouts|close_codes)|defaults)\./;
const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
/** Key and default of every row "| `key` | `default` |", code marks dropped; of rows with one name the first. */
const rows = new Map(
  [...readme.matchAll(/^\| `([a-z0-9_.*[\]]+)` \| ([^|]*?) \|/gm)]
    .reverse()
    .map((row) => [row[1] ?? '', (row[2] ?? '').replaceAll('`', '')]),
);

test.each(describeKeys().filter(({ path }) => !OVERRIDES.test(path)))('README has $path with its default', (key) => {
  expect(rows.get(key.path)).toBe(key.default);
});

test('README names no key under a block of the config that does not exist', () => {
  const known = new Set(describeKeys().map(({ path }) => path));
  const blocks =
    /^(listeners|routes|upstreams|limits|timeouts|close_codes|drain|admin|log|defaults|trusted_proxies)([.[]|$)/;
  expect([...rows.keys()].filter((key) => blocks.test(key) && !known.has(key))).toEqual([]);
});
