// The soak: one framegate process under mixed traffic and a seeded schedule of faults, watched from outside. Every
// choice comes from the seed; how choices interleave is up to the machine.

import { makeCertificates } from '../support/certs.ts';
import { figuresOf, growthFaults, RunWatch, restFaults } from '../support/invariants.ts';
import type { LogLine } from '../support/log-tap.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { Random } from '../support/random.ts';
import { type Links, Shim } from '../support/shim.ts';
import * as bad from './bad-clients.ts';
import { allowedReasons, type SoakTargets, soakConfig } from './config.ts';
import { Faults } from './faults.ts';
import * as good from './good-clients.ts';
import { MemoryRecord } from './memory-record.ts';
import { listenForPages, pageLeaver, pages } from './pages.ts';
import { ProxyProcess } from './proxy-process.ts';
import { SoakBackend } from './soak-backend.ts';
import { type Ports, Visit, World } from './world.ts';

/** An address of its own: while the backend is down, nobody else may get its port. */
const MORTAL_HOST = '127.77.0.1';
const SLOTS = 24;
const VISIT_MS_MAX = 60_000;
const REST_MS_MAX = 30_000;
const REST_STEP_MS = 100;
const SAMPLE_MS = 1_000;
const PROGRESS_MS = 30_000;

/** Kinds of clients, and how many of all they are. */
const kinds: readonly (readonly [name: string, visit: (visit: Visit) => Promise<void>, weight: number])[] = [
  ['chat', good.chat, 20],
  ['mortal chat', good.mortalChat, 12],
  ['ticks', good.ticks, 8],
  ['upload', good.upload, 4],
  ['idle', good.idle, 6],
  ['slow reader', good.slowReader, 4],
  ['slow backend', good.slowBackend, 4],
  ['hasty', good.hasty, 4],
  ['pages', pages, 12],
  ['page leaver', pageLeaver, 4],
  ['illegal frames', bad.illegalFrames, 8],
  ['bad head', bad.badHead, 8],
  ['slowloris', bad.slowloris, 2],
  ['flood', bad.flood, 4],
  ['dropped flood', bad.droppedFlood, 4],
  ['deserter', bad.deserter, 6],
  ['vanisher', bad.vanisher, 2],
  ['stuck reader', bad.stuckReader, 1],
  ['lied to', bad.liedTo, 6],
  ['bad backend', bad.badBackend, 4],
  ['bereaved', bad.bereaved, 4],
];

export interface SoakRun {
  readonly seed: number;
  readonly seconds: number;
  readonly say: (line: string) => void;
}

export interface SoakResult {
  readonly faultCount: number;
  /** The first of them. */
  readonly faults: readonly string[];
  readonly sessions: number;
  /** Visits and faults by their kind, and what came of them. */
  readonly counts: ReadonlyMap<string, number>;
  readonly memory: string;
}

export async function runSoak({ seed, seconds, say }: SoakRun): Promise<SoakResult> {
  const watch = new RunWatch();
  const stage = await Stage.set(seed, watch);
  try {
    const world = new World(stage.ports, watch);
    const memory = new MemoryRecord(seconds);
    const before = await stage.rest(0);
    const sampling = setInterval(() => memory.note(stage.proxy), SAMPLE_MS);
    const told = setInterval(() => say(progressLine(world, stage, memory)), PROGRESS_MS);
    const faults = new Faults(world, stage, new Random(Random.caseSeed(seed, SLOTS)));
    const timer = setTimeout(() => world.stop(), seconds * 1000);
    const ended = stage.proxy.exited.then(() => world.stop());
    await Promise.all([faults.run(), ...Array.from({ length: SLOTS }, (_, slot) => runSlot(world, seed, slot))]);
    clearTimeout(timer);
    clearInterval(sampling);
    clearInterval(told);
    if (stage.proxy.exit === null) {
      await stage.endVanished();
      const after = await stage.rest(before.descriptors);
      // Under load, memory is judged by its course; at rest, by what is left of it.
      watch.fault(...growthFaults(before, after, { descriptors: 0, rssBytes: Infinity, heapBytes: 32 << 20 }));
      watch.fault(...memory.faults());
      await stage.shutDown();
    }
    await ended;
    return {
      faultCount: watch.faultCount,
      faults: watch.faults,
      sessions: watch.settled,
      counts: new Map([...world.counts, ...stage.ends]),
      memory: memory.summary(),
    };
  } finally {
    await stage.close();
  }
}

/** Visits one after the other until it is time to leave, their kinds and choices by the seed and the slot alone. */
async function runSlot(world: World, seed: number, slot: number): Promise<void> {
  const random = new Random(Random.caseSeed(seed, slot));
  const weights = kinds.flatMap(([name, visit, weight]) =>
    Array.from({ length: weight }, () => [name, visit] as const),
  );
  for (let number = 0; !world.isStopping; number++) {
    const [name, run] = random.pick(weights);
    const visit = new Visit(world, new Random(random.uint32()), `${slot}-${number}`);
    world.count(`visits: ${name}`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        visit.fault(`${name} is stuck`);
        resolve();
      }, VISIT_MS_MAX);
    });
    await Promise.race([late, run(visit)]).catch((error: unknown) => visit.fault(`${name}: ${String(error)}`));
    clearTimeout(timer);
    visit.leave();
    await world.pass(random.between(1, 60));
  }
}

/** Everything around the traffic: the proxy, its backends, the lines in between. */
export class Stage {
  readonly proxy: ProxyProcess;
  readonly mortal: SoakBackend;
  readonly targets: SoakTargets;
  readonly ports: Ports;
  /** Sessions by why they ended. */
  readonly ends: Map<string, number>;
  private readonly watch: RunWatch;
  private readonly vanishing: Shim;
  /** Closed with it. */
  private readonly others: { close(): Promise<void> }[] = [];

  private constructor(
    parts: Pick<Stage, 'proxy' | 'mortal' | 'targets' | 'ports' | 'ends'>,
    watch: RunWatch,
    vanishing: Shim,
  ) {
    this.vanishing = vanishing;
    this.proxy = parts.proxy;
    this.mortal = parts.mortal;
    this.targets = parts.targets;
    this.ports = parts.ports;
    this.ends = parts.ends;
    this.watch = watch;
  }

  static async set(seed: number, watch: RunWatch): Promise<Stage> {
    const steady = await SoakBackend.listen('127.0.0.1', watch);
    const mortal = await SoakBackend.listen(MORTAL_HOST, watch);
    const pageServer = await listenForPages();
    const roughBackend = await Shim.listen(steady.port, { seed, linksOf: roughLinks });
    const roughUrl = steady.url.replace(`:${steady.port}`, `:${roughBackend.port}`);
    const certificates = await makeCertificates();
    const targets: SoakTargets = {
      steady: [steady.url, roughUrl],
      mortal: mortal.url,
      pages: pageServer.url,
      certificates,
    };
    const ends = new Map<string, number>();
    const onLine = (line: LogLine) => {
      noteLine(watch, line);
      if (line.event !== 'session.end') return;
      const why = `ends: ${String(line.reason)}`;
      ends.set(why, (ends.get(why) ?? 0) + 1);
    };
    const onFault = (text: string) => watch.fault(`not a line of the log: ${text}`);
    const proxy = new ProxyProcess(soakConfig(targets), onLine, onFault);
    const straight = await proxy.port('public');
    const admin = await proxy.port('admin');
    const rough = await Shim.listen(straight, { seed: seed + 1, linksOf: roughLinks });
    const failing = await Shim.listen(straight, {
      seed: seed + 2,
      linksOf: (random) => ({ up: { resetAt: random.between(1, 12_000) } }),
    });
    const vanishing = await Shim.listen(straight, {
      seed: seed + 3,
      linksOf: (random) => ({ up: { vanishAt: random.between(1000, 12_000) } }),
    });
    const ports = { straight, admin, rough: rough.port, failing: failing.port, vanishing: vanishing.port };
    const stage = new Stage({ proxy, mortal, targets, ports, ends }, watch, vanishing);
    stage.others.push(roughBackend, rough, failing, vanishing, steady, mortal, pageServer);
    return stage;
  }

  /** Waits until the proxy holds nothing for anybody, and `descriptors` at most (0: whatever it holds then). */
  async rest(descriptors: number): Promise<ReturnType<typeof figuresOf>> {
    const endAt = performance.now() + REST_MS_MAX;
    for (;;) {
      const text = await this.proxy.metrics(this.ports.admin);
      const figures = figuresOf(this.proxy.pid, text);
      const faults = restFaults(text);
      // The connection that asks is one that it holds.
      const isAtRest = faults.length === 0 && (descriptors === 0 || figures.descriptors <= descriptors);
      if (isAtRest || performance.now() > endAt) {
        this.watch.fault(...faults);
        return figures;
      }
      await new Promise((resolve) => setTimeout(resolve, REST_STEP_MS));
    }
  }

  /** What is left of connections to nobody: otherwise only the pings of the proxy end them. */
  endVanished(): Promise<void> {
    return this.vanishing.close();
  }

  /** The orderly end of the proxy, with all lines of its log read. */
  async shutDown(): Promise<void> {
    const text = await this.proxy.metrics(this.ports.admin);
    const dropped = parseMetrics(text).get('framegate_log_lines_dropped_total')?.samples[0]?.value ?? 0;
    this.proxy.signal('SIGTERM');
    const { code, signal } = await this.proxy.exited;
    if (code !== 0) this.watch.fault(`the proxy ended with ${code ?? signal}: ${this.proxy.stderr}`);
    this.watch.finish(dropped);
  }

  async close(): Promise<void> {
    if (this.proxy.exit === null) this.proxy.signal('SIGKILL');
    await this.proxy.exited;
    await Promise.all(this.others.map((one) => one.close()));
  }
}

/** Bad, but nothing is lost on it for good. */
function roughLinks(random: Random): Links {
  const link = () => ({
    latencyMs: random.between(0, 30),
    ...(random.chance(0.5) ? { slice: 'random' as const } : {}),
    ...(random.chance(0.3) ? { loss: { rate: 0.02, delayMs: 80 } } : {}),
    ...(random.chance(0.3) ? { bytesPerSecond: random.between(400_000, 4_000_000) } : {}),
  });
  return { up: link(), down: link() };
}

function noteLine(watch: RunWatch, line: LogLine): void {
  watch.logLine(line);
  const route = String(line.route).replace(/^steady-.*/, 'steady');
  const allowed = allowedReasons[route];
  if (line.event === 'session.end') {
    const isAllowed = allowed === undefined ? line.reason !== 'internal_error' : allowed.includes(String(line.reason));
    if (!isAllowed || (allowed !== undefined && line.clean !== true)) watch.fault(`an end: ${JSON.stringify(line)}`);
  } else if (line.event === 'handshake.refused' && allowed !== undefined && Number(line.status) >= 500) {
    watch.fault(`a refusal: ${JSON.stringify(line)}`);
  }
}

function progressLine(world: World, stage: Stage, memory: MemoryRecord): string {
  const { settled, faultCount } = world.watch;
  const descriptors = stage.proxy.figures().descriptors;
  return `${memory.elapsed()}: ${settled} sessions, ${faultCount} faults, ${memory.now()}, ${descriptors} descriptors`;
}
