// Loads config text for the tests of this folder, without files and environment unless a test names them.

import { type LoadInput, loadConfig, loadObject } from '../../src/config/load.ts';
import { ConfigError, type Problem } from '../../src/config/problems.ts';
import type { Config, ConfigInput } from '../../src/config/types.ts';

export interface Around {
  readonly env?: Readonly<Record<string, string>>;
  /** Contents by path. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly file?: string;
  /** Modes by path. */
  readonly modes?: Readonly<Record<string, number>>;
  readonly now?: number;
  /** The text is a whole config. Without it, it is about other keys: that it has no routes is no finding. */
  readonly whole?: boolean;
}

function inputOf(text: string | Uint8Array, around: Around): LoadInput {
  const { env = {}, files = {}, file = 'config.yaml', modes = {}, now = Date.now() } = around;
  const readFile = (path: string) => {
    if (!Object.hasOwn(files, path)) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return Buffer.from(files[path] ?? '');
  };
  return { text, file, env, readFile, fileMode: (path) => modes[path] ?? null, now };
}

/** The config, or an error that shows every problem. */
export function loaded(text: string | Uint8Array, around: Around = {}): Config {
  const result = loadConfig(inputOf(text, around));
  if ('config' in result) return result.config;
  if (around.whole === true || result.problems.some((one) => one.severity === 'error' && !isRoutesMissing(one)))
    throw new ConfigError(result.problems);
  return loaded(`${text.toString()}\n${MINIMAL}`, { ...around, whole: true });
}

function isRoutesMissing({ path, message }: Problem): boolean {
  return (path === 'routes' && message === 'is required') || /^the file is empty: /.test(message);
}

/** All problems, warnings among them. */
export function problemsOf(text: string | Uint8Array, around: Around = {}): readonly Problem[] {
  const result = loadConfig(inputOf(text, around));
  const problems = 'config' in result ? result.warnings : result.problems;
  return around.whole === true ? problems : problems.filter((problem) => !isRoutesMissing(problem));
}

/** `line:column path: message` of every error. */
export function errorsOf(text: string | Uint8Array, around: Around = {}): string[] {
  return told(problemsOf(text, around), 'error');
}

export function warningsOf(text: string | Uint8Array, around: Around = {}): string[] {
  return told(problemsOf(text, around), 'warning');
}

function told(problems: readonly Problem[], severity: Problem['severity']): string[] {
  return problems
    .filter((problem) => problem.severity === severity)
    .map(({ line, column, path, message }) => `${line}:${column} ${path === '' ? '' : `${path}: `}${message}`);
}

/** `path: message` of every error of an object, which need not be of the right type. */
export function objectErrors(input: unknown, files: Readonly<Record<string, string>> = {}): string[] {
  const { readFile } = inputOf('', { files });
  try {
    // The point of these tests is input that the type forbids.
    loadObject(input as ConfigInput, { baseDir: '/etc/framegate', readFile });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems
      .filter((problem) => problem.severity === 'error' && !isRoutesMissing(problem))
      .map(({ path, message }) => `${path}: ${message}`);
  }
}

/** A config that is right, with something put in. */
export const MINIMAL = 'routes: [{ upstream: "builtin:echo" }]\n';
