// Measures what a session that floods does to a light one beside it: the light one's latency alone and beside two kinds
// of flood, which goes to a backend of its own so that only the proxy is shared.

import type { Progress } from '../support/progress.ts';
import { bytes, figure } from '../support/table.ts';
import type { Timing } from './cells.ts';
import type { Generator } from './generator-process.ts';
import { interleave } from './interleave.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import type { FairnessRound, PeerFairness } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

interface Flood {
  readonly name: string;
  readonly payloadBytes: number;
  readonly inFlight: number;
}

const LIGHT = { connections: 1, payloadBytes: 64, inFlight: 1 } as const;
const FLOODS: readonly (Flood | null)[] = [
  null,
  { name: '64KiBx32', payloadBytes: 65_536, inFlight: 32 },
  { name: '64Bx512', payloadBytes: 64, inFlight: 512 },
];
export const FLOOD_NAMES = FLOODS.map((flood) => flood?.name ?? 'alone');
const SESSIONS = 4;

export async function measureFairness(
  rig: Rig,
  names: readonly string[],
  timing: Timing,
  progress: Progress,
): Promise<PeerFairness[]> {
  const { flood: floodGenerator } = rig;
  if (floodGenerator === null) throw new Error('the rig has no flood');
  const peers = await rig.startPeers(names, SESSIONS);
  const found: PeerFairness[] = [];
  try {
    for (const flood of FLOODS) {
      const title = flood?.name ?? 'alone';
      const measure = (peer: RunningPeer) => measureOnce(rig, floodGenerator, peer, flood, timing);
      const turns = peers.map((peer) => ({ peer, measure: () => measure(peer) }));
      for (const one of await interleave(`light beside ${title}`, turns, timing.rounds, progress)) {
        found.push({ ...one, flood: title });
      }
    }
    return found;
  } finally {
    await stopAll(peers);
  }
}

async function measureOnce(
  rig: Rig,
  floodGenerator: Generator,
  peer: RunningPeer,
  flood: Flood | null,
  timing: Timing,
): Promise<{ result: FairnessRound; text: string }> {
  const window = { warmupMs: timing.warmupMs, measureMs: timing.measureMs, pids: [], rate: null };
  const light = { host: HOST, port: peer.port, path: '/', ...LIGHT };
  try {
    await rig.generator.open('light', light);
    if (flood !== null) {
      const { payloadBytes, inFlight } = flood;
      const plan = { host: HOST, port: peer.floodPort, path: '/flood', connections: 1, payloadBytes, inFlight };
      await floodGenerator.open('flood', plan);
    }
    const flooding = flood === null ? null : floodGenerator.run('flood', window);
    const [{ p50, p99 }, flooded] = await Promise.all([rig.generator.run('light', window), flooding]);
    const floodBytesPerSecond = flooded === null ? 0 : (flooded.echoes * (flood?.payloadBytes ?? 0)) / flooded.seconds;
    const text = `p50 ${figure(p50)} ms, p99 ${figure(p99)} ms, flood ${bytes(floodBytesPerSecond)}/s`;
    return { result: { p50, p99, floodBytesPerSecond }, text };
  } finally {
    await Promise.all([rig.generator.close('light'), floodGenerator.close('flood')]);
  }
}
