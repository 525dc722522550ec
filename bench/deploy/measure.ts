// One deploy under load, as often as asked: a fresh proxy, its clients, quiet, the deploy, until all have moved and the
// old generation is gone, and what was lost on the way.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { interleave } from '../load/interleave.ts';
import { HOST } from '../load/peer-configs.ts';
import { ChildScript } from '../support/child-process.ts';
import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import type { FleetResult, FleetState } from './client-fleet.ts';
import type { ClientsReply, ClientsRequest } from './clients.ts';
import type { CountingReply, CountingRequest } from './counting-backend.ts';
import { DeployPeer } from './deploy-peers.ts';
import type { DeployOptions } from './options.ts';
import type { DeployRound, PeerDeploys } from './results.ts';
import { endingsOf, lossesOf, peakPerSecond, type ReceivedRecord } from './tally.ts';

const CLIENTS = fileURLToPath(new URL('./clients.js', import.meta.url));
const BACKEND = fileURLToPath(new URL('./counting-backend.js', import.meta.url));
const PAYLOAD_BYTES = 64;
const QUIET_MS = 3_000;
const LOOK_MS = 50;
/** Behind the window: for the last clients to be back from their backoff. */
const SLACK_MS = 15_000;
/** Who lost a session a second time would be seen in it. */
const AFTER_MS = 2_000;

export class DeployRig {
  library = '';
  libraryWhy: string | null = null;
  private readonly directory = mkdtempSync(join(tmpdir(), 'framegate-deploy-'));
  private readonly proxyCore: number | null;
  private readonly clients: ChildScript<ClientsRequest, ClientsReply>;
  private readonly backend: ChildScript<CountingRequest, CountingReply>;
  private backendPort = 0;
  private started = 0;

  private constructor(proxyCore: number | null, loadCore: number | null) {
    this.proxyCore = proxyCore;
    this.clients = new ChildScript(CLIENTS, { core: loadCore, nodeArgs: ['--single-threaded'] });
    this.backend = new ChildScript(BACKEND, { core: loadCore });
    process.once('exit', this.removeDirectory);
  }

  static async start(proxyCore: number | null, loadCore: number | null): Promise<DeployRig> {
    const rig = new DeployRig(proxyCore, loadCore);
    try {
      const reply = await rig.backend.ask({ kind: 'listen' });
      if (!('port' in reply)) throw new Error('the backend does not tell its port');
      rig.backendPort = reply.port;
      rig.library = reply.library;
      rig.libraryWhy = reply.why;
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.clients.stop(), this.backend.stop()]);
    process.off('exit', this.removeDirectory);
    this.removeDirectory();
  }

  async measure(names: readonly string[], options: DeployOptions, progress: Progress): Promise<PeerDeploys[]> {
    const turns = names.map((name) => {
      let said = '';
      const complaints = () => said;
      const measure = async () => {
        const peer = await this.startPeer(name, options);
        try {
          const result = await this.deploy(peer, options);
          return { result, text: textOf(result) };
        } finally {
          said = peer.complaints();
          await this.clients.ask({ kind: 'abandon' });
          await peer.stop();
          // What is counted there belongs to nobody any more.
          await this.backend.ask({ kind: 'tally' }).catch(() => {});
        }
      };
      return { peer: { name, complaints }, measure };
    });
    return interleave('deploy', turns, options.rounds, progress);
  }

  private startPeer(name: string, options: DeployOptions): Promise<DeployPeer> {
    const { sessions, windowSeconds, spreadSeconds } = options;
    this.started += 1;
    return DeployPeer.start(name, {
      directory: join(this.directory, String(this.started)),
      core: this.proxyCore,
      backendPort: this.backendPort,
      sessionsMax: sessions,
      windowSeconds,
      spreadSeconds,
    });
  }

  private async deploy(peer: DeployPeer, options: DeployOptions): Promise<DeployRound> {
    const { sessions: clients, rate, newcomers, windowSeconds } = options;
    const plan = { host: HOST, port: peer.port, clients, payloadBytes: PAYLOAD_BYTES, rate, newcomers };
    await this.clients.ask({ kind: 'open', plan });
    await delay(QUIET_MS);
    await this.clients.ask({ kind: 'mark' });
    const markedAt = performance.now();
    let takenOverMs = Number.NaN;
    let fault: unknown = null;
    const restarted = peer.restart().then(
      () => {
        takenOverMs = performance.now() - markedAt;
      },
      (error: unknown) => {
        fault = error;
      },
    );
    const deadline = markedAt + windowSeconds * 1000 + SLACK_MS;
    let oldGoneMs = Number.NaN;
    let hasMoved = false;
    for (;;) {
      await delay(LOOK_MS);
      if (fault !== null) throw fault;
      const now = performance.now();
      // Its answer to `state` is always this.
      const state = (await this.clients.ask({ kind: 'state' })) as FleetState;
      const isOver = !Number.isNaN(takenOverMs);
      if (isOver && Number.isNaN(oldGoneMs) && peer.leftover() === false) oldGoneMs = now - markedAt;
      hasMoved = state.openSince === clients;
      if (isOver && hasMoved && peer.leftover() !== true) break;
      if (now > deadline) break;
    }
    await restarted;
    if (fault !== null) throw fault;
    await delay(AFTER_MS);
    return this.finish({ takenOverMs, oldGoneMs, hasMoved });
  }

  private async finish(seen: { takenOverMs: number; oldGoneMs: number; hasMoved: boolean }): Promise<DeployRound> {
    // The answers to `finish` and to `tally` are always these.
    const found = (await this.clients.ask({ kind: 'finish' })) as FleetResult;
    const received = (await this.backend.ask({ kind: 'tally' })) as readonly ReceivedRecord[];
    const { sessions, triedAt, lastOpenedAt, ...rest } = found;
    return {
      ...rest,
      endings: endingsOf(sessions),
      losses: lossesOf(sessions, received),
      peakReconnects: peakPerSecond(triedAt),
      takenOverMs: seen.takenOverMs,
      allMovedMs: seen.hasMoved ? lastOpenedAt : Number.NaN,
      oldGoneMs: seen.oldGoneMs,
    };
  }

  private readonly removeDirectory = (): void => {
    rmSync(this.directory, { recursive: true, force: true });
  };
}

function textOf(round: DeployRound): string {
  const { endings, losses, newcomers, peakReconnects, allMovedMs } = round;
  const refused = newcomers.refused + newcomers.reset + newcomers.answered + newcomers.late;
  return (
    `${endings.abnormal} of ${endings.ended} ended with 1006, ${peakReconnects} back in a second, ` +
    `${losses.toBackend} + ${losses.toClient} messages lost, ${refused} newcomers not let in, ` +
    `all moved after ${figure(allMovedMs / 1000)} s`
  );
}
