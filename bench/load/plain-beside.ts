// Measures what plain requests do to sessions beside them: the latency of messages by the clock, quiet, while requests
// go past the proxy at a steady rate, and while they go through it.

import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import { percent, type Timing } from './cells.ts';
import type { Generator } from './generator-process.ts';
import { interleave } from './interleave.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import type { BesideRound, PeerBeside } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

export const BESIDE = { sessions: 200, messagesPerSecond: 2_000, requestsPerSecond: 2_000 } as const;
const CONNECTIONS = 64;
const WARM_MS = 5_000;
const PLAN = { host: HOST, path: '/plain', connections: CONNECTIONS, bodyBytes: 0, pids: [] } as const;
const LIGHT = { connections: BESIDE.sessions, payloadBytes: 64, inFlight: 16 } as const;

export async function measureBeside(
  rig: Rig,
  names: readonly string[],
  timing: Timing,
  progress: Progress,
): Promise<PeerBeside[]> {
  const { flood } = rig;
  if (flood === null) throw new Error('the rig has no second generator');
  const peers = await rig.startPeers(names, BESIDE.sessions + CONNECTIONS);
  try {
    for (const { name, port } of peers) await rig.generator.open(name, { host: HOST, port, path: '/', ...LIGHT }, true);
    // Code that has not run often is slow on Node; what is measured is not that.
    for (const { name, plainPort: port } of peers) {
      progress.status(`sessions beside plain requests ${name}: warm-up`);
      await flood.plain({ ...PLAN, port, rate: null, warmupMs: 0, measureMs: WARM_MS });
    }
    const turns = peers.map((peer) => ({ peer, measure: () => measureOnce(rig, flood, peer, timing) }));
    return await interleave('sessions beside plain requests', turns, timing.rounds, progress);
  } finally {
    for (const { name } of peers) await rig.generator.close(name);
    await stopAll(peers);
  }
}

async function measureOnce(
  rig: Rig,
  flood: Generator,
  peer: RunningPeer,
  { warmupMs, measureMs }: Timing,
): Promise<{ result: BesideRound; text: string }> {
  const window = { warmupMs, measureMs, pids: [peer.pids], rate: BESIDE.messagesPerSecond };
  const quiet = await rig.generator.run(peer.name, window);
  const rate = BESIDE.requestsPerSecond;
  const besideThoseTo = (port: number) =>
    Promise.all([rig.generator.run(peer.name, window), flood.plain({ ...PLAN, port, rate, warmupMs, measureMs })]);
  // Whoever makes the requests and answers them shares cores with whoever measures: what that costs is not the proxy's.
  const [past] = await besideThoseTo(rig.plainBackendPort);
  const [beside, plain] = await besideThoseTo(peer.plainPort);
  const result = {
    quietP99: quiet.p99,
    pastP99: past.p99,
    p99: beside.p99,
    requestsPerSecond: plain.answers / plain.seconds,
    requestP99: plain.p99,
    sentLateP99: beside.sentLateP99,
    proxyShare: (beside.cpu[0] ?? Number.NaN) / beside.seconds,
  };
  const { quietP99, pastP99, p99, requestsPerSecond, proxyShare } = result;
  const through = `${figure(requestsPerSecond)} requests/s, ${percent(proxyShare)} of its core`;
  return {
    result,
    text: `p99 ${figure(quietP99)} ms quiet, ${figure(pastP99)} past, ${figure(p99)} beside ${through}`,
  };
}
