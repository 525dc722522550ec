// Measures a reconnect storm: thousands of clients with tickets come back at once, while others talk on. Who comes back
// has a generator and a backend of its own, which yield to those of the others: what they feel is the proxy.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { descriptorsOf } from '../support/process-figures.ts';
import type { Progress } from '../support/progress.ts';
import { figure } from '../support/table.ts';
import { percent } from './cells.ts';
import type { Generator } from './generator-process.ts';
import { interleave } from './interleave.ts';
import { longestTurnMs, loopWatchFlags } from './loop-watch.ts';
import { HOST } from './peer-configs.ts';
import type { RunningPeer } from './peers.ts';
import type { PeerStorms, StormRound } from './results.ts';
import { type Rig, stopAll } from './rig.ts';
import type { TlsPlan } from './tls.ts';

/** Those that stay: enough messages for a p99 of one second, few enough to leave the proxy idle. */
const OPEN = { connections: 100, payloadBytes: 64, inFlight: 1 } as const;
const RATE = 1_000;
const QUIET_MS = 3_000;
/** For the proxy to be done with those who left: their sockets are closed, and then a moment. */
const LEAVE_MS = 30_000;
const LOOK_MS = 100;
const CALM_MS = 500;

export async function measureStorms(
  rig: Rig,
  names: readonly string[],
  options: { readonly clients: number; readonly rounds: number },
  progress: Progress,
): Promise<PeerStorms[]> {
  const { flood, tls } = rig;
  if (flood === null || tls === null) throw new Error('the rig has no flood, or no TLS');
  const watched = join(rig.directory, 'longest-turn');
  // Who left may not have been noticed when he is back.
  const sessionsMax = 2 * options.clients + OPEN.connections;
  const peers = await rig.startPeers(names, sessionsMax, { sides: 'client', framegateFlags: loopWatchFlags(watched) });
  try {
    const turns = peers.map((peer) => {
      const file = peer.name.startsWith('framegate') ? watched : null;
      return { peer, measure: () => measureOnce(rig, flood, peer, { tls, file, clients: options.clients }) };
    });
    return await interleave('storm', turns, options.rounds, progress);
  } finally {
    await stopAll(peers);
  }
}

async function measureOnce(
  rig: Rig,
  storm: Generator,
  peer: RunningPeer,
  { tls, file, clients }: { readonly tls: TlsPlan; readonly file: string | null; readonly clients: number },
): Promise<{ result: StormRound; text: string }> {
  const window = { warmupMs: 0, measureMs: QUIET_MS, pids: [peer.pids], rate: RATE };
  try {
    await rig.generator.open('open', { host: HOST, port: peer.port, path: '/', ...OPEN, tls }, true);
    const before = descriptorsOf(peer.pids);
    await storm.armStorm({ host: HOST, port: peer.floodPort, path: '/flood', clients, tls });
    const quiet = await rig.generator.run('open', window);
    await storm.cutStorm();
    await hasLeft(peer, before);
    const turnOf = async () => (file === null ? Number.NaN : longestTurnMs(file, peer.pids[0] ?? 0));
    await turnOf();
    const stop = await rig.generator.watch('open', window);
    const found = await storm.storm();
    const seen = await stop();
    const result = {
      clients,
      resumedShare: found.resumed / clients,
      lastHelloMs: found.lastHelloMs,
      allInMs: found.allInMs,
      openP99: found.p99,
      longestTurnMs: await turnOf(),
      quietP99: quiet.p99,
      stormP99: seen.p99,
      stormMax: seen.max,
      sentLateP99: seen.sentLateP99,
      proxyShare: (seen.cpu[0] ?? Number.NaN) / seen.seconds,
    };
    return { result, text: textOf(result) };
  } finally {
    await Promise.all([rig.generator.close('open'), storm.cutStorm()]);
    await delay(CALM_MS);
  }
}

async function hasLeft(peer: RunningPeer, descriptors: number): Promise<void> {
  const deadline = performance.now() + LEAVE_MS;
  while (descriptorsOf(peer.pids) > descriptors) {
    if (performance.now() > deadline) throw new Error('it holds connections of clients who left');
    await delay(LOOK_MS);
  }
  await delay(CALM_MS);
}

function textOf(round: StormRound): string {
  const { resumedShare, allInMs, quietP99, stormP99, longestTurnMs: turn } = round;
  const p99 = `p99 ${figure(quietP99)} ms quiet, ${figure(stormP99)} ms in the storm`;
  const all = `${percent(resumedShare)} resumed, all in after ${figure(allInMs)} ms`;
  return `${all}, ${p99}, longest turn ${figure(turn)} ms`;
}
