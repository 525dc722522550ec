// A new generation as the old one sees it: a process that was started with the listening sockets, until it says that
// it is ready, or until it is known why it is not. It does nothing about either.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import type { ListeningSocket } from '../net/listen.ts';
import { HANDOVER_VARIABLE, handoverText } from './generation-messages.ts';

/** What the command line of this process says, and where it runs. */
export interface Program {
  readonly execPath: string;
  /** Of Node. */
  readonly flags: readonly string[];
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Events {
  onMessage(message: unknown): void;
  /** Once: it has ended, or was never there. */
  onEnd(why: string): void;
}

/** One that was started. */
export interface Generation {
  /** 0 until it is known. */
  readonly pid: number;
  send(message: object): void;
  /** At once. */
  kill(): void;
  /** What keeps the program from running at all; '' when nothing does. */
  explain(): Promise<string>;
}

/** Starts one. Whatever goes wrong comes by `onEnd`, later. */
export type Launch = (sockets: ReadonlyMap<string, ListeningSocket>, events: Events) => Generation;

const EXPLAIN_MS = 5_000;
/** The end says what is wrong. */
const TOLD_CHARACTERS_MAX = 2_000;

/** stdin, stdout, stderr and the channel come before. */
const FIRST_SOCKET = 4;

export function launcherOf(program: Program): Launch {
  return (sockets, events) => {
    const { execPath, env } = program;
    const fds = [...new Set([...sockets.values()].map(({ fd }) => fd))];
    const places = [...sockets].map(([key, { fd }]) => [key, FIRST_SOCKET + fds.indexOf(fd)] as const);
    const child = spawn(execPath, programArguments(program), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...fds],
      env: { ...env, [HANDOVER_VARIABLE]: handoverText(new Map(places)) },
    });
    listen(child, events);
    return {
      pid: child.pid ?? 0,
      // A channel that is closed has nobody behind it, which is told otherwise.
      send: (message) => void (child.connected && child.send(message, () => {})),
      kill: () => void child.kill('SIGKILL'),
      explain: () => explain(program),
    };
  };
}

function listen(child: ChildProcess, { onMessage, onEnd }: Events): void {
  let isOver = false;
  const over = (why: string): void => {
    if (isOver) return;
    isOver = true;
    onEnd(why);
  };
  child.on('message', onMessage);
  child.on('error', (error) => over(`it cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    const why = whyEnded(code, signal);
    // What it has said before is told first.
    if (child.connected) child.on('disconnect', () => over(why));
    else over(why);
  });
}

export function programArguments({ flags, script, args }: Program): string[] {
  return [...flags, script, ...args];
}

export function whyEnded(code: number | null, signal: string | null): string {
  return code === null ? `it was ended by ${signal}` : `it ended with code ${code}`;
}

/** Its stderr is that of this process, and cannot be read: so it is asked for a word that any program of it has. */
export function explain({ execPath, flags, script, env }: Program): Promise<string> {
  return new Promise((resolve) => {
    execFile(execPath, [...flags, script, 'version'], { env, timeout: EXPLAIN_MS }, (error, _stdout, stderr) => {
      resolve(error === null ? '' : stderr.trim().slice(-TOLD_CHARACTERS_MAX));
    });
  });
}
