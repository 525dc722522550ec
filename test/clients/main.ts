// `npm run clients`: real clients and real servers through the built framegate, one file of tests for each client.
// `-- --pairs` instead: servers of other languages, each with the offers that clients send by default.

import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installPackages } from './install.ts';
import { missingServers } from './pairs/servers.ts';

const EXIT_USAGE = 2;

const USAGE = `npm run clients -- [NAME...] [options]

  NAME      only the files whose names hold it, such as mqtt
  --pairs   instead of the clients: servers (gorilla, aiohttp, ...) with each offer of permessage-deflate
`;

const folder = fileURLToPath(new URL('.', import.meta.url));

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let names: string[];
  let pairs: boolean;
  try {
    const options = { pairs: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    if (values.help) {
      say(USAGE.trimEnd());
      return 0;
    }
    names = positionals;
    pairs = values.pairs;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  const missing = installPackages(folder);
  if (missing !== null) {
    say(`missing: all clients; ${missing}`);
    return total(0, 1);
  }
  if (!hasSoundTypes()) return total(0, 1);
  if (pairs) for (const one of missingServers()) say(`missing: ${one}`);
  return runFiles(names, pairs);
}

async function runFiles(names: string[], pairs: boolean): Promise<number> {
  // Before vitest is loaded: it asks then.
  process.env.NO_COLOR = '1';
  delete process.env.FORCE_COLOR;
  const { startVitest } = await import('vitest/node');
  const include = pairs ? ['pairs/*.client.ts'] : ['*.client.ts'];
  const options = { config: false, root: folder, include, watch: false, maxWorkers: 2, testTimeout: 30_000 } as const;
  // Of that package vite takes the modules and Node, for graphql-ws, the scripts: two that do not know each other.
  const alias = [{ find: /^graphql$/, replacement: path.join(folder, 'node_modules/graphql/index.js') }];
  const vitest = await startVitest('test', names, { ...options, reporters: ['verbose'] }, { resolve: { alias } });
  const tests = vitest.state.getTestModules().flatMap((module) => [...module.children.allTests()]);
  const passed = tests.filter((one) => one.result().state === 'passed').length;
  // What fails outside of a test counts as one; so does a run that tested nothing.
  const failed = tests.length - passed;
  const hasFault = failed === 0 && (vitest.state.getCountOfFailedTests() > 0 || process.exitCode === 1 || passed === 0);
  await vitest.close();
  return total(passed, hasFault ? 1 : failed);
}

/** The tests here are left out of what `npm test` checks, since what they import may not be there. */
function hasSoundTypes(): boolean {
  const { status, stdout } = spawnSync('npx', ['tsc', '-p', folder], { encoding: 'utf8' });
  if (status !== 0) say(stdout.trimEnd());
  return status === 0;
}

/** The last line. */
function total(passed: number, failed: number): number {
  say(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
