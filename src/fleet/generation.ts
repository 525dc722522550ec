// A new generation as the old one sees it: a process that was started with the listening sockets, until it says that
// it is ready, or until it is known why it is not. It does nothing about either.

import { type ChildProcess, spawn } from 'node:child_process';
import { HANDOVER_VARIABLE, handoverText } from './generation-messages.ts';

/** What the command line of this process says, and where it runs. */
export interface Program {
  readonly execPath: string;
  /** Flags of Node, the script and its arguments. */
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
}

/** Starts one. Whatever goes wrong comes by `onEnd`, later. */
export type Launch = (sockets: ReadonlyMap<string, number>, events: Events) => Generation;

/** stdin, stdout, stderr and the channel come before. */
const FIRST_SOCKET = 4;

export function launcherOf(program: Program): Launch {
  return (sockets, events) => {
    const { execPath, args, env } = program;
    const places = [...sockets.keys()].map((key, index) => [key, FIRST_SOCKET + index] as const);
    const child = spawn(execPath, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets.values()],
      env: { ...env, [HANDOVER_VARIABLE]: handoverText(new Map(places)) },
    });
    listen(child, events);
    return {
      pid: child.pid ?? 0,
      // A channel that is closed has nobody behind it, which is told otherwise.
      send: (message) => void (child.connected && child.send(message, () => {})),
      kill: () => void child.kill('SIGKILL'),
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
  child.on('exit', (code, signal) => over(code === null ? `it was ended by ${signal}` : `it ended with code ${code}`));
}
