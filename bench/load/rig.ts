// What every load measurement stands on: echo backends and generators on one core, proxies on another, a folder for
// their configs. Whoever starts one stops it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildScript } from '../support/child-process.ts';
import type { BackendReply } from './backend.ts';
import { Generator } from './generator-process.ts';
import { type RunningPeer, startPeer } from './peers.ts';

const BACKEND = fileURLToPath(new URL('./backend.js', import.meta.url));
/** The flood yields to the light session everywhere but in the proxy, which is what is measured. */
const FLOOD_NICE = 10;

export interface RigOptions {
  readonly proxyCore: number | null;
  readonly loadCore: number | null;
  readonly nodeFlags: readonly string[];
  /** A second backend and generator, for floods. */
  readonly withFlood: boolean;
  /** V8 flags of framegate besides those of its bin: for profiles, never for figures. */
  readonly framegateFlags?: readonly string[];
  /** Keys of framegate's config besides listeners and routes, where the work needs another limit than the default. */
  readonly framegateKeys?: Readonly<Record<string, unknown>>;
}

export class Rig {
  readonly options: RigOptions;
  readonly directory = mkdtempSync(join(tmpdir(), 'framegate-bench-'));
  readonly generator: Generator;
  /** Only with `withFlood`. */
  readonly flood: Generator | null;
  library = '';
  /** Why the backend is not the fast one, or null. */
  libraryWhy: string | null = null;
  private readonly backend: ChildScript<'start', BackendReply>;
  private readonly floodBackend: ChildScript<'start', BackendReply> | null;
  /** Where sessions are echoed, for who starts a proxy of his own. */
  backendPort = 0;
  private floodBackendPort = 0;
  private started = 0;

  private constructor(options: RigOptions) {
    this.options = options;
    process.once('exit', this.removeDirectory);
    const core = options.loadCore;
    this.generator = new Generator({ core });
    this.backend = new ChildScript(BACKEND, { core });
    this.flood = options.withFlood ? new Generator({ core, nice: FLOOD_NICE }) : null;
    this.floodBackend = options.withFlood ? new ChildScript(BACKEND, { core, nice: FLOOD_NICE }) : null;
  }

  static async start(options: RigOptions): Promise<Rig> {
    const rig = new Rig(options);
    try {
      const { port, library, why } = await rig.backend.ask('start');
      rig.backendPort = port;
      rig.library = library;
      rig.libraryWhy = why;
      rig.floodBackendPort = rig.floodBackend === null ? port : (await rig.floodBackend.ask('start')).port;
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  get backendPids(): readonly number[] {
    return [this.backend.pid];
  }

  /** A proxy of its own process, fresh, in front of the backends. */
  startPeer(name: string, sessionsMax: number): Promise<RunningPeer> {
    this.started += 1;
    return startPeer(name, {
      directory: join(this.directory, String(this.started)),
      core: this.options.proxyCore,
      backendPort: this.backendPort,
      floodBackendPort: this.floodBackendPort,
      sessionsMax,
      nodeFlags: this.options.nodeFlags,
      framegateFlags: this.options.framegateFlags ?? [],
      framegateKeys: this.options.framegateKeys ?? {},
    });
  }

  /** All of them, or none. */
  async startPeers(names: readonly string[], sessionsMax: number): Promise<RunningPeer[]> {
    const peers: RunningPeer[] = [];
    try {
      for (const name of names) peers.push(await this.startPeer(name, sessionsMax));
      return peers;
    } catch (error) {
      await stopAll(peers);
      throw error;
    }
  }

  async stop(): Promise<void> {
    const processes = [this.generator, this.backend, this.flood, this.floodBackend];
    await Promise.all(processes.map((one) => one?.stop()));
    process.off('exit', this.removeDirectory);
    this.removeDirectory();
  }

  private readonly removeDirectory = (): void => {
    rmSync(this.directory, { recursive: true, force: true });
  };
}

export async function stopAll(peers: readonly RunningPeer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.stop()));
}
