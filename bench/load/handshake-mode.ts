// Measures handshakes: sessions opened, closed in order and opened again, peer by peer.

import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import { percent, type Timing } from './cells.ts';
import { interleave } from './interleave.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import { type HandshakeKind, type HandshakeRound, overTls, type PeerHandshakes } from './results.ts';
import { type Rig, stopAll } from './rig.ts';

export const CONCURRENCY = 32;
/** With fewer, something else was measured than resumption. */
const RESUMED_MIN = 0.95;
const TITLES = { plain: 'handshakes', full: 'TLS handshakes, full', resumed: 'TLS handshakes, resumed' } as const;
/** What is measured beside each other without auth. */
type OpenKind = keyof typeof TITLES;

export async function measureHandshakes(
  rig: Rig,
  names: readonly string[],
  timing: Timing,
  progress: Progress,
  kind: OpenKind = 'plain',
): Promise<PeerHandshakes[]> {
  const peers = await rig.startPeers(names, CONCURRENCY, { sides: kind === 'plain' ? 'none' : 'client' });
  try {
    const turns = peers.map((peer) => ({ peer, measure: () => measureOnce(rig, peer, timing, { kind }) }));
    const found = await interleave(TITLES[kind], turns, timing.rounds, progress);
    return found.map((one) => ({ kind, ...one }));
  } finally {
    await stopAll(peers);
  }
}

/** `fields`: of each request, as `HandshakePlan` has them. */
export async function measureOnce(
  rig: Rig,
  peer: RunningPeer,
  timing: Timing,
  { kind, fields = '' }: { readonly kind: HandshakeKind; readonly fields?: string },
): Promise<{ result: HandshakeRound; text: string }> {
  const { warmupMs, measureMs } = timing;
  const plan = { host: HOST, port: peer.port, path: '/', fields, concurrency: CONCURRENCY, warmupMs, measureMs };
  const tls = { tls: overTls(kind) ? rig.tls : null, resume: kind === 'resumed' };
  const found = await rig.generator.handshakes({ ...plan, ...tls, pids: [peer.pids] });
  const { seconds, handshakes, resumed, p50, p99, ownCpu } = found;
  const resumedShare = resumed / handshakes;
  if (kind === 'resumed' && !(resumedShare >= RESUMED_MIN)) throw new Error(`${percent(resumedShare)} were resumed`);
  if (kind === 'full' && resumed > 0) throw new Error(`${resumed} were resumed that should not be`);
  const proxyCpu = peer.pids.length === 0 ? Number.NaN : (found.cpu[0] ?? Number.NaN);
  const result = {
    perSecond: handshakes / seconds,
    perCpuSecond: handshakes / proxyCpu,
    proxyShare: proxyCpu / seconds,
    generatorShare: ownCpu / seconds,
    resumedShare,
    p50,
    p99,
  };
  const { perSecond, perCpuSecond, proxyShare } = result;
  const text = `${figure(perSecond)}/s, ${figure(perCpuSecond)} a CPU second, ${percent(proxyShare)} of its core`;
  return { result, text };
}
