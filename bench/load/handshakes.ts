// Sessions that are opened, closed in order and opened again, as fast as they come: what a handshake costs. Each 101 is
// judged; a session ends with the Close handshake and the end of the connection.

import { Histogram } from '../support/histogram.ts';
import { cpuSecondsOf } from '../support/process-figures.ts';
import { closeFrame, faultOfSwitch, upgradeRequest } from './frames.ts';
import type { Wire, WireMaker, WireReader } from './wire.ts';

const HEAD_BYTES_MAX = 16_384;
const SOURCES = 16;
const STOP_MS = 10_000;

export interface HandshakePlan {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Sessions opening or closing at a time. */
  readonly concurrency: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly pids: readonly (readonly number[])[];
}

export interface HandshakeResult {
  readonly seconds: number;
  readonly handshakes: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: readonly number[];
  readonly ownCpu: number;
}

export async function runHandshakes(maker: WireMaker, plan: HandshakePlan): Promise<HandshakeResult> {
  const shared: Shared = { done: 0, started: 0, stopped: false, fault: null, latencies: new Histogram() };
  const lanes = Array.from({ length: plan.concurrency }, () => runLane(maker, plan, shared));
  const sample = () => {
    const own = process.cpuUsage();
    const cpu = plan.pids.map(cpuSecondsOf);
    return { at: performance.now(), done: shared.done, cpu, ownCpu: (own.user + own.system) / 1e6 };
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
    p50,
    p99,
    cpu: after.cpu.map((seconds, group) => seconds - (before.cpu[group] ?? 0)),
    ownCpu: after.ownCpu - before.ownCpu,
  };
}

interface Shared {
  done: number;
  started: number;
  stopped: boolean;
  fault: string | null;
  readonly latencies: Histogram;
}

/** One after the other until all shall stop. */
async function runLane(maker: WireMaker, plan: HandshakePlan, shared: Shared): Promise<void> {
  const { host, port, path } = plan;
  const request = upgradeRequest(`${host}:${port}`, path);
  const close = closeFrame();
  while (!shared.stopped && shared.fault === null) {
    const localAddress = host === '127.0.0.1' ? `127.0.0.${2 + (shared.started % SOURCES)}` : null;
    shared.started += 1;
    const begunAt = performance.now();
    const visit = new Visit();
    try {
      const wire = await maker.connect({ host, port, localAddress }, visit);
      await visit.exchange(wire, request, close, () => {
        shared.done += 1;
        shared.latencies.record(performance.now() - begunAt);
      });
    } catch (error) {
      shared.fault ??= error instanceof Error ? error.message : String(error);
    }
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
