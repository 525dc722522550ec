import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { closeCleanly, openSession } from '../hostile/pair.ts';
import { type CliProcess, startCli } from '../support/cli-process.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { binary, closeFrame, text, upgradeRequest } from '../support/wire.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const deadlineMs = 40_000;
/** Of a process on Node's streams: what it has to begin with, and garbage. A leak would come to 1 GiB at least. */
const RESIDENT_MAX = 384 * MIB;
const heldMemory = new URL('../support/held-memory.mjs', import.meta.url).href;
/** A masking key that changes nothing: the payload stands on the wire as it is. */
const clear = { mask: Buffer.alloc(4) };

/** One direction of one session: everything sent in it holds one byte value that no other direction uses. */
class Lane {
  readonly from: RawPeer;
  readonly to: RawPeer;
  readonly name: string;
  private readonly tag: number;
  private readonly masked: boolean;
  private readonly sent: Buffer[] = [];
  private readonly head: number;

  constructor(options: { name: string; tag: number; from: RawPeer; to: RawPeer; masked: boolean }) {
    this.name = options.name;
    this.tag = options.tag;
    this.from = options.from;
    this.to = options.to;
    this.masked = options.masked;
    this.head = options.to.bytesReceived;
  }

  send(bytes: number, fin = true): void {
    const sent = binary(Buffer.alloc(bytes, this.tag), this.masked ? { ...clear, fin } : { fin });
    this.sent.push(sent);
    this.from.send(sent);
  }

  /** Every byte that came is the byte that was sent: no foreign one, none lost, none twice. */
  async check(): Promise<void> {
    const expected = Buffer.concat(this.sent);
    const got = await this.to.readBytes(expected.length);
    expect(got.equals(expected), `${this.name}: ${firstDifference(got, expected)}`).toBe(true);
    expect(this.to.bytesReceived, this.name).toBe(this.head + expected.length);
  }
}

function firstDifference(got: Buffer, expected: Buffer): string {
  for (let i = 0; i < expected.length; i++) {
    if (got[i] !== expected[i]) return `byte ${i} is ${got[i]}, not ${expected[i]}`;
  }
  return 'equal';
}

const sessions = 60;

async function openLanes(running: RunningProxy, backend: RawBackend): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (let i = 0; i < sessions; i++) {
    const { client, server } = await openSession(running, backend, { deadlineMs });
    lanes.push(new Lane({ name: `session ${i} up`, tag: 1 + 2 * i, from: client, to: server, masked: true }));
    lanes.push(new Lane({ name: `session ${i} down`, tag: 2 + 2 * i, from: server, to: client, masked: false }));
  }
  return lanes;
}

/** Lets `peer` read in bits only, until the test is over. */
function dawdle(peer: RawPeer): void {
  const step = () => {
    if (peer.isClosed) return;
    if (peer.socket.isPaused()) peer.resume();
    else peer.pause();
    setImmediate(() => setImmediate(step));
  };
  step();
}

describe('sessions of one process', () => {
  const seed = 20_260_405;

  test(`never see a byte of each other, with readers that stall and readers that are slow (seed ${seed})`, async () => {
    const backend = await RawBackend.listen({ deadlineMs });
    const limits = { from_client: { max_message_size: '32MiB' }, from_backend: { max_message_size: '32MiB' } };
    const running = await startProxy(oneRoute(backend.url, { limits }), { deadlineMs });
    const lanes = await openLanes(running, backend);
    const random = new Random(seed);
    // The first four readers stall for the whole test, the next eight read in bits.
    const stalled = lanes.slice(0, 4);
    for (const lane of stalled) lane.to.pause();
    for (const lane of lanes.slice(4, 12)) dawdle(lane.to);
    for (const lane of stalled) lane.send(24 * MIB);
    for (let round = 0; round < 40; round++) {
      for (const lane of lanes) {
        const kind = random.fraction();
        if (kind < 0.8) lane.send(random.between(0, 199));
        else if (kind < 0.97) lane.send(random.between(0, 4_999));
        else lane.send(random.between(0, 199_999));
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const well = lanes.slice(4);
    for (const lane of well) await lane.check();
    // Only now the stalled ones are read: what waited for them in the proxy meanwhile is theirs and whole.
    for (const lane of stalled) expect(lane.from.socket.writableLength).toBeGreaterThan(0);
    for (const lane of stalled) lane.to.resume();
    for (const lane of stalled) await lane.check();
  }, 60_000);
});

interface ProxyProcess {
  readonly cli: CliProcess;
  readonly backend: RawBackend;
  readonly port: number;
  /** What it costs: see `memoryOf`. */
  memory(): Promise<number>;
  open(): Promise<{ client: RawClient; server: BackendConnection }>;
}

/** The proxy in a process of its own, so that its memory can be told from ours. */
async function startProcess(more: Readonly<Record<string, unknown>>): Promise<ProxyProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), 'framegate-memory-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const backend = await RawBackend.listen({ deadlineMs });
  const file = path.join(folder, 'config.yaml');
  const config = {
    listeners: [{ address: '127.0.0.1:0' }],
    routes: [{ name: 'test', upstream: backend.url }],
    ...more,
  };
  writeFileSync(file, JSON.stringify(config));
  const cli = startCli(['run', '-c', file], { deadlineMs, flags: ['--expose-gc', '--import', heldMemory] });
  const port = await cli.port();
  const open = async () => {
    const client = await RawClient.connect(port, { deadlineMs });
    client.send(upgradeRequest());
    const server = await backend.nextSession();
    expect((await client.readHead()).status).toBe(101);
    return { client, server };
  };
  return { cli, backend, port, open, memory: () => memoryOf(cli) };
}

/**
 * On handles a read makes no garbage, and all of the resident memory is what the proxy costs. Node's streams allocate
 * 64 KiB for every read, and how much of that waits to be collected is the choice of V8 (on Node 24 up to 150 MiB):
 * there what is held counts, and the garbage beside it has a cap of its own.
 */
async function memoryOf(cli: CliProcess): Promise<number> {
  const resident = rssOf(cli.child.pid ?? 0);
  if (process.env.FRAMEGATE_TRANSPORT !== 'stream') return resident;
  expect(resident).toBeLessThan(RESIDENT_MAX);
  const asked = cli.stderr.split('held ').length;
  cli.signal('SIGWINCH');
  await cli.waitForStderr(`held ${asked}: `);
  // One small write to a pipe comes as one.
  return Number(new RegExp(`held ${asked}: (\\d+)\\.`).exec(cli.stderr)?.[1]);
}

function rssOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  if (kib === undefined) throw new Error(`no VmRSS of ${pid}`);
  return Number(kib) * 1024;
}

/** Writes `total` bytes as fast as they are taken, in equal chunks; calls `each` after each, with the bytes so far. */
async function push(
  peer: RawPeer,
  total: number,
  each: (bytes: number) => void | Promise<void> = () => {},
): Promise<void> {
  const chunk = Buffer.alloc(MIB / 4, 0x5a);
  let bytes = 0;
  while (bytes < total && !peer.isClosed) {
    const next = chunk.subarray(0, Math.min(chunk.length, total - bytes));
    bytes += next.length;
    if (!peer.socket.write(next)) await drained(peer);
    await each(bytes);
  }
}

function drained(peer: RawPeer): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      peer.socket.off('drain', done);
      peer.socket.off('close', done);
      resolve();
    };
    peer.socket.on('drain', done);
    peer.socket.on('close', done);
  });
}

/** Checks on the way that every byte of the payload is the one that was pushed, and keeps none, until it is stopped. */
function verify(peer: RawPeer): { wrong: number; stop(): void } {
  const expected = Buffer.alloc(MIB, 0x5a);
  const check = (chunk: Buffer) => {
    if (!chunk.equals(expected.subarray(0, chunk.length))) found.wrong += 1;
  };
  const found = { wrong: 0, stop: () => void peer.socket.off('data', check) };
  peer.keep(false);
  peer.socket.on('data', check);
  return found;
}

/**
 * Traffic of the same kind as the test's, to someone who reads. Gives the highest level that the memory of the process
 * had meanwhile: read buffers are garbage at once, and are collected now and then.
 */
async function warmUp(proxy: ProxyProcess, bytes: number): Promise<number> {
  const { client, server } = await proxy.open();
  let peak = 0;
  const sample = async () => {
    peak = Math.max(peak, await proxy.memory());
  };
  for (const [from, to, header] of [
    [server, client, binary('', { length: bytes })],
    [client, server, binary('', { length: bytes, ...clear })],
  ] as const) {
    to.keep(false);
    const begun = to.bytesReceived;
    from.send(header);
    await push(from, bytes, (soFar) => (soFar % (8 * MIB) === 0 ? sample() : undefined));
    await to.receivedBytes(begun + header.length + bytes);
    to.keep(true);
  }
  await roundTrips({ client, server }, 1000);
  await closeCleanly({ client, server });
  await proxy.cli.waitForLog('session.end');
  await sample();
  return peak;
}

/** Small messages, one at a time. */
async function roundTrips({ client, server }: { client: RawClient; server: RawPeer }, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    client.send(text('tick', { mask: true }));
    expect((await server.nextFrame()).payload.toString()).toBe('tick');
    server.send(text('tock'));
    expect((await client.nextFrame()).payload.toString()).toBe('tock');
  }
}

const huge = { from_client: { max_message_size: '2GiB' }, from_backend: { max_message_size: '2GiB' } };

describe('memory of a proxy process', () => {
  test('a client that never reads while 1 GiB is pushed costs less than 2 MiB, and write_stall ends it', async () => {
    const proxy = await startProcess({ limits: huge, timeouts: { write_stall: '2s', close: '30s' } });
    const before = await warmUp(proxy, 128 * MIB);
    const stuck = await proxy.open();
    const neighbour = await proxy.open();
    stuck.client.pause();
    stuck.server.send(binary('', { length: GIB }));
    let pushed = 0;
    const pushing = push(stuck.server, GIB, (bytes) => {
      pushed = bytes;
    });
    // Blocked: nothing more is taken, however long others go on.
    for (let same = 0, last = -1; same < 20; same = pushed === last ? same + 1 : 0) {
      last = pushed;
      await roundTrips(neighbour, 5);
    }
    const blocked = await proxy.memory();
    const growth = [blocked - before];
    await roundTrips(neighbour, 200);
    expect((await proxy.memory()) - blocked).toBeLessThan(2 * MIB);
    expect(await stuck.server.nextClose()).toEqual({ code: 1001, reason: 'write_stall' });
    growth.push((await proxy.memory()) - before);
    // What the kernel holds between two sockets, twice, and 256 KiB.
    expect(pushed).toBeLessThan(64 * MIB);
    // From here on the rest is read and dropped, until the backend's own Close.
    await pushing;
    growth.push((await proxy.memory()) - before);
    stuck.server.send(closeFrame(1001));
    stuck.server.end();
    const line = await proxy.cli.waitForLog('session.end', ({ reason }) => reason === 'client_stalled');
    growth.push((await proxy.memory()) - before);
    expect(line).toMatchObject({
      by: 'client',
      limit: 'write_stall',
      close_code_client: null,
      close_code_backend: 1001,
      mid_frame: true,
      from_backend: { messages: 1, bytes: GIB, largest_message: GIB, pauses: 1 },
    });
    for (const bytes of growth) expect(bytes, `growth in bytes: ${growth.join(', ')}`).toBeLessThan(2 * MIB);
    await roundTrips(neighbour, 1);
  }, 60_000);

  test('one message of 1 GiB up, and one of 256 MiB down, byte for byte and with flat memory', async () => {
    const proxy = await startProcess({ limits: huge });
    const before = await warmUp(proxy, 128 * MIB);
    const { client, server } = await proxy.open();
    const growth: number[] = [];
    for (const [from, to, bytes, options] of [
      [client, server, GIB, clear],
      [server, client, GIB / 4, {}],
    ] as const) {
      const header = binary('', { length: bytes, lengthForm: 64, ...options });
      from.send(header);
      expect(await to.readBytes(header.length)).toEqual(header);
      const found = verify(to);
      const end = to.bytesReceived + bytes;
      await push(from, bytes, async (soFar) => {
        if (soFar % (64 * MIB) === 0) growth.push((await proxy.memory()) - before);
      });
      await to.receivedBytes(end);
      expect(found.wrong).toBe(0);
      to.keep(true);
      found.stop();
    }
    await closeCleanly({ client, server });
    const line = await proxy.cli.waitForLog('session.end', ({ from_client }) => bytesOf(from_client) === GIB);
    expect(line).toMatchObject({
      reason: 'client_close',
      clean: true,
      from_client: { messages: 1, bytes: GIB, largest_message: GIB },
      from_backend: { messages: 1, bytes: GIB / 4, largest_message: GIB / 4 },
    });
    expect(growth).toHaveLength(20);
    expect(Math.max(...growth)).toBeLessThan(8 * MIB);
  }, 60_000);
});

function bytesOf(traffic: unknown): unknown {
  return typeof traffic === 'object' && traffic !== null ? Reflect.get(traffic, 'bytes') : undefined;
}
