// The first process of a container, whose end is that of all: it starts each generation, passes on what the old and the
// new one say to each other, and signals to the one that serves, and ends with its exit code. It serves nobody itself.

import { type ChildProcess, spawn } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { type Program, programArguments, whyEnded } from './generation.ts';
import { HANDOVER_VARIABLE, handoverText, readUpward } from './generation-messages.ts';
import { type FromParent, PARENT_VARIABLE, readToParent } from './parent-messages.ts';

const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const;
/** stdin, stdout, stderr and the channel come before. */
const FIRST_SOCKET = 4;

/** A listening socket that a generation has sent, of this process until the next one has it, too. */
interface SentHandle {
  readonly fd: number;
  close(): void;
}

interface Child {
  readonly process: ChildProcess;
  /** The one that asked for it. */
  readonly before: Child | null;
  /** For the next one. */
  readonly sockets: Map<string, SentHandle>;
  next: Child | null;
}

/** Resolves with an exit code when the last process has ended. */
export function runAsParent(program: Program, signals: EventEmitter): Promise<number> {
  return new Parent(program, signals).over;
}

class Parent {
  readonly over: Promise<number>;
  private readonly program: Program;
  private readonly alive = new Set<Child>();
  /** The youngest that was ready; at first the first. */
  private current: Child;
  private exitCode = 0;
  private end: (code: number) => void = () => {};

  constructor(program: Program, signals: EventEmitter) {
    this.program = program;
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
    this.current = this.start(null);
    for (const name of PASSED_ON) signals.on(name, () => this.passOn(name));
  }

  private passOn(signal: NodeJS.Signals): void {
    const to = this.alive.has(this.current) ? [this.current] : [...this.alive];
    for (const one of to) one.process.kill(signal);
  }

  private start(before: Child | null): Child {
    const sockets = [...(before?.sockets ?? [])];
    const places = new Map(sockets.map(([key], index) => [key, FIRST_SOCKET + index]));
    const handover = before === null ? {} : { [HANDOVER_VARIABLE]: handoverText(places) };
    const { execPath, env } = this.program;
    const made = spawn(execPath, programArguments(this.program), {
      stdio: [before === null ? 'inherit' : 'ignore', 'inherit', 'inherit', 'ipc', ...sockets.map(([, { fd }]) => fd)],
      env: { ...env, [PARENT_VARIABLE]: '1', ...handover },
    });
    const child: Child = { process: made, before, sockets: new Map(), next: null };
    this.alive.add(child);
    made.on('message', (message, handle) => this.hear(child, message, handle));
    made.on('error', () => this.ended(child, 'it cannot be started', 1));
    made.on('exit', (code, signal) => {
      const number = signal === null ? 0 : (constants.signals[signal] ?? 0);
      const over = () => this.ended(child, whyEnded(code, signal), code ?? 128 + number);
      // What it has said before is told first.
      if (made.connected) made.on('disconnect', over);
      else over();
    });
    return child;
  }

  private hear(child: Child, message: unknown, handle: unknown): void {
    const asked = readToParent(message);
    switch (asked?.kind) {
      case 'socket':
        if (isSentHandle(handle)) child.sockets.set(asked.key, handle);
        return;
      case 'launch':
        child.next = this.start(child);
        closeAll(child);
        tell(child, { kind: 'started', pid: child.next.process.pid ?? 0 });
        return;
      case 'tell':
        if (child.next !== null) send(child.next, asked.message);
        return;
      case 'kill':
        child.next?.process.kill('SIGKILL');
        return;
      default:
        if (readUpward(message)?.kind === 'ready') this.current = child;
        if (child.before !== null) tell(child.before, { kind: 'said', message });
    }
  }

  private ended(child: Child, why: string, code: number): void {
    if (!this.alive.delete(child)) return;
    if (child === this.current) this.exitCode = code;
    closeAll(child);
    if (child.before !== null) tell(child.before, { kind: 'ended', why });
    if (child.next !== null) send(child.next, { kind: 'gone' });
    if (this.alive.size === 0) this.end(this.exitCode);
  }
}

/** The processes that listen there have them still. */
function closeAll({ sockets }: Child): void {
  for (const socket of sockets.values()) socket.close();
  sockets.clear();
}

function tell(child: Child, message: FromParent): void {
  send(child, message);
}

function send(child: Child, message: unknown): void {
  // A channel that is closed has nobody behind it, which is told otherwise.
  const to = child.process;
  if (to.connected && typeof message === 'object' && message !== null) to.send(message, () => {});
}

function isSentHandle(value: unknown): value is SentHandle {
  if (typeof value !== 'object' || value === null) return false;
  return Number(Reflect.get(value, 'fd')) >= 0 && typeof Reflect.get(value, 'close') === 'function';
}
