// Many sessions at once through a whole proxy on loopback sockets, and what is said of each when all are over: what
// both sides received, the line in the log, and the counters.

import { type ConfigInput, createProxy, type Proxy as Framegate } from '../../../src/proxy.ts';
import { type LogLine, LogTap } from '../../support/log-tap.ts';
import { Random } from '../../support/random.ts';
import { type BackendConnection, RawBackend } from '../../support/raw-backend.ts';
import { RawClient } from '../../support/raw-client.ts';
import type { RawPeer } from '../../support/raw-peer.ts';
import { transportMode } from '../../support/transport-mode.ts';
import { upgradeRequest } from '../../support/wire.ts';
import { workersOf } from '../../support/worker-fleet.ts';
import { judgeGauges, judgeTranscript, type Part, type RouteName, routes, type Transcript } from './socket-judge.ts';
import { SocketPlayer } from './socket-player.ts';

const DEADLINE_MS = 30_000;

/** One session: who plays it, and when both may begin. */
class Talk {
  readonly index: number;
  readonly seeds: Seeds;
  readonly route: RouteName;
  readonly deflate: boolean;
  client: SocketPlayer | null = null;
  backend: SocketPlayer | null = null;
  /** The client has its 101. A backend that left before then would have refused it. */
  readonly opened: Promise<void>;
  open: () => void = () => {};

  constructor(index: number, seeds: Seeds) {
    this.index = index;
    this.seeds = seeds;
    const random = new Random(seeds.setup);
    this.route = random.chance(0.3) ? 'text' : 'any';
    this.deflate = this.route === 'any' && random.chance(0.3);
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  get path(): string {
    return `/${this.route}/${this.index}`;
  }

  transcript(ends: readonly LogLine[]): Transcript {
    const { index, route, deflate, client, backend } = this;
    if (client === null || backend === null) throw new Error(`session ${index} has one side only`);
    return { index, route, deflate, client: partOf(client), backend: partOf(backend), ends };
  }

  player(peer: RawPeer, masked: boolean): SocketPlayer {
    const { limits, validateUtf8 } = routes[this.route];
    const { deflate, seeds } = this;
    const random = new Random(masked ? seeds.client : seeds.backend);
    return new SocketPlayer(peer, random, limits, { masked, deflate, validateUtf8 });
  }
}

function partOf({ sent, received }: SocketPlayer): Part {
  return { sent: Buffer.concat(sent), received };
}

interface Seeds {
  readonly setup: number;
  readonly client: number;
  readonly backend: number;
}

function configFor(backendUrl: string): ConfigInput {
  const side = (name: RouteName) => {
    const { limits, validateUtf8 } = routes[name];
    return {
      max_message_size: `${limits.messageBytesMax}B`,
      max_frame_size: `${limits.frameBytesMax}B`,
      max_fragments: limits.fragmentsMax,
      control_frames_per_second: 'off' as const,
      validate_utf8: validateUtf8,
    };
  };
  const limits = (name: RouteName) => ({ max_buffered: '64KiB', from_client: side(name), from_backend: side(name) });
  const timeouts = { idle: '1s', message_stall: '700ms', write_stall: '10s', close: '500ms' } as const;
  return {
    listeners: [{ name: 'fuzz', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0' },
    log: { session_open: 'debug' },
    timeouts,
    routes: [
      { name: 'any', match: { path: '/any/*' }, upstream: backendUrl, limits: limits('any') },
      { name: 'text', match: { path: '/text/*' }, upstream: backendUrl, compression: 'off', limits: limits('text') },
    ],
  };
}

/** Runs them all. Throws with the story of the first that went wrong. */
export async function runCrowd(random: Random, sessions: number): Promise<readonly Transcript[]> {
  const backend = await RawBackend.listen({ deadlineMs: DEADLINE_MS });
  const tap = new LogTap(DEADLINE_MS);
  const log = { write: (line: string) => tap.write(line) };
  const proxy = createProxy(configFor(backend.url), { transport: transportMode, log, ...workersOf({ log }) });
  try {
    await proxy.start();
    const talks = Array.from({ length: sessions }, (_, index) => {
      return new Talk(index, { setup: random.uint32(), client: random.uint32(), backend: random.uint32() });
    });
    const clients = talks.map((talk) => playClient(proxy, talk));
    const backends = talks.map(async () => playBackend(await backend.nextConnection(), talks));
    await Promise.all([...clients, ...backends]);
    const ends = await endsOf(tap, sessions);
    const transcripts = talks.map((talk) => talk.transcript(ends.get(talk.path) ?? []));
    for (const transcript of transcripts) judgeTranscript(transcript);
    judgeGauges(await askMetrics(proxy));
    if (tap.faults.length > 0) throw new Error(`log lines of another form: ${tap.faults.join()}`);
    return transcripts;
  } finally {
    await proxy.stop();
    await backend.close();
  }
}

const extension = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

async function playClient(proxy: Framegate, talk: Talk): Promise<void> {
  const address = proxy.address();
  const peer = await RawClient.connect(typeof address === 'string' ? address : address.port, {
    deadlineMs: DEADLINE_MS,
  });
  const player = talk.player(peer, true);
  const request = upgradeRequest({ path: talk.path, headers: talk.deflate ? extension : {} });
  peer.send(Buffer.concat([request, player.early()]));
  const head = await peer.readHead();
  if (head.status !== 101) throw new Error(`session ${talk.index} was refused: ${head.raw}`);
  player.headBytes = head.raw.length;
  talk.client = player;
  talk.open();
  await player.play();
}

async function playBackend(peer: BackendConnection, talks: readonly Talk[]): Promise<void> {
  const { line, raw } = await peer.request();
  const talk = talks.find(({ path }) => line === `GET ${path} HTTP/1.1`);
  if (talk === undefined) throw new Error(`nobody asked for ${line}`);
  const player = talk.player(peer, false);
  player.headBytes = raw.length;
  talk.backend = player;
  await peer.accept(talk.deflate ? extension : [], player.early());
  await talk.opened;
  await player.play();
}

/** The `session.end` lines by path, once there are as many as sessions. */
async function endsOf(tap: LogTap, sessions: number): Promise<Map<string, LogLine[]>> {
  const lines = () => tap.lines.filter(({ event }) => event === 'session.end');
  for (const endAt = performance.now() + DEADLINE_MS; lines().length < sessions; ) {
    if (performance.now() > endAt) throw new Error(`${lines().length} of ${sessions} sessions ended`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const byPath = new Map<string, LogLine[]>();
  for (const line of lines()) byPath.set(String(line.path), [...(byPath.get(String(line.path)) ?? []), line]);
  return byPath;
}

async function askMetrics(proxy: Framegate): Promise<string> {
  const address = proxy.adminAddress();
  const answer = await fetch(`http://127.0.0.1:${typeof address === 'string' ? 0 : address.port}/metrics`);
  return answer.text();
}
