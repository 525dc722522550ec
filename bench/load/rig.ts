// What every load measurement stands on: echo backends and generators on one core, proxies on another, a folder for
// their configs. Whoever starts one stops it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildScript } from '../support/child-process.ts';
import type { BackendReply, BackendRequest } from './backend.ts';
import { Generator } from './generator-process.ts';
import { type RunningPeer, startPeer } from './peers.ts';
import type { TlsChoice, TlsFiles, TlsSides } from './tls.ts';

const BACKEND = fileURLToPath(new URL('./backend.js', import.meta.url));
/** The flood yields to the light session everywhere but in the proxy, which is what is measured. */
const FLOOD_NICE = 10;
const NO_PORTS = { port: 0, tlsPort: 0, plainPort: 0 };

export interface RigOptions {
  readonly proxyCore: number | null;
  readonly loadCore: number | null;
  readonly nodeFlags: readonly string[];
  /** A second backend and generator, for floods. */
  readonly withFlood: boolean;
  /** A certificate is made, and backends listen with it too; null or absent: no TLS. */
  readonly tls?: TlsChoice | null;
  /** V8 flags of framegate besides those of its bin: for profiles, never for figures. */
  readonly framegateFlags?: readonly string[];
  /** Keys of framegate's config besides listeners and routes, where the work needs another limit than the default. */
  readonly framegateKeys?: Readonly<Record<string, unknown>>;
}

interface Start {
  readonly sides?: TlsSides;
  /** Besides those of the rig. */
  readonly framegateFlags?: readonly string[];
  /** A method that all its routes ask for. */
  readonly framegateAuth?: object;
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
  private readonly backend: ChildScript<BackendRequest, BackendReply>;
  private readonly floodBackend: ChildScript<BackendRequest, BackendReply> | null;
  private ports = NO_PORTS;
  private floodPorts = NO_PORTS;
  /** Of the certificate; null without TLS. */
  files: TlsFiles | null = null;
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
      if (options.tls) rig.files = await rig.makeFiles(options.tls);
      const request = { tls: rig.files };
      const { library, why, ...ports } = await rig.backend.ask(request);
      rig.ports = ports;
      rig.library = library;
      rig.libraryWhy = why;
      rig.floodPorts = rig.floodBackend === null ? ports : await rig.floodBackend.ask(request);
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  get backendPids(): readonly number[] {
    return [this.backend.pid];
  }

  /** What clients ask for in cells with TLS. */
  get tls(): TlsChoice | null {
    return this.options.tls ?? null;
  }

  /** Where sessions are echoed, for who starts a proxy of his own. */
  get backendPort(): number {
    return this.ports.port;
  }

  /** Where the backend answers requests without upgrade. */
  get plainBackendPort(): number {
    return this.ports.plainPort;
  }

  /** A proxy of its own process, fresh, in front of the backends. */
  startPeer(name: string, sessionsMax: number, how: Start = {}): Promise<RunningPeer> {
    const { sides = 'none', framegateFlags = [], framegateAuth = null } = how;
    this.started += 1;
    const { files, ports, floodPorts } = this;
    if (sides !== 'none' && files === null) throw new Error('the rig was started without TLS');
    const toBackend = sides === 'both';
    const isSecure = toBackend || (name === 'direct' && sides !== 'none');
    const tls = sides === 'none' || files === null ? null : { ...files, toBackend };
    return startPeer(name, {
      directory: join(this.directory, String(this.started)),
      core: this.options.proxyCore,
      backendPort: isSecure ? ports.tlsPort : ports.port,
      floodBackendPort: isSecure ? floodPorts.tlsPort : floodPorts.port,
      plainBackendPort: ports.plainPort,
      sessionsMax,
      tls,
      nodeFlags: this.options.nodeFlags,
      framegateFlags: [...(this.options.framegateFlags ?? []), ...framegateFlags],
      framegateKeys: this.options.framegateKeys ?? {},
      framegateAuth,
    });
  }

  /** All of them, or none. */
  async startPeers(names: readonly string[], sessionsMax: number, how: Start = {}): Promise<RunningPeer[]> {
    const peers: RunningPeer[] = [];
    try {
      for (const name of names) peers.push(await this.startPeer(name, sessionsMax, how));
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

  private async makeFiles({ certificate }: TlsChoice): Promise<TlsFiles> {
    // Loads much, which no other bench needs.
    const { makeCertificate } = await import('../support/certificate.ts');
    const { cert, key } = await makeCertificate(certificate);
    const write = (name: string, text: string) => {
      const file = join(this.directory, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    };
    return { cert: write('cert.pem', cert), key: write('key.pem', key), both: write('both.pem', cert + key) };
  }

  private readonly removeDirectory = (): void => {
    rmSync(this.directory, { recursive: true, force: true });
  };
}

export async function stopAll(peers: readonly RunningPeer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.stop()));
}
