// Plain requests over connections that are kept open, one at a time on each: as fast as answers come, or by the clock.
// Every answer's status and length are judged, and on a sample its bytes; a connection whose answer says that it
// closes is opened anew.

import { Histogram } from '../support/histogram.ts';
import { cpuSecondsOf } from '../support/process-figures.ts';
import { ANSWER_BODY } from './plain-backend.ts';
import type { WireMaker } from './wire.ts';
import type { Wire, WireReader, WireTarget } from './wire-form.ts';

const SOURCES = 8;
const SAMPLE_EACH = 64;
const TICK_MS = 1;
const STOP_MS = 10_000;
const HEAD_BYTES_MAX = 16_384;
const HEAD_END = '\r\n\r\n';
/** As many as a browser sends. */
const FIELDS =
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\n' +
  'Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n' +
  'Referer: http://app.example.com/\r\nCookie: theme=dark; session=0123456789abcdef0123456789abcdef\r\n' +
  'Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n';

export interface PlainPlan {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** Of the body of each request, a POST; 0: a GET without one. */
  readonly bodyBytes: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Requests a second of all together; null: as fast as answers come. */
  readonly rate: number | null;
  readonly pids: readonly (readonly number[])[];
}

/** Times in milliseconds, CPU in seconds. */
export interface PlainResult {
  readonly seconds: number;
  readonly answers: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: readonly number[];
  readonly ownCpu: number;
}

export async function runPlain(maker: WireMaker, plan: PlainPlan): Promise<PlainResult> {
  const load = new PlainLoad(plan);
  const clients = Array.from({ length: plan.connections }, (_, index) => new PlainClient(maker, load, index));
  try {
    await Promise.all(clients.map((client) => client.open()));
    const stop = load.begin(clients);
    await load.pass(plan.warmupMs);
    load.latencies.reset();
    const before = load.sample();
    await load.pass(plan.measureMs);
    const after = load.sample();
    const result = {
      seconds: (after.at - before.at) / 1000,
      answers: after.answers - before.answers,
      p50: load.latencies.quantile(0.5),
      p99: load.latencies.quantile(0.99),
      cpu: after.cpu.map((seconds, group) => seconds - (before.cpu[group] ?? 0)),
      ownCpu: after.ownCpu - before.ownCpu,
    };
    stop();
    const deadline = performance.now() + STOP_MS;
    while (clients.some((client) => client.isBusy) && performance.now() < deadline) await load.pass(10);
    if (clients.some((client) => client.isBusy)) throw new Error('answers are missing');
    return result;
  } finally {
    for (const client of clients) client.destroy();
  }
}

/** What the clients of one run share. */
class PlainLoad {
  readonly plan: PlainPlan;
  readonly request: Buffer;
  readonly latencies = new Histogram();
  answers = 0;
  fault: string | null = null;
  private isLooping = false;
  /** By the clock: who waits for something to do, and since when what is to be done waits. */
  private readonly idle: PlainClient[] = [];
  private readonly due: number[] = [];

  constructor(plan: PlainPlan) {
    this.plan = plan;
    const { host, port, path, bodyBytes } = plan;
    const body = Buffer.alloc(bodyBytes, 'x');
    const lines = bodyBytes === 0 ? '' : `Content-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n`;
    const method = bodyBytes === 0 ? 'GET' : 'POST';
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${FIELDS}${lines}\r\n`;
    this.request = Buffer.concat([Buffer.from(head, 'latin1'), body]);
  }

  /** Gives what ends it. */
  begin(clients: readonly PlainClient[]): () => void {
    const { rate } = this.plan;
    const begunAt = performance.now();
    if (rate === null) {
      this.isLooping = true;
      for (const client of clients) client.ask(begunAt);
      return () => {
        this.isLooping = false;
      };
    }
    this.idle.push(...clients);
    let sent = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      for (; begunAt + (sent * 1000) / rate <= now; sent++) this.due.push(begunAt + (sent * 1000) / rate);
      this.spread();
    }, TICK_MS);
    return () => {
      clearInterval(timer);
      this.due.length = 0;
    };
  }

  onAnswer(client: PlainClient, askedAt: number): void {
    this.answers += 1;
    this.latencies.record(performance.now() - askedAt);
    if (this.plan.rate !== null) {
      this.idle.push(client);
      this.spread();
    } else if (this.isLooping) client.ask(performance.now());
  }

  private spread(): void {
    while (this.due.length > 0 && this.idle.length > 0) this.idle.shift()?.ask(this.due.shift() ?? 0);
  }

  sample() {
    const own = process.cpuUsage();
    const cpu = this.plan.pids.map(cpuSecondsOf);
    return { at: performance.now(), answers: this.answers, cpu, ownCpu: (own.user + own.system) / 1e6 };
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      setTimeout(() => (this.fault === null ? resolve() : reject(new Error(this.fault))), ms);
    });
  }
}

class PlainClient implements WireReader {
  isBusy = false;
  private readonly maker: WireMaker;
  private readonly load: PlainLoad;
  private readonly target: WireTarget;
  private wire: Wire | null = null;
  private head = '';
  /** Of the body of the answer; null: its head is not whole yet. */
  private left: number | null = null;
  private closes = false;
  private askedAt = 0;
  private asked = 0;

  constructor(maker: WireMaker, load: PlainLoad, index: number) {
    this.maker = maker;
    this.load = load;
    const { host, port } = load.plan;
    this.target = { host, port, localAddress: host === '127.0.0.1' ? `127.0.0.${2 + (index % SOURCES)}` : null };
  }

  async open(): Promise<void> {
    this.wire = await this.maker.connect(this.target, this);
  }

  ask(at: number): void {
    this.isBusy = true;
    this.askedAt = at;
    this.asked += 1;
    if (this.wire !== null) this.wire.write(this.load.request);
    else
      this.open().then(
        () => this.wire?.write(this.load.request),
        (error: Error) => this.fail(error.message),
      );
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (!this.isBusy) {
      this.fail('bytes that nobody asked for');
      return;
    }
    let from = start;
    if (this.left === null) {
      const before = this.head.length;
      this.head += bytes.toString('latin1', start, end);
      const at = this.head.indexOf(HEAD_END);
      if (at < 0) {
        if (this.head.length > HEAD_BYTES_MAX) this.fail('an endless head of an answer');
        return;
      }
      from = start + at + HEAD_END.length - before;
      const head = this.head.slice(0, at);
      this.head = '';
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (!head.startsWith('HTTP/1.1 200 ') || Number(length) !== ANSWER_BODY.length) {
        this.fail(`an answer that is not the backend's: ${head.slice(0, 200)}`);
        return;
      }
      this.closes = /\r\nconnection: *close/i.test(head);
      this.left = ANSWER_BODY.length;
    }
    this.takeBody(bytes, from, end);
  }

  onGone(why: string): void {
    this.wire = null;
    if (this.isBusy) this.fail(`${why} before the answer`);
  }

  destroy(): void {
    this.wire?.destroy();
    this.wire = null;
  }

  private takeBody(bytes: Buffer, start: number, end: number): void {
    const left = this.left ?? 0;
    const at = ANSWER_BODY.length - left;
    if (end - start > left) {
      this.fail('more than an answer');
      return;
    }
    const isSample = this.asked % SAMPLE_EACH === 0;
    if (isSample && bytes.compare(ANSWER_BODY, at, at + end - start, start, end) !== 0) this.fail('other bytes');
    this.left = left - (end - start);
    if (this.left > 0) return;
    this.left = null;
    this.isBusy = false;
    if (this.closes) this.destroy();
    this.load.onAnswer(this, this.askedAt);
  }

  private fail(why: string): void {
    this.isBusy = false;
    this.load.fault ??= why;
    this.destroy();
  }
}
