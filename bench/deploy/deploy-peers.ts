// The proxies whose deploy is measured, each in a folder of its own, by which its processes are found again: neither
// nginx's nor framegate's next generation is a child of ours.

import { mkdirSync } from 'node:fs';
import { absence, needsProgram } from '../load/peers.ts';
import type { ChildCommand } from '../support/child-process.ts';
import { isListening } from '../support/ports.ts';
import { isAlive, processesNaming } from '../support/process-figures.ts';
import { type DeployContext, type Launch, launchOf, STOPPED } from './launches.ts';
import { until } from './until.ts';

export const DEPLOY_PEERS = ['framegate', 'nginx', 'haproxy', 'caddy'] as const;
const KNOWN: readonly string[] = [...DEPLOY_PEERS, STOPPED];
const READY_MS = 10_000;
const END_MS = 5_000;

/** Why `name` cannot be measured here, or null. Throws for a name that is no peer. */
export function deployAbsence(name: string): string | null {
  if (!KNOWN.includes(name)) throw new Error(`"${name}" is no peer; there are ${KNOWN.join(', ')}`);
  return name === 'caddy' ? needsProgram(name) : absence(name === STOPPED ? 'framegate' : name);
}

export class DeployPeer {
  readonly name: string;
  readonly port: number;
  /** As it stands in command lines, with a slash, so that no other name begins with it. */
  private readonly folder: string;
  private readonly launch: Launch;
  private first: ChildCommand;
  private old: readonly number[] = [];

  private constructor(name: string, directory: string, launch: Launch) {
    this.name = name;
    this.port = launch.port;
    this.folder = `${directory}/`;
    this.launch = launch;
    this.first = launch.start();
  }

  static async start(name: string, context: DeployContext): Promise<DeployPeer> {
    mkdirSync(context.directory, { recursive: true });
    const peer = new DeployPeer(name, context.directory, await launchOf(name, context));
    process.once('exit', peer.kill);
    try {
      await until(READY_MS, () => isListening(peer.port), 'it does not listen');
      return peer;
    } catch (error) {
      const said = peer.complaints().split('\n').at(-1);
      await peer.stop();
      throw new Error(`${name} did not start: ${said}`, { cause: error });
    }
  }

  /** The next generation takes over; `leftover` tells of the one before. */
  async restart(): Promise<void> {
    const stays = this.launch.firstStays ? [this.first.pid] : [];
    this.old = processesNaming(this.folder).filter((pid) => !stays.includes(pid));
    await this.launch.restart(this.first);
  }

  /** Whether any process of the old generation is there; null for a proxy that has only one process ever. */
  leftover(): boolean | null {
    return this.old.length === 0 ? null : this.old.some(isAlive);
  }

  complaints(): string {
    return this.first.stderr || this.launch.logged();
  }

  async stop(): Promise<void> {
    signalAll(processesNaming(this.folder), 'SIGKILL');
    await this.first.stop();
    await until(END_MS, async () => processesNaming(this.folder).length === 0, 'it does not end');
    process.off('exit', this.kill);
  }

  private readonly kill = (): void => signalAll(processesNaming(this.folder), 'SIGKILL');
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
