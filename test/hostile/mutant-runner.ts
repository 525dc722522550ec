// Runs the tests of a row against a mutated copy of the project, which itself is never written to; a copy holds one
// mutant at a time. A mutant is killed by a failed test of its row, and by nothing else.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Places } from '../support/places.ts';
import { edited, findEdit } from './mutant-table.ts';
import type { Mutant } from './mutants.ts';

/** Short, since many mutants make a test wait for what never comes; the tests must pass with it unmutated. */
const TEST_TIMEOUT_MS = 10_000;
/** As `build:page` makes it, unchecked: what a mutant leaves unused is no fault of it. */
const BUNDLE = `require('esbuild').buildSync({
  entryPoints: ['src/page/main.ts'], bundle: true, format: 'esm', target: 'es2022', outfile: 'dist/page/main.js',
});`;
const NOT_COPIED: ReadonlySet<string> = new Set(['node_modules', 'dist', 'coverage', '.git']);

export type Verdict =
  | { readonly kind: 'killed' }
  | { readonly kind: 'survived' }
  /** The mutant says nothing about the tests, and why. */
  | { readonly kind: 'broken'; readonly why: string };

/** Tests to run: those whose name begins with one of the ids, in these files. */
export interface Selection {
  readonly rows: readonly string[];
  readonly files: readonly string[];
  /** They start the built command line. */
  readonly built: boolean;
  /** They look at the built page. */
  readonly page: boolean;
  /** When a run is cut off. The timeouts of tests, which are shorter, do nothing for an event loop that is blocked. */
  readonly deadlineMs: number;
}

/** Full names of tests that ran, and what went wrong besides them. */
export interface RunResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** No result at all: a hook, the build or the loading of a file failed, or time ran out. */
  readonly fault: string | null;
}

export interface TestBed {
  write(file: string, text: string): void;
  run(selection: Selection): Promise<RunResult>;
}

export interface MutantCase {
  readonly mutant: Mutant;
  /** Of the sources as `bed` has them. */
  readonly places: Places;
  readonly selection: Selection;
  readonly bed: TestBed;
}

/** Applies the mutant, runs the tests of its row and takes the edit back. */
export async function judge({ mutant, places, selection, bed }: MutantCase): Promise<Verdict> {
  const edit = findEdit(mutant, places);
  if (typeof edit === 'string') return { kind: 'broken', why: edit };
  bed.write(edit.file.path, edited(edit));
  try {
    const { passed, failed, fault } = await bed.run(selection);
    if (failed.length > 0) return { kind: 'killed' };
    if (fault !== null) return { kind: 'broken', why: fault };
    return passed.length > 0 ? { kind: 'survived' } : { kind: 'broken', why: 'no test ran' };
  } finally {
    bed.write(edit.file.path, edit.file.text);
  }
}

/** A copy of the project in a folder of its own, with the dependencies of the original. */
export class ProjectCopy implements TestBed {
  readonly root: string;
  private running: ChildProcess | null = null;

  constructor(original: string) {
    this.root = mkdtempSync(path.join(tmpdir(), 'framegate-mutant-'));
    cpSync(original, this.root, { recursive: true, filter: (source) => !NOT_COPIED.has(path.basename(source)) });
    // Built as it is, where it is: mutants are of what serves it.
    const page = path.join(original, 'dist/page');
    if (existsSync(page)) cpSync(page, path.join(this.root, 'dist/page'), { recursive: true });
    // Not one link to the folder: vitest keeps its cache in there.
    const modules = path.join(original, 'node_modules');
    mkdirSync(path.join(this.root, 'node_modules'));
    for (const name of readdirSync(modules).filter((one) => !one.startsWith('.vite'))) {
      symlinkSync(path.join(modules, name), path.join(this.root, 'node_modules', name));
    }
  }

  private read(file: string): string | null {
    try {
      return readFileSync(path.join(this.root, file), 'utf8');
    } catch {
      return null;
    }
  }

  write(file: string, text: string): void {
    writeFileSync(path.join(this.root, file), text);
  }

  async run(selection: Selection): Promise<RunResult> {
    if (selection.built) {
      // What a mutant leaves unused is no fault of it.
      const options = ['-p', 'tsconfig.build.json', '--noUnusedLocals', 'false', '--noUnusedParameters', 'false'];
      const build = await this.spawn(['node_modules/typescript/bin/tsc', ...options], selection.deadlineMs);
      if (build.code !== 0) return { passed: [], failed: [], fault: `the build failed: ${firstLine(build.output)}` };
    }
    if (selection.page) {
      const bundle = await this.spawn(['-e', BUNDLE], selection.deadlineMs);
      if (bundle.code !== 0) return { passed: [], failed: [], fault: `no page: ${firstLine(bundle.output)}` };
    }
    const report = path.join(this.root, 'mutant-report.json');
    rmSync(report, { force: true });
    const names = `(^|\\s)(${selection.rows.join('|')}): `;
    const limits = [`--testTimeout=${TEST_TIMEOUT_MS}`, `--hookTimeout=${TEST_TIMEOUT_MS}`, '--bail=1'];
    const args = ['run', ...selection.files, '--project=handle', `--testNamePattern=${names}`, '--maxWorkers=1'];
    const { code, output } = await this.spawn(
      ['node_modules/vitest/vitest.mjs', ...args, ...limits, '--reporter=json', `--outputFile=${report}`],
      selection.deadlineMs,
    );
    if (code === null) return { passed: [], failed: [], fault: `no end within ${selection.deadlineMs / 1000} s` };
    return readReport(this.read(path.basename(report)), output);
  }

  remove(): void {
    this.kill();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** `code` is null when it had to be killed. */
  private spawn(args: readonly string[], deadlineMs: number): Promise<{ code: number | null; output: string }> {
    // A group of its own, so that the workers end with it.
    const child = spawn(process.execPath, args, { cwd: this.root, env: cleanEnv(), detached: true });
    this.running = child;
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4096);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => this.kill(), deadlineMs);
    return new Promise((resolve) => {
      child.once('close', (code) => {
        clearTimeout(timer);
        this.running = null;
        resolve({ code, output });
      });
    });
  }

  private kill(): void {
    const pid = this.running?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It ended by itself a moment ago.
    }
  }
}

/** Without what a vitest around us, or the user, would have the tests do otherwise. */
function cleanEnv(): NodeJS.ProcessEnv {
  const ours = /^(VITEST|FRAMEGATE|NODE_ENV$|TEST$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

/** As much of vitest's JSON report as is used here. */
interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export function readReport(text: string | null, output: string): RunResult {
  if (text === null) return { passed: [], failed: [], fault: `no report: ${firstLine(output)}` };
  // The reporter is pinned with vitest; another shape throws right below.
  const report = JSON.parse(text) as Report;
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const named = (status: string): string[] =>
    tests.filter((one) => one.status === status).map(({ fullName }) => fullName);
  const broken = report.testResults.find((file) => file.status === 'failed' && file.message !== '');
  return {
    passed: named('passed'),
    failed: named('failed'),
    fault: broken === undefined ? null : firstLine(broken.message),
  };
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
