// Sessions that are opened, closed in order and opened again, as fast as they come: what a handshake costs. Each 101 is
// judged; a session ends with the Close handshake and the end of the connection.

import { Histogram } from '../support/histogram.ts';
import { cpuSecondsOf } from '../support/process-figures.ts';
import { closeFrame, faultOfSwitch, upgradeRequest } from './frames.ts';
import type { TlsPlan } from './tls.ts';
import type { Ticket } from './tls-wire.ts';
import type { WireMaker } from './wire.ts';
import type { Wire, WireReader } from './wire-form.ts';

const HEAD_BYTES_MAX = 16_384;
const SOURCES = 16;
const STOP_MS = 10_000;

export interface HandshakePlan {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** More of each request, each with its CR LF. */
  readonly fields?: string;
  /** Sessions opening or closing at a time. */
  readonly concurrency: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly pids: readonly (readonly number[])[];
  /** Null or absent: no TLS. */
  readonly tls?: TlsPlan | null;
  /** With TLS: each client keeps its ticket and offers it the next time. */
  readonly resume?: boolean;
}

export interface HandshakeResult {
  readonly seconds: number;
  readonly handshakes: number;
  /** Of these, with TLS: the client was told that its session goes on. */
  readonly resumed: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: readonly number[];
  readonly ownCpu: number;
}

export async function runHandshakes(maker: WireMaker, plan: HandshakePlan): Promise<HandshakeResult> {
  const shared: Shared = { done: 0, resumed: 0, started: 0, stopped: false, fault: null, latencies: new Histogram() };
  const tickets = Array.from({ length: plan.concurrency }, () => (plan.resume ? { session: null } : null));
  // The first visit of a client can resume nothing.
  if (plan.resume) await Promise.all(tickets.map((ticket) => visit(maker, plan, shared, ticket)));
  const lanes = tickets.map((ticket) => runLane(maker, plan, shared, ticket));
  const sample = () => {
    const own = process.cpuUsage();
    const cpu = plan.pids.map(cpuSecondsOf);
    return {
      at: performance.now(),
      done: shared.done,
      resumed: shared.resumed,
      cpu,
      ownCpu: (own.user + own.system) / 1e6,
    };
  };
  await pass(plan.warmupMs);
  shared.latencies.reset();
  const before = sample();
  await pass(plan.measureMs);
  const after = sample();
  const [p50, p99] = [shared.latencies.quantile(0.5), shared.latencies.quantile(0.99)];
  shared.stopped = true;
  await Promise.race([Promise.all(lanes), pass(STOP_MS)]);
  if (shared.fault !== null) throw new Error(shared.fault);
  return {
    seconds: (after.at - before.at) / 1000,
    handshakes: after.done - before.done,
    resumed: after.resumed - before.resumed,
    p50,
    p99,
    cpu: after.cpu.map((seconds, group) => seconds - (before.cpu[group] ?? 0)),
    ownCpu: after.ownCpu - before.ownCpu,
  };
}

interface Shared {
  done: number;
  resumed: number;
  started: number;
  stopped: boolean;
  fault: string | null;
  readonly latencies: Histogram;
}

/** One after the other until all shall stop. */
async function runLane(maker: WireMaker, plan: HandshakePlan, shared: Shared, ticket: Ticket | null): Promise<void> {
  while (!shared.stopped && shared.fault === null) await visit(maker, plan, shared, ticket);
}

async function visit(maker: WireMaker, plan: HandshakePlan, shared: Shared, ticket: Ticket | null): Promise<void> {
  const { host, port, path, fields, tls = null } = plan;
  const localAddress = host === '127.0.0.1' ? `127.0.0.${2 + (shared.started % SOURCES)}` : null;
  const target = { host, port, localAddress };
  shared.started += 1;
  const begunAt = performance.now();
  const reader = new Visit();
  try {
    const secure = tls === null ? null : await maker.connectTls(tls, target, reader, ticket);
    const wire = secure ?? (await maker.connect(target, reader));
    await reader.exchange(wire, upgradeRequest(`${host}:${port}`, path, fields), closeFrame(), () => {
      shared.done += 1;
      if (secure?.resumed) shared.resumed += 1;
      shared.latencies.record(performance.now() - begunAt);
    });
  } catch (error) {
    shared.fault ??= error instanceof Error ? error.message : String(error);
  }
}

class Visit implements WireReader {
  private head: string | null = '';
  private wire: Wire | null = null;
  private close: Buffer | null = null;
  private onSwitched = () => {};
  private finish: (fault: string | null) => void = () => {};

  async exchange(wire: Wire, request: Buffer, close: Buffer, onSwitched: () => void): Promise<void> {
    this.wire = wire;
    this.close = close;
    this.onSwitched = onSwitched;
    const fault = await new Promise<string | null>((resolve) => {
      this.finish = resolve;
      wire.write(request);
    });
    wire.destroy();
    if (fault !== null) throw new Error(fault);
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.head === null) return;
    this.head += bytes.toString('latin1', start, end);
    const at = this.head.indexOf('\r\n\r\n');
    if (at < 0 && this.head.length <= HEAD_BYTES_MAX) return;
    const fault = at < 0 ? 'an endless response head' : faultOfSwitch(this.head.slice(0, at));
    this.head = null;
    if (fault !== null) {
      this.finish(fault);
      return;
    }
    this.onSwitched();
    if (this.close !== null) this.wire?.write(this.close);
  }

  onGone(why: string): void {
    if (this.head !== null) this.finish(`${why} before the 101`);
    else this.finish(null);
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
