// Measures plain requests over connections that are kept open, peer by peer; each proxy opens a connection to the
// backend for every one of them.

import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import { percent, type Timing } from './cells.ts';
import { interleave } from './interleave.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import type { PeerPlain, PlainRound } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

const CONNECTIONS = 64;
const MICROS = 1e6;

/** The work, with bytes of the body that a request has. */
export const PLAIN_WORK = [
  { work: 'GET', bodyBytes: 0 },
  { work: 'POST 1KiB', bodyBytes: 1_024 },
] as const;

export async function measurePlain(
  rig: Rig,
  names: readonly string[],
  timing: Timing,
  progress: Progress,
): Promise<PeerPlain[]> {
  const peers = await rig.startPeers(names, CONNECTIONS);
  const found: PeerPlain[] = [];
  try {
    for (const { work, bodyBytes } of PLAIN_WORK) {
      const turns = peers.map((peer) => ({ peer, measure: () => measureOnce(rig, peer, timing, bodyBytes) }));
      for (const one of await interleave(`plain ${work}`, turns, timing.rounds, progress)) found.push({ work, ...one });
    }
    return found;
  } finally {
    await stopAll(peers);
  }
}

async function measureOnce(
  rig: Rig,
  peer: RunningPeer,
  { warmupMs, measureMs, rate }: Timing,
  bodyBytes: number,
): Promise<{ result: PlainRound; text: string }> {
  const plan = { host: HOST, port: peer.plainPort, path: '/plain', connections: CONNECTIONS, bodyBytes };
  const pids = [peer.pids, rig.backendPids];
  const { seconds, answers, p50, p99, cpu, ownCpu } = await rig.generator.plain({
    ...plan,
    warmupMs,
    measureMs,
    rate,
    pids,
  });
  const [proxyCpu = 0, backendCpu = 0] = cpu;
  const isProxy = peer.pids.length > 0;
  const result = {
    perSecond: answers / seconds,
    cpuMicros: isProxy ? (proxyCpu * MICROS) / answers : Number.NaN,
    proxyShare: isProxy ? proxyCpu / seconds : Number.NaN,
    loadShare: (ownCpu + backendCpu) / seconds,
    p50,
    p99,
  };
  const { perSecond, cpuMicros, proxyShare } = result;
  const text = `${figure(perSecond)}/s, ${figure(cpuMicros)} us CPU each, ${percent(proxyShare)} of its core`;
  return { result, text };
}
