// Measures the cells of the grid: all peers at once in front of one backend, their sessions open and idle while another
// one has its turn.

import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import type { WindowResult } from './echo-load.ts';
import type { Cell } from './grid.ts';
import { interleave, type Turn } from './interleave.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import type { CellResult, Round } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

const MICROS = 1e6;

export interface Timing {
  readonly rounds: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly rate: number | null;
}

export async function measureCell(
  rig: Rig,
  cell: Cell,
  names: readonly string[],
  timing: Timing,
  progress: Progress,
): Promise<CellResult> {
  const { name, connections, payloadBytes, inFlight } = cell;
  const tls = cell.tls === 'none' ? null : rig.tls;
  const peers = await rig.startPeers(names, connections, { sides: cell.tls });
  try {
    const turns: Turn<Round>[] = [];
    for (const peer of peers) {
      progress.status(`${name} ${peer.name}: opening ${connections} sessions`);
      const plan = { host: HOST, port: peer.port, path: '/', connections, payloadBytes, inFlight, tls };
      const opened = rig.generator.open(peer.name, plan, timing.rate !== null);
      const fault = await opened.then(
        () => null,
        (error: unknown) => error,
      );
      const measure = () => (fault === null ? measureOnce(rig, peer, timing) : Promise.reject(fault));
      turns.push({ peer, measure });
    }
    return { cell: name, peers: await interleave(name, turns, timing.rounds, progress) };
  } finally {
    for (const peer of peers) await rig.generator.close(peer.name);
    await stopAll(peers);
  }
}

async function measureOnce(rig: Rig, peer: RunningPeer, timing: Timing): Promise<{ result: Round; text: string }> {
  const { warmupMs, measureMs, rate } = timing;
  const pids = [peer.pids, rig.backendPids];
  const result = roundOf(await rig.generator.run(peer.name, { warmupMs, measureMs, pids, rate }), peer);
  const { cpuMicros, roundTripsPerSecond, p99, proxyShare } = result;
  const cpu = peer.pids.length === 0 ? '' : `, ${figure(cpuMicros)} us CPU each, ${percent(proxyShare)} of its core`;
  return { result, text: `${figure(roundTripsPerSecond)} round trips/s${cpu}, p99 ${figure(p99)} ms` };
}

function roundOf(window: WindowResult, peer: RunningPeer): Round {
  const { seconds, echoes, p50, p99, p999, sentLateP99, ownCpu } = window;
  const [proxyCpu = 0, backendCpu = 0] = window.cpu;
  const isProxy = peer.pids.length > 0;
  return {
    roundTripsPerSecond: echoes / seconds,
    cpuMicros: isProxy ? (proxyCpu * MICROS) / echoes : Number.NaN,
    proxyShare: isProxy ? proxyCpu / seconds : Number.NaN,
    generatorShare: ownCpu / seconds,
    backendShare: backendCpu / seconds,
    p50,
    p99,
    p999,
    sentLateP99,
  };
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : '-';
}
