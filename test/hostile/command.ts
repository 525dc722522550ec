// A framegate process with a config file of its own, started as its users start it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { atTestEnd } from '../support/cleanup.ts';
import { type CliOptions, type CliProcess, startCli } from '../support/cli-process.ts';

/** For a test that starts processes and waits for what they do. */
export const PROCESS_MS = 60_000;

export interface Running {
  readonly cli: CliProcess;
  readonly file: string;
  /** Of the listener `test`. */
  readonly port: number;
}

/** An empty folder, removed when the test ends. */
export function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'framegate-hostile-'));
  atTestEnd(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A process that runs on this config; it may not listen yet. */
export function launch(
  text: string,
  args: readonly string[] = [],
  file: string = path.join(folder(), 'a.yaml'),
  options: CliOptions = {},
): CliProcess {
  writeFileSync(file, text);
  const env = { FRAMEGATE_TRANSPORT: process.env.FRAMEGATE_TRANSPORT, ...options.env };
  return startCli(['run', '-c', file, ...args], { deadlineMs: 30_000, ...options, env });
}

/** A process whose listener `test` accepts connections. */
export async function startRunning(
  text: string,
  args: readonly string[] = [],
  file: string = path.join(folder(), 'a.yaml'),
  options: CliOptions = {},
): Promise<Running> {
  const cli = launch(text, args, file, options);
  return { cli, file, port: await portOf(cli, 'test') };
}

/** Where that listener is bound; the admin listener's name is `admin`. */
export async function portOf(cli: CliProcess, listener: string): Promise<number> {
  const { address } = await cli.waitForLog('listening', (line) => line.listener === listener);
  return portIn(address);
}

export function portIn(address: unknown): number {
  return Number(/:(\d+)$/.exec(String(address))?.[1]);
}
