// Writes what the config's keys are told with: README's reference and config.yaml. Run by `npm run reference`.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceTable } from '../../src/config/reference.ts';
import { sampleConfig } from '../../src/config/sample.ts';
import { projectRoot } from '../support/source.ts';

const TABLE = /^\| key \| default \| values \| meaning \|\n(?:\|.*\n)*/m;

const readmePath = join(projectRoot, 'README.md');
const readme = readFileSync(readmePath, 'utf8');
if (!TABLE.test(readme)) throw new Error('README.md has no table of keys');
writeFileSync(
  readmePath,
  readme.replace(TABLE, () => referenceTable()),
);
writeFileSync(join(projectRoot, 'config.yaml'), sampleConfig());
