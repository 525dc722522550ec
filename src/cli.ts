#!/usr/bin/env -S node --single-threaded --max-semi-space-size=4
// Owns arguments, streams, signals and exit codes: the only file that touches `process`. What the commands do is done
// elsewhere; here is who is told, and how it all ends.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { parseArguments } from './cli/arguments.ts';
import { type AdminCommand, type Command, ExitCode, type FileSource, type RunSource } from './cli/commands.ts';
import type { FileReloads } from './cli/file-reloads.ts';
import { helpText, tryHint } from './cli/help.ts';
import type { FileResult } from './cli/load.ts';
import type { Screen } from './cli/place.ts';
import { ReloadRequests, type Stop, StopRequests } from './cli/requests.ts';
import { FileWatch } from './cli/watch.ts';
import type { Config } from './config/types.ts';
import { activationSockets } from './fleet/activation.ts';
import type { IpcEnd } from './fleet/channel.ts';
import type { Program } from './fleet/generation.ts';
import { WORKER_VARIABLE } from './fleet/generation-messages.ts';
import { Heritage } from './fleet/heritage.ts';
import { PARENT_VARIABLE } from './fleet/parent-messages.ts';
import type { RestartMeans } from './fleet/restarts.ts';
import type { Proxy as Framegate, ProxyOptions } from './proxy.ts';

/** After a crash the drain is asked of code that may be broken: this long, then the process ends without it. */
const CRASH_DRAIN_MS = 10_000;

/** For the last log lines to be taken by whoever reads them. */
const FLUSH_MS = 1_000;

const ignore = (): void => {};

/** A config and what to call it, or the exit code after everything was told. */
type Loaded =
  | { readonly config: Config; readonly name: string; readonly result?: FileResult }
  | { readonly exit: ExitCode };

/** `be`: one that only starts others, as the first process of a container is; otherwise it has such a parent. */
const parentRole = process.env[PARENT_VARIABLE];
delete process.env[PARENT_VARIABLE];

/** What an older process of this framegate hands over to this one. */
const heritage = Heritage.of(process);
/** Null: in a way that this version does not know. */
const inherited = heritage === null ? activationSockets(process.env, process.pid) : heritage.sockets;

// Before the slow imports, which is why those are dynamic.
surviveSignals();

/** Node opens its inspector on a USR1 that nobody handles, and a reader that went away must not end the process. */
function surviveSignals(): void {
  process.on('SIGUSR1', ignore);
  process.on('SIGPIPE', ignore);
  process.stdout.on('error', ignore);
  process.stderr.on('error', ignore);
}

async function main(): Promise<void> {
  if (process.env[WORKER_VARIABLE] !== undefined) return work();
  const verdict = parseArguments(process.argv.slice(2));
  if (!verdict.ok) {
    complain(`framegate: ${verdict.message}\n"framegate help" lists the commands\n`);
    process.exitCode = ExitCode.Usage;
    return;
  }
  const { command } = verdict;
  // A proxy that was told to end ends, whatever it left behind; other commands have nothing that could keep them.
  if (command.kind === 'run') {
    if (isFirst()) {
      const { runAsParent } = await import('./fleet/parent.ts');
      process.exit(await runAsParent(program(), process));
    }
    const exit = await run(command.source, command.watch);
    await heritage?.failed();
    process.exit(exit);
  }
  process.exitCode = await answer(command);
}

/**
 * The end of a container's first process is that of the container: it stays, and others serve. With sockets of a
 * service manager it serves itself.
 */
function isFirst(): boolean {
  return parentRole === 'be' || (process.pid === 1 && parentRole === undefined && inherited?.size === 0);
}

/** What this process is, for another one like it. */
function program(): Program {
  const { execPath, execArgv, argv, env } = process;
  return { execPath, flags: execArgv, script: argv[1] ?? '', args: argv.slice(2), env };
}

/** One of several processes of a framegate: what it does is said by the one that has started it. */
async function work(): Promise<void> {
  delete process.env[WORKER_VARIABLE];
  // Whoever sends these to all processes means the other one.
  for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const) process.on(name, ignore);
  process.on('uncaughtException', (error) => {
    tellCrash(error);
    process.exit(ExitCode.Failed);
  });
  const { serveAsWorker } = await import('./fleet/worker.ts');
  if (process.send === undefined) throw new Error(`${WORKER_VARIABLE} is for what framegate starts itself`);
  serveAsWorker({ end: process as IpcEnd, env: process.env, process, exit: (code) => process.exit(code) });
}

/** The commands that print something and are done. */
async function answer(command: Exclude<Command, { kind: 'run' }>): Promise<ExitCode> {
  switch (command.kind) {
    case 'check':
      return check(command.source, command.format);
    case 'config':
      return printConfig(command.source);
    case 'probe': {
      const { runProbe } = await import('./cli/probe.ts');
      return runProbe(command, { print, complain });
    }
    case 'hash-password':
    case 'hash-key': {
      const { runHashCommand } = await import('./cli/hash-commands.ts');
      return runHashCommand(command, { stdin: process.stdin, print, complain });
    }
    case 'schema': {
      const { jsonSchema } = await import('./config/reference.ts');
      print(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      return ExitCode.Stopped;
    }
    case 'version':
      print(`${version()}\n`);
      return ExitCode.Stopped;
    case 'help':
      print(helpText(command.topic));
      return ExitCode.Stopped;
    default:
      return askRunning(command);
  }
}

/** The commands that ask the admin listener of a running proxy. */
async function askRunning(command: AdminCommand): Promise<ExitCode> {
  const { runAdminCommand } = await import('./cli/admin-commands.ts');
  return runAdminCommand(command, {
    env: process.env,
    stdin: process.stdin,
    print,
    complain,
    screen: process.stdout.isTTY === true ? await terminalScreen() : null,
    wait: (ms) => delay(ms),
  });
}

/** On a terminal: sentences go on in the next line, source lines and carets stay as they are. */
async function fitted(problems: string): Promise<string> {
  if (process.stdout.isTTY !== true) return problems;
  const { wrapped } = await import('./cli/line.ts');
  const columns = process.stdout.columns || 80;
  const lines = problems.split('\n');
  return lines.flatMap((one) => (one.startsWith('  ') ? [one] : wrapped(one, columns, 4))).join('\n');
}

async function terminalScreen(): Promise<Screen> {
  const { TerminalScreen, wantsColour } = await import('./cli/screen.ts');
  return new TerminalScreen({
    output: process.stdout,
    colour: wantsColour(process.env),
    signals: process,
    now: () => performance.now(),
    // What was written to a terminal is there already.
    end: () => process.exit(ExitCode.Stopped),
    send: (signal) => process.kill(process.pid, signal),
  });
}

/** The result of a check is what it found, so that goes to stdout in both forms. */
async function check(source: FileSource, format: 'text' | 'json'): Promise<ExitCode> {
  const result = await loadFile(source);
  if (result === null) return ExitCode.BadConfig;
  const { listProblems } = await import('./cli/list-problems.ts');
  const lists = 'config' in result ? listProblems(result.config, process.env) : [];
  const { file, text } = result;
  const parts = [{ problems: 'problems' in result ? result.problems : result.warnings, text, file }, ...lists];
  if (format === 'json') {
    const all = parts.flatMap(({ problems }) => problems);
    print(`${JSON.stringify(all, null, 2)}\n`);
  } else {
    const { formatProblems } = await import('./config/problems.ts');
    for (const { problems, text, file } of parts) print(await fitted(formatProblems(problems, text, file)));
    if ('config' in result) print(`${file}: ok\n`);
  }
  return 'config' in result ? ExitCode.Stopped : ExitCode.BadConfig;
}

async function printConfig(source: FileSource): Promise<ExitCode> {
  const loaded = await loadAndTell(source);
  if ('exit' in loaded) return loaded.exit;
  const { renderConfig } = await import('./config/render.ts');
  print(renderConfig(loaded.config));
  return ExitCode.Stopped;
}

async function loadForRun(source: RunSource): Promise<Loaded> {
  if (source.kind !== 'demo' && source.kind !== 'to') return loadAndTell(source);
  const { loadFlags } = await import('./cli/load.ts');
  const result = loadFlags(source);
  if ('config' in result) return result;
  for (const fault of result.faults) complain(`framegate: ${fault}\n`);
  return { exit: ExitCode.Usage };
}

/** Problems and warnings of a file go to stderr. */
async function loadAndTell(source: FileSource): Promise<Loaded> {
  const result = await loadFile(source);
  if (result === null) return { exit: ExitCode.BadConfig };
  const { formatProblems } = await import('./config/problems.ts');
  complain(formatProblems('problems' in result ? result.problems : result.warnings, result.text, result.file));
  return 'config' in result ? { config: result.config, name: result.file, result } : { exit: ExitCode.BadConfig };
}

/** null: there is no file to load, and that was told. */
async function loadFile(source: FileSource): Promise<FileResult | null> {
  const { DEFAULT_FILE, loadSource } = await import('./cli/load.ts');
  const result = await loadSource(source, { env: process.env, stdin: process.stdin });
  if (result === null) {
    complain(`framegate: no ${DEFAULT_FILE} here, and no -c FILE\n"framegate run --demo" works without one\n`);
  }
  return result;
}

async function run(source: RunSource, watch: boolean): Promise<ExitCode> {
  if (inherited === null) {
    complain('framegate: what an older process hands over is not of this version\n');
    return ExitCode.Failed;
  }
  const stops = new StopRequests(process, tellCrash);
  const reloads = new ReloadRequests(process);
  // A config may come from a pipe that nobody writes to.
  const loaded = await Promise.race([loadForRun(source), stops.first]);
  if ('kind' in loaded) return loaded.kind === 'crash' ? ExitCode.Failed : ExitCode.Stopped;
  if ('exit' in loaded) return loaded.exit;
  // The loader opens whatever a module imports at once; part by part, a process with few descriptors starts, too.
  await import('./observe/log.ts');
  await import('./session/session.ts');
  await import('./edge/handshake.ts');
  await import('./edge/edge.ts');
  await import('./admin/server.ts');
  const { createProxyFromConfig } = await import('./proxy.ts');
  const about = { version: version(), node: process.version, pid: process.pid, config: loaded.name };
  // For a Node whose internals misbehave in spite of the probe at start, and for tests of both.
  const transport = process.env.FRAMEGATE_TRANSPORT === 'stream' ? 'stream' : 'auto';
  const files = watch ? new FileWatch(() => reloads.ask({ again: true })) : null;
  const again = await reloadsOf(source, loaded, files);
  const restarts = await restartsOf(source);
  const kept = (await heritage?.kept()) ?? undefined;
  if (heritage !== null && kept === undefined) {
    complain('framegate: the older process does not hand over what it has\n');
    return ExitCode.Failed;
  }
  const proxy = createProxyFromConfig(loaded.config, {
    about,
    transport,
    process,
    env: process.env,
    onDrainAsked: () => stops.askedByAdmin(),
    ...(again === null ? {} : { source: again.read }),
    inherited,
    notify: { env: process.env, pid: process.pid, monotonicUs: () => process.hrtime.bigint() / 1000n },
    ...(kept === undefined ? {} : { kept }),
    restarts: restarts.means,
    ...(await workersOf(loaded.config, process.env)),
  });
  try {
    await proxy.start();
  } catch (error) {
    complain(`framegate: ${error instanceof Error ? error.message : String(error)}\n`);
    return ExitCode.Failed;
  }
  if (wantsHint(source)) complain(tryHint(loaded.config, proxy.address()) ?? '');
  await heritage?.ready();
  reloads.serve(proxy);
  const stop = await Promise.race([stops.first, restarts.handedOver]);
  files?.stop();
  return endOf(proxy, stop, stops);
}

/** FRAMEGATE_HANG_MS: for tests, which cannot wait for as long as a worker may be silent. */
async function workersOf({ workers }: Config, env: typeof process.env): Promise<Pick<ProxyOptions, 'workers'>> {
  if (workers === 1) return {};
  const { usableCores } = await import('./fleet/cores.ts');
  const count = workers === 'auto' ? usableCores() : workers;
  if (count === 1) return {};
  const { FRAMEGATE_HANG_MS: hangMs } = env;
  const { workerLauncherOf } = await import('./fleet/launch.ts');
  const { Workers } = await import('./fleet/workers.ts');
  const { execPath, execArgv, argv } = process;
  const launch = workerLauncherOf({ execPath, flags: execArgv, script: argv[1] ?? '', env });
  const own = { count, launch };
  return { workers: new Workers(hangMs === undefined ? own : { ...own, hangMs: Number(hangMs) }) };
}

interface OwnRestarts {
  readonly means: RestartMeans;
  readonly handedOver: Promise<Stop>;
}

async function launchOf(source: RunSource): Promise<RestartMeans['launch']> {
  if (source.kind === 'stdin') return { whyNot: 'its config came from stdin, which cannot be read again' };
  if (parentRole === undefined) {
    if (process.pid === 1) return { whyNot: 'with its end, as the first process of a container, all would end' };
    const { launcherOf } = await import('./fleet/generation.ts');
    return launcherOf(program());
  }
  const { parentLauncherOf } = await import('./fleet/parent-launch.ts');
  return parentLauncherOf(program(), process);
}

async function restartsOf(source: RunSource): Promise<OwnRestarts> {
  const launch = await launchOf(source);
  let tell = ignore;
  const handedOver = new Promise<Stop>((resolve) => {
    tell = () => resolve({ kind: 'restart' });
  });
  return { means: { launch, before: () => heritage?.before ?? [], onHandedOver: () => tell() }, handedOver };
}

/** Null when there is no file that could be read again. */
async function reloadsOf(
  source: RunSource,
  loaded: Exclude<Loaded, { exit: ExitCode }>,
  files: FileWatch | null,
): Promise<FileReloads | null> {
  files?.watch(loaded.result?.files ?? []);
  if (source.kind === 'demo' || source.kind === 'to' || source.kind === 'stdin') return null;
  if (loaded.result === undefined) return null;
  const { FileReloads } = await import('./cli/file-reloads.ts');
  const around = { env: process.env, stdin: process.stdin };
  return new FileReloads(source, around, loaded.result, (read) => files?.watch(read));
}

/** Waits until somebody wants the proxy to end, and ends it: in order at first, at once when asked again. */
async function endOf(proxy: Framegate, stop: Stop, stops: StopRequests): Promise<ExitCode> {
  const drained = drainAll(proxy, stop.kind === 'signal' ? stop.name : 'internal error');
  const bounds = stop.kind === 'crash' ? [delay(CRASH_DRAIN_MS, 'late' as const)] : [];
  const outcome = await Promise.race([drained, stops.second, ...bounds]);
  await Promise.race([proxy.stop(), delay(FLUSH_MS)]);
  if (stops.crashed) return ExitCode.Failed;
  return outcome === 'again' ? ExitCode.Forced : ExitCode.Stopped;
}

async function drainAll(proxy: Framegate, why: string): Promise<'drained'> {
  await proxy.drain(why);
  // systemd kills what is left of a service when its main process has ended.
  if (process.env.NOTIFY_SOCKET !== undefined) await heritage?.gone;
  return 'drained';
}

function tellCrash(error: unknown): void {
  complain(`framegate: internal error, ending: ${harmless(inspect(error))}\n`);
}

function wantsHint(source: RunSource): boolean {
  return source.kind === 'demo' || process.stderr.isTTY === true || process.env.npm_lifecycle_event === 'start';
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String(JSON.parse(text).version);
}

function print(text: string): void {
  process.stdout.write(text);
}

function complain(text: string): void {
  heritage?.note(text);
  process.stderr.write(text);
}

/** Text of a stack may hold what a peer sent: nothing that a terminal obeys gets through. */
function harmless(text: string): string {
  return text.replace(/[^\n\x20-\x7e]/g, '?');
}

await main().catch(async (error: unknown) => {
  complain(`framegate: internal error: ${harmless(inspect(error))}\n`);
  await heritage?.failed();
  process.exit(ExitCode.Failed);
});
