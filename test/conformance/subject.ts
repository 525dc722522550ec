// The two things that are compared: a peer alone, and the same peer with framegate in between, in either direction.

import { createProxy } from '../../src/proxy.ts';
import { makeCertificates } from '../support/certs.ts';
import { isBackendTls, isClientTls } from '../support/tls-sides.ts';
import { transportMode } from '../support/transport-mode.ts';
import { workersOf } from '../support/worker-fleet.ts';
import { CASES } from './cases.ts';
import type { ConformanceCase } from './conformance-case.ts';
import { type PeerKind, runEchoClient, startEchoServer } from './echo-peers.ts';
import { fuzzServer, startFuzzingServer, type Verdicts } from './fuzz.ts';

/** Which end the fuzzing peer is. */
export type Direction = 'fuzzing client' | 'fuzzing server';

export interface Comparison {
  readonly alone: Verdicts;
  readonly through: Verdicts;
  /** Log lines of framegate that tell of a fault of its own. */
  readonly faults: readonly string[];
}

/** Far above what any case sends, so that no limit speaks where a rule should. */
const RAISED = { max_message_size: '64MiB', max_fragments: 1_000_000 };

/** What the run brings about: many lines at once, and a certificate that is made for a day. */
const EXPECTED_EVENTS = /"event":"(log\.suppressed|certificate\.expiring)"/;

interface RunningProxy {
  readonly url: string;
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

async function startFramegate(upstream: string): Promise<RunningProxy> {
  const { ca, good } = await makeCertificates();
  const faults: string[] = [];
  const write = (line: string) => {
    if (/"level":"(warn|error)"/.test(line) && !EXPECTED_EVENTS.test(line)) faults.push(line);
  };
  const proxy = createProxy(
    {
      listeners: [{ address: '127.0.0.1:0', ...(isClientTls ? { tls: { certificates: [good] } } : {}) }],
      routes: [{ name: 'conformance', upstream: 'peer' }],
      upstreams: { peer: { targets: [{ url: upstream }], ...(isBackendTls ? { tls: { ca } } : {}) } },
      limits: { max_sessions: 400, from_client: RAISED, from_backend: RAISED },
    },
    { transport: transportMode, log: { write }, ...workersOf({ log: { write } }) },
  );
  await proxy.start();
  const address = proxy.address();
  if (typeof address === 'string') throw new Error('a TCP listener has a port');
  return { url: `${isClientTls ? 'wss' : 'ws'}://127.0.0.1:${address.port}`, faults, stop: () => proxy.stop() };
}

/** Plays `cases` against the peer alone and through framegate, one after the other. */
export async function compare(
  direction: Direction,
  kind: PeerKind,
  cases: readonly ConformanceCase[] = CASES,
): Promise<Comparison> {
  return direction === 'fuzzing client' ? compareServer(kind, cases) : compareClient(kind, cases);
}

async function compareServer(kind: PeerKind, cases: readonly ConformanceCase[]): Promise<Comparison> {
  const server = await startEchoServer(kind, isBackendTls);
  const framegate = await startFramegate(server.url);
  try {
    const alone = await fuzzServer(server.url, cases);
    const through = await fuzzServer(framegate.url, cases);
    return { alone, through, faults: framegate.faults };
  } finally {
    await framegate.stop();
    await server.close();
  }
}

async function compareClient(kind: PeerKind, cases: readonly ConformanceCase[]): Promise<Comparison> {
  const server = await startFuzzingServer(isBackendTls);
  const framegate = await startFramegate(server.url);
  const connectTo = (url: string) => (path: string) => runEchoClient(kind, `${url}${path}`);
  try {
    const alone = await server.play(cases, connectTo(server.url));
    const through = await server.play(cases, connectTo(framegate.url));
    return { alone, through, faults: framegate.faults };
  } finally {
    await framegate.stop();
    await server.close();
  }
}
