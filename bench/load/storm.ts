// Clients that come back all at once: each has been there before and kept its ticket. Opens them, cuts them, and opens
// them again as fast as one core makes ClientHellos, which is told beside the result.

import { Histogram } from '../support/histogram.ts';
import { faultOfSwitch, pongFrame, upgradeRequest } from './frames.ts';
import type { TlsPlan } from './tls.ts';
import type { Ticket } from './tls-wire.ts';
import type { WireMaker } from './wire.ts';
import type { Wire, WireReader } from './wire-form.ts';

const ARMING_AT_ONCE = 32;
const SOURCES = 16;
const HEAD_BYTES_MAX = 16_384;
const OPCODE = 0x0f;
const OPCODE_PING = 0x9;
const RETURN_MS = 120_000;

export interface StormPlan {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly clients: number;
  readonly tls: TlsPlan;
}

export interface StormResult {
  readonly clients: number;
  readonly resumed: number;
  /** Milliseconds from the first connect call to the last of: ClientHello sent, 101 received. */
  readonly lastHelloMs: number;
  readonly allInMs: number;
  /** From a client's ClientHello to its 101. */
  readonly p50: number;
  readonly p99: number;
}

export class Storm {
  private readonly maker: WireMaker;
  private readonly plan: StormPlan;
  private readonly clients: StormClient[];

  constructor(maker: WireMaker, plan: StormPlan) {
    this.maker = maker;
    this.plan = plan;
    this.clients = Array.from({ length: plan.clients }, (_, index) => new StormClient(index));
  }

  /** The first visit of all, a few at a time. */
  async arm(): Promise<void> {
    for (let from = 0; from < this.clients.length; from += ARMING_AT_ONCE) {
      const some = this.clients.slice(from, from + ARMING_AT_ONCE);
      await Promise.all(some.map((client) => client.visit(this.maker, this.plan)));
    }
    const without = this.clients.filter((client) => client.ticket.session === null).length;
    if (without > 0) throw new Error(`${without} clients were given no ticket`);
  }

  cut(): void {
    for (const client of this.clients) client.leave();
  }

  async comeBack(): Promise<StormResult> {
    const waits = new Histogram();
    const begunAt = performance.now();
    let resumed = 0;
    let lastHelloAt = begunAt;
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('not all came back in time')), RETURN_MS).unref();
    });
    const all = this.clients.map(async (client) => {
      const visit = await client.visit(this.maker, this.plan);
      if (visit.resumed) resumed += 1;
      lastHelloAt = Math.max(lastHelloAt, visit.helloAt);
      waits.record(performance.now() - visit.helloAt);
    });
    await Promise.race([Promise.all(all), late]);
    return {
      clients: this.clients.length,
      resumed,
      lastHelloMs: lastHelloAt - begunAt,
      allInMs: performance.now() - begunAt,
      p50: waits.quantile(0.5),
      p99: waits.quantile(0.99),
    };
  }
}

class StormClient implements WireReader {
  readonly ticket: Ticket = { session: null };
  private wire: Wire | null = null;
  private readonly source: string;
  private head: string | null = '';
  private finish: (fault: string | null) => void = () => {};

  constructor(index: number) {
    this.source = `127.0.0.${2 + (index % SOURCES)}`;
  }

  async visit(maker: WireMaker, plan: StormPlan): Promise<{ readonly resumed: boolean; readonly helloAt: number }> {
    const { host, port, path, tls } = plan;
    this.head = '';
    const wire = await maker.connectTls(tls, { host, port, localAddress: this.source }, this, this.ticket);
    this.wire = wire;
    const fault = await new Promise<string | null>((resolve) => {
      this.finish = resolve;
      wire.write(upgradeRequest(`${host}:${port}`, path));
    });
    if (fault !== null) throw new Error(fault);
    return wire;
  }

  leave(): void {
    this.wire?.destroy();
    this.wire = null;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.head === null) {
      if (((bytes[start] ?? 0) & OPCODE) === OPCODE_PING) this.wire?.write(pongFrame());
      return;
    }
    this.head += bytes.toString('latin1', start, end);
    const at = this.head.indexOf('\r\n\r\n');
    if (at < 0 && this.head.length <= HEAD_BYTES_MAX) return;
    const fault = at < 0 ? 'an endless response head' : faultOfSwitch(this.head.slice(0, at));
    this.head = null;
    this.finish(fault);
  }

  onGone(why: string): void {
    this.wire = null;
    this.finish(`${why} before the 101`);
  }
}
