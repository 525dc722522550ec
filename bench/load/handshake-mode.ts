// Measures handshakes: sessions opened, closed in order and opened again, peer by peer.

import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import { percent, type Timing } from './cells.ts';
import { interleave } from './interleave.ts';
import { HOST, type RunningPeer } from './peers.ts';
import type { HandshakeRound, PeerHandshakes } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

const CONCURRENCY = 32;

export async function measureHandshakes(
  rig: Rig,
  names: readonly string[],
  timing: Timing,
  progress: Progress,
): Promise<PeerHandshakes[]> {
  const peers = await rig.startPeers(names, CONCURRENCY);
  try {
    const turns = peers.map((peer) => ({ peer, measure: () => measureOnce(rig, peer, timing) }));
    return await interleave('handshakes', turns, timing.rounds, progress);
  } finally {
    await stopAll(peers);
  }
}

async function measureOnce(
  rig: Rig,
  peer: RunningPeer,
  timing: Timing,
): Promise<{ result: HandshakeRound; text: string }> {
  const { warmupMs, measureMs } = timing;
  const plan = { host: HOST, port: peer.port, path: '/', concurrency: CONCURRENCY, warmupMs, measureMs };
  const found = await rig.generator.handshakes({ ...plan, pids: [peer.pids] });
  const { seconds, handshakes, p50, p99, ownCpu } = found;
  const proxyCpu = peer.pids.length === 0 ? Number.NaN : (found.cpu[0] ?? Number.NaN);
  const result = {
    perSecond: handshakes / seconds,
    perCpuSecond: handshakes / proxyCpu,
    proxyShare: proxyCpu / seconds,
    generatorShare: ownCpu / seconds,
    p50,
    p99,
  };
  const { perSecond, perCpuSecond, proxyShare } = result;
  const text = `${figure(perSecond)}/s, ${figure(perCpuSecond)} a CPU second, ${percent(proxyShare)} of its core`;
  return { result, text };
}
