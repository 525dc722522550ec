// Simulates a fleet of proxies while its targets restart one after the other, by policy: npm run bench:simulate.

import { parseArgs } from 'node:util';
import { numberIn } from '../load/options.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { Fleet, type Policy, type Scenario } from './fleet.ts';
import { type Row, report } from './report.ts';

const SECTION = 'bench:simulate';
const EXIT_USAGE = 2;
const USAGE = `npm run bench:simulate -- [options]

  --proxies N       (default: 100, at most 255)
  --targets N       (default: 1000)
  --sessions N      in all (default: 1000000)
  --seed N          (default: 1)
  --write FILE      put the table between the markers of a document
`;

const STICKY = {
  kind: 'sticky',
  cookie: 'fg',
  path: '/',
  max_age: null,
  secure: 'off',
  same_site: 'lax',
  secret: null,
} as const;

const POLICIES: readonly Policy[] = [
  { name: 'least_sessions', balance: { kind: 'least_sessions' }, fallback: 'least_sessions', slowStart: 0 },
  {
    name: 'least_sessions, slow_start 60s',
    balance: { kind: 'least_sessions' },
    fallback: 'least_sessions',
    slowStart: 60,
  },
  { name: 'round_robin', balance: { kind: 'round_robin' }, fallback: 'least_sessions', slowStart: 0 },
  { name: 'random_two', balance: { kind: 'random_two' }, fallback: 'least_sessions', slowStart: 0 },
  { name: 'random_two, slow_start 60s', balance: { kind: 'random_two' }, fallback: 'least_sessions', slowStart: 60 },
  { name: 'hash, source_ip', balance: { kind: 'hash', key: { kind: 'path' } }, fallback: 'random_two', slowStart: 0 },
  { name: 'sticky, fallback random_two', balance: STICKY, fallback: 'random_two', slowStart: 0 },
];

function main(argv: readonly string[]): number {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let scenario: Scenario;
  let file: string | undefined;
  try {
    const number = { type: 'string' } as const;
    const { values } = parseArgs({
      args: [...argv],
      options: { proxies: number, targets: number, sessions: number, seed: number, write: number },
    });
    file = values.write;
    scenario = {
      proxies: numberIn('--proxies', values.proxies ?? '100', 1, 255),
      targets: numberIn('--targets', values.targets ?? '1000', 20, 32_000),
      sessions: numberIn('--sessions', values.sessions ?? '1000000', 1, 10_000_000),
      seed: numberIn('--seed', values.seed ?? '1', 0, 2 ** 31 - 1),
      batch: 10,
      everySeconds: 10,
      downSeconds: 5,
      backSeconds: 10,
      lifeSeconds: 3_600,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  const found = report(scenario, simulated(scenario));
  const seconds = Math.round(process.cpuUsage().user / 1e6);
  const command = ['npm run bench:simulate', ...(argv.length === 0 ? [] : ['--', ...argv])].join(' ');
  const text = `${machineLine(describeMachine())}, \`${command}\`, ${seconds} s of CPU.\n\n${found}`;
  if (file === undefined) process.stdout.write(text);
  else writeSection(file, SECTION, text);
  return 0;
}

function simulated(scenario: Scenario): readonly Row[] {
  const progress = new Progress();
  progress.expect(POLICIES.length);
  const rows = POLICIES.map((policy): Row => {
    progress.status(policy.name);
    const outcome = new Fleet(scenario, policy).run();
    progress.step(`${policy.name}: rush ${outcome.rush}`);
    return { policy, outcome };
  });
  progress.end();
  return rows;
}

process.exitCode = main(process.argv.slice(2));
