// Honest clients behind a slow link: one uploads, one downloads, one does both, all at once. Whatever the limits are,
// none of them may be ended before it is done, and every byte has to be right.

import * as net from 'node:net';
import { atTestEnd } from '../support/cleanup.ts';
import { Random } from '../support/random.ts';
import { Shim } from '../support/shim.ts';
import { type Frame, Opcode } from '../support/wire.ts';
import { Endpoint, openClient, readHead, switchTo } from './endpoint.ts';

const jobs = ['upload', 'download', 'both'] as const;
export type Job = (typeof jobs)[number];

export interface SlowLinkPlan {
  readonly seed: number;
  readonly messages: number;
  readonly messageBytes: number;
  /** Of the link of each client, each way. */
  readonly bytesPerSecond: number;
  readonly latencyMs: number;
}

export interface SlowLinkResult {
  readonly job: Job;
  readonly seconds: number;
  /** Messages that came with every byte as it was sent. */
  readonly up: number;
  readonly down: number;
  /** Pings of the proxy that the client has answered. */
  readonly pings: number;
  /** How it ended before it was done; null when it did not. */
  readonly failure: string | null;
}

/** A backend that sends and takes what the plan says, and keeps count. */
export class TransferBackend {
  readonly port: number;
  private readonly server: net.Server;
  private readonly plan: SlowLinkPlan;
  private readonly sockets = new Set<net.Socket>();
  private readonly uploads = new Map<string, number>();

  private constructor(server: net.Server, plan: SlowLinkPlan) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
    this.server = server;
    this.plan = plan;
    this.port = address.port;
    server.on('connection', (socket) => {
      void this.serve(socket);
    });
  }

  static async listen(plan: SlowLinkPlan): Promise<TransferBackend> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const backend = new TransferBackend(server, plan);
    atTestEnd(() => backend.close());
    return backend;
  }

  uploadedBy(job: Job): number {
    return this.uploads.get(`/${job}`) ?? 0;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private async serve(socket: net.Socket): Promise<void> {
    this.sockets.add(socket);
    socket.on('error', () => {});
    const request = await readHead(socket);
    if (request === null) return;
    const path = request.head.line.split(' ')[1] ?? '';
    const endpoint = new Endpoint(socket, false);
    const expected = new Transfer(this.plan);
    endpoint.onData = (received) => {
      if (expected.isNext(received)) this.uploads.set(path, expected.count);
      if (path !== '/download' && expected.isComplete) void endpoint.send(Opcode.Text, 'complete');
    };
    void endpoint.sendRaw(switchTo(request.head));
    endpoint.begin(request.rest);
    if (path !== '/upload') await sendAll(endpoint, this.plan);
  }
}

/** Runs the plan through the proxy on `proxyPort`, whose route leads to `backend`. */
export async function runSlowLink(
  plan: SlowLinkPlan,
  proxyPort: number,
  backend: TransferBackend,
): Promise<SlowLinkResult[]> {
  const { bytesPerSecond, latencyMs, seed } = plan;
  const link = { bytesPerSecond, latencyMs };
  const shim = await Shim.listen(proxyPort, { seed, up: link, down: link });
  try {
    return await Promise.all(jobs.map((job) => runJob(job, plan, shim.port, backend)));
  } finally {
    await shim.close();
  }
}

async function runJob(job: Job, plan: SlowLinkPlan, port: number, backend: TransferBackend): Promise<SlowLinkResult> {
  const startedAt = performance.now();
  const opened = await openClient(port, `/${job}`, { mask: new Random(plan.seed).bytes(4) });
  const expected = new Transfer(plan);
  const result = (failure: string | null, pings: number): SlowLinkResult => ({
    job,
    seconds: (performance.now() - startedAt) / 1000,
    up: backend.uploadedBy(job),
    down: expected.count,
    pings,
    failure,
  });
  if (typeof opened === 'number') return result(`refused with ${opened}`, 0);
  let isConfirmed = job === 'download';
  const done = new Promise<null>((resolve) => {
    opened.onData = (received) => {
      if (received.opcode === Opcode.Text) isConfirmed = true;
      else expected.isNext(received);
      if (isConfirmed && (job === 'upload' || expected.isComplete)) resolve(null);
    };
  });
  if (job !== 'download') void sendAll(opened, plan);
  const early = opened.over.then(({ code, fin }) => `ended early: code ${code}, ${fin ? 'FIN' : 'no FIN'}`);
  const failure = await Promise.race([done, early]);
  opened.close(1000);
  if (failure === null) await opened.over;
  return result(failure, opened.pingsSeen);
}

async function sendAll(endpoint: Endpoint, plan: SlowLinkPlan): Promise<void> {
  for (let index = 0; index < plan.messages && endpoint.isOpen; index++) {
    await endpoint.send(Opcode.Binary, messageOf(plan, index));
  }
}

/** What comes of the messages of a plan, in their order. */
class Transfer {
  count = 0;
  private readonly plan: SlowLinkPlan;
  private failed = false;

  constructor(plan: SlowLinkPlan) {
    this.plan = plan;
  }

  get isComplete(): boolean {
    return this.count === this.plan.messages;
  }

  /** Counts it when it is the next one, whole and right. After one that is not, none is. */
  isNext(received: Frame): boolean {
    this.failed ||= !received.payload.equals(messageOf(this.plan, this.count));
    if (!this.failed) this.count += 1;
    return !this.failed;
  }
}

/** No two messages of a plan are the same. */
function messageOf({ seed, messageBytes }: SlowLinkPlan, index: number): Buffer {
  return new Random(Random.caseSeed(seed, index)).bytes(messageBytes);
}
