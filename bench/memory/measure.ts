// One measurement of memory: by how much the proportional set size of a fresh proxy grows for each idle session.

import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigInput } from '../../src/proxy.ts';
import { HOST } from '../load/peer-configs.ts';
import { binFlags, withComplaints } from '../load/peers.ts';
import { Rig } from '../load/rig.ts';
import type { TlsChoice, TlsSides } from '../load/tls.ts';
import { pssBytes } from '../support/process-figures.ts';
import type { Progress } from '../support/progress.ts';
import { median } from '../support/statistics.ts';
import { bytes } from '../support/table.ts';

export const LOAD = 'idle';

/** What the sessions are asked for with: nothing of it should be kept but what the log tells. */
export interface RequestShape {
  readonly pathBytes: number;
  readonly cookieBytes: number;
  readonly trusted: boolean;
}

export interface MeasureOptions {
  readonly sessions: number;
  readonly settleMs: number;
  readonly request: RequestShape;
  /** Null or absent: no TLS. */
  readonly tls?: TlsChoice | null;
}

/** Bytes per session. */
export interface MemoryRound {
  /** After the handshakes alone, then after one message each way. */
  readonly opened: number;
  readonly used: number;
}

/** Backend and generator are fresh too, since they hold the other ends. */
export async function withRig<Result>(
  { request, tls = null }: MeasureOptions,
  work: (rig: Rig) => Promise<Result>,
): Promise<Result> {
  // A bare Node that framegate is compared with runs as framegate does.
  const nodeFlags = tls === null ? ['--single-threaded'] : binFlags();
  const rig = await Rig.start({
    proxyCore: null,
    loadCore: null,
    nodeFlags,
    withFlood: false,
    tls,
    framegateKeys: keysFor(request),
  });
  try {
    return await work(rig);
  } finally {
    await rig.stop();
  }
}

export async function measurePeer(
  rig: Rig,
  name: string,
  options: MeasureOptions,
  progress: Progress,
  sides: TlsSides = 'none',
): Promise<MemoryRound> {
  const { sessions, settleMs } = options;
  const peer = await rig.startPeer(name, sessions, { sides });
  try {
    await delay(Math.min(settleMs, 1_000));
    const empty = pssBytes(peer.pids);
    progress.status(`${name}: opening ${sessions} sessions`);
    const tls = sides === 'none' ? null : rig.tls;
    await rig.generator.open(LOAD, { ...planFor(peer.port, sessions, options.request), tls });
    progress.status(`${name}: settling`);
    await delay(settleMs);
    const opened = pssBytes(peer.pids);
    await rig.generator.echoOnce(LOAD);
    await delay(settleMs);
    const used = pssBytes(peer.pids);
    return { opened: (opened - empty) / sessions, used: (used - empty) / sessions };
  } catch (cause) {
    throw withComplaints(cause, peer);
  } finally {
    await rig.generator.close(LOAD);
    await peer.stop();
  }
}

export function planFor(port: number, connections: number, request: RequestShape) {
  const { pathBytes, cookieBytes, trusted } = request;
  const path = `/${'p'.repeat(pathBytes - 1)}`;
  const cookies = cookieBytes === 0 ? '' : `Cookie: a=${'c'.repeat(Math.max(0, cookieBytes - 2))}\r\n`;
  const claims = 'X-Forwarded-For: 203.0.113.195, 127.0.0.1\r\nX-Request-ID: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n';
  const fields = `${cookies}${trusted ? claims : ''}`;
  return { host: HOST, port, path, fields, connections, payloadBytes: 64, inFlight: 1 };
}

/** What framegate has to be told for such requests. */
export function keysFor({ pathBytes, cookieBytes, trusted }: RequestShape): Omit<ConfigInput, 'routes'> {
  const isLarge = pathBytes + cookieBytes > 8_192;
  return {
    ...(isLarge ? { limits: { max_head_size: '64KiB' } } : {}),
    ...(trusted ? { trusted_proxies: ['127.0.0.0/8'] } : {}),
  };
}

export function bytesRange(values: readonly number[]): string {
  const ends = values.length > 1 ? ` (${bytes(Math.min(...values))}-${bytes(Math.max(...values))})` : '';
  return `${bytes(median(values))}${ends}`;
}
