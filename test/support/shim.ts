// A bad network for tests: a TCP relay on loopback that delays, slows, slices, loses, stalls, resets and goes silent,
// each direction by its own rules, every choice by a seed. It knows nothing of what the bytes mean.

import * as net from 'node:net';
import { performance } from 'node:perf_hooks';
import { atTestEnd } from './cleanup.ts';
import { Random } from './random.ts';
import { defaultDeadlineMs } from './raw-peer.ts';

/** What may wait in one direction before its source is not read any more: a window, as TCP has one. */
const WINDOW_BYTES = 65_536;
/** With a bandwidth, bytes go out in steps of this long, so that a slow link is slow and not bursty. */
const STEP_MS = 20;
const FRESH_MAX = 64;

/** How one direction behaves. A link without rules forwards everything at once. */
export interface LinkRules {
  /** From the moment a byte was read here to when it goes on. */
  readonly latencyMs?: number;
  readonly bytesPerSecond?: number;
  /** Segments of this many bytes, each handed to the kernel before the next; `random`: 1 to 1460, mostly small. */
  readonly slice?: number | 'random';
  /** Lost segments, as an end sees them: they, and everything behind them, come this much later. */
  readonly loss?: { readonly rate: number; readonly delayMs: number };
  /** RST to both ends once this many bytes went on. */
  readonly resetAt?: number;
  /** Forward nothing after this many bytes until `release()`. */
  readonly stallAt?: number;
  /** As `vanish()` of the whole connection, once this many bytes went on. */
  readonly vanishAt?: number;
  /** What may wait here; default 64 KiB. A long fast link needs bandwidth x latency. */
  readonly windowBytes?: number;
}

export interface Links {
  /** From who connected to the shim. */
  readonly up?: LinkRules;
  /** From the target. */
  readonly down?: LinkRules;
}

export interface ShimOptions extends Links {
  readonly seed?: number;
  /** The rules of connection `index`, from 0 on; `random` is its own. Instead of `up` and `down`. */
  readonly linksOf?: (random: Random, index: number) => Links;
  readonly deadlineMs?: number;
}

export class Shim {
  readonly seed: number;
  readonly port: number;
  /** As a target's `url`. */
  readonly url: string;
  /** Connections so far. */
  count = 0;
  /** Those that are not closed on both sides. */
  readonly open = new Set<ShimConnection>();
  private readonly server: net.Server;
  private readonly target: number;
  private readonly options: ShimOptions;
  /** Not handed out yet; at most FRESH_MAX, the oldest are forgotten first. */
  private readonly fresh: ShimConnection[] = [];
  private readonly waiting = new Set<() => void>();

  private constructor(server: net.Server, target: number, options: ShimOptions) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a shim listens on TCP');
    this.server = server;
    this.target = target;
    this.options = options;
    this.seed = options.seed ?? 1;
    this.port = address.port;
    this.url = `ws://127.0.0.1:${this.port}`;
    server.on('connection', (socket) => this.admit(socket));
  }

  /** Relays from a free port of the loopback interface to the port `target`; closed when the test ends. */
  static async listen(target: number, options: ShimOptions = {}): Promise<Shim> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const shim = new Shim(server, target, options);
    atTestEnd(() => shim.close());
    return shim;
  }

  /** The next connection that was not handed out yet. */
  nextConnection(): Promise<ShimConnection> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        const next = this.fresh.shift();
        if (next === undefined) return;
        this.waiting.delete(attempt);
        clearTimeout(timer);
        resolve(next);
      };
      const deadlineMs = this.options.deadlineMs ?? defaultDeadlineMs;
      const timer = setTimeout(() => {
        this.waiting.delete(attempt);
        reject(new Error(`no connection within ${deadlineMs} ms; ${this.count} came before`));
      }, deadlineMs);
      this.waiting.add(attempt);
      attempt();
    });
  }

  /** Ends all connections and no longer listens. */
  async close(): Promise<void> {
    for (const connection of this.open) connection.destroy();
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private admit(near: net.Socket): void {
    const index = this.count;
    this.count += 1;
    const random = new Random(Random.caseSeed(this.seed, index));
    const { up, down, linksOf } = this.options;
    const links = linksOf?.(random, index) ?? { ...(up && { up }), ...(down && { down }) };
    const far = net.connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const connection = new ShimConnection(near, far, links, random);
    this.open.add(connection);
    const closed = () => {
      if (connection.isClosed) this.open.delete(connection);
    };
    near.once('close', closed);
    far.once('close', closed);
    this.fresh.push(connection);
    if (this.fresh.length > FRESH_MAX) this.fresh.shift();
    for (const attempt of this.waiting) attempt();
  }
}

export class ShimConnection {
  readonly up: ShimLink;
  readonly down: ShimLink;
  private readonly near: net.Socket;
  private readonly far: net.Socket;
  private vanished = false;

  constructor(near: net.Socket, far: net.Socket, links: Links, random: Random) {
    this.near = near;
    this.far = far;
    // Each direction has choices of its own: what one side sends changes nothing for the other.
    const seeds = [random.uint32(), random.uint32()] as const;
    this.up = new ShimLink(this, near, far, links.up ?? {}, new Random(seeds[0]));
    this.down = new ShimLink(this, far, near, links.down ?? {}, new Random(seeds[1]));
    near.resume();
    this.up.begin();
    this.down.begin();
  }

  get isClosed(): boolean {
    return this.near.closed && this.far.closed;
  }

  get hasVanished(): boolean {
    return this.vanished;
  }

  /** RST to both ends. What waits here is lost. */
  reset(): void {
    this.stop();
    resetSocket(this.near);
    resetSocket(this.far);
  }

  /** From now on nothing passes, FINs and resets neither, and both ends stay connected to nobody. */
  vanish(): void {
    this.vanished = true;
    this.stop();
    // Not read: after a while the kernel takes no more, as from a peer that acknowledges nothing.
    this.near.pause();
    this.far.pause();
  }

  destroy(): void {
    this.stop();
    this.near.destroy();
    this.far.destroy();
  }

  private stop(): void {
    this.up.stop();
    this.down.stop();
  }
}

/** What was read at once, or the end: `null` is a FIN, `reset` an RST. */
interface Waiting {
  bytes: Buffer | null | 'reset';
  readonly readAt: number;
}

export class ShimLink {
  /** Bytes that went on. */
  forwarded = 0;
  /** Writes that they went on with. */
  segments = 0;
  /** Segments that came late because they were lost. */
  lost = 0;
  /** How often the source was not read because too much waited. */
  pauses = 0;
  private readonly connection: ShimConnection;
  private readonly source: net.Socket;
  private readonly sink: net.Socket;
  private readonly rules: LinkRules;
  private readonly random: Random;
  /** At most a window and one read. */
  private readonly queue: Waiting[] = [];
  private queued = 0;
  private stalled = false;
  /** True until the kernel has taken the last segment. */
  private writing = false;
  private stopped = false;
  private timer: NodeJS.Timeout | null = null;
  private stallAt: number;
  /** Nothing goes on before: the bandwidth, or a segment in front that was lost. */
  private freeAt = 0;
  /** The length of the segment at hand; 0 when it is not decided yet. */
  private segment = 0;

  constructor(connection: ShimConnection, source: net.Socket, sink: net.Socket, rules: LinkRules, random: Random) {
    this.connection = connection;
    this.source = source;
    this.sink = sink;
    this.rules = rules;
    this.random = random;
    this.stallAt = rules.stallAt ?? Number.POSITIVE_INFINITY;
    source.on('data', (bytes: Buffer) => this.take(bytes));
    source.on('end', () => this.take(null));
    source.on('error', () => this.take('reset'));
  }

  /** For rules that hold from byte 0 on. */
  begin(): void {
    this.pump();
  }

  /** True while nothing goes on: it was told so, or it is at its `stallAt`. */
  get isStalled(): boolean {
    return this.stalled || this.forwarded >= this.stallAt;
  }

  /** Forward nothing until `release()`. */
  stall(): void {
    this.stalled = true;
  }

  /** Go on after a stall, those of the rules too. */
  release(): void {
    this.stalled = false;
    this.stallAt = Number.POSITIVE_INFINITY;
    this.pump();
  }

  /** Nothing goes on ever again; the sockets are the connection's affair. */
  stop(): void {
    this.stopped = true;
    this.queue.length = 0;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private take(bytes: Buffer | null | 'reset'): void {
    if (this.stopped) return;
    this.queue.push({ bytes, readAt: performance.now() });
    if (bytes !== null && bytes !== 'reset') this.queued += bytes.length;
    if (this.queued >= this.window && !this.source.isPaused()) {
      this.pauses += 1;
      this.source.pause();
    }
    this.pump();
  }

  private get window(): number {
    return this.rules.windowBytes ?? WINDOW_BYTES;
  }

  /** Sends whatever may go now, and comes back by itself when more may. */
  private pump(): void {
    while (!this.stopped && !this.writing && !this.isAtEnd()) {
      const first = this.queue[0];
      if (first === undefined || this.isStalled) return;
      const now = performance.now();
      this.decideSegment(first);
      const dueAt = Math.max(this.freeAt, first.readAt + (this.rules.latencyMs ?? 0));
      if (dueAt > now) {
        this.wakeAt(dueAt, now);
        return;
      }
      if (first.bytes === null || first.bytes === 'reset') this.forwardEnd(first.bytes);
      else this.forward(first, first.bytes, now);
    }
  }

  private isAtEnd(): boolean {
    const { resetAt, vanishAt } = this.rules;
    if (resetAt !== undefined && this.forwarded >= resetAt) this.connection.reset();
    else if (vanishAt !== undefined && this.forwarded >= vanishAt) this.connection.vanish();
    else return false;
    return true;
  }

  /** Once for each segment: its length, and whether it is lost. */
  private decideSegment({ bytes, readAt }: Waiting): void {
    if (this.segment > 0 || bytes === null || bytes === 'reset') return;
    const { slice, bytesPerSecond, loss, latencyMs = 0 } = this.rules;
    let most = Number.POSITIVE_INFINITY;
    if (slice === 'random') most = this.random.chance(0.5) ? this.random.between(1, 8) : this.random.between(1, 1460);
    else if (slice !== undefined) most = slice;
    if (bytesPerSecond !== undefined) most = Math.min(most, Math.max(1, (bytesPerSecond * STEP_MS) / 1000));
    this.segment = Math.floor(most);
    if (loss === undefined || !this.random.chance(loss.rate)) return;
    this.lost += 1;
    // Sent anew a while after its time; several lost at once are sent anew at once.
    this.freeAt = Math.max(this.freeAt, readAt + latencyMs + loss.delayMs);
  }

  private forward(first: Waiting, bytes: Buffer, now: number): void {
    const { bytesPerSecond, resetAt, vanishAt, slice } = this.rules;
    const room = Math.min(this.stallAt, resetAt ?? this.stallAt, vanishAt ?? this.stallAt) - this.forwarded;
    const piece = bytes.subarray(0, Math.min(this.segment, room));
    this.segment = 0;
    if (piece.length < bytes.length) first.bytes = bytes.subarray(piece.length);
    else this.queue.shift();
    this.queued -= piece.length;
    this.forwarded += piece.length;
    this.segments += 1;
    if (bytesPerSecond !== undefined) {
      this.freeAt = Math.max(this.freeAt, now - STEP_MS) + (piece.length * 1000) / bytesPerSecond;
    }
    this.writing = true;
    this.sink.write(piece, () => {
      // A turn between segments, or the kernel would join them for the reader.
      if (slice === undefined) this.written();
      else setImmediate(() => this.written());
    });
    if (this.queued <= this.window / 2) this.source.resume();
  }

  private written(): void {
    this.writing = false;
    this.pump();
  }

  private forwardEnd(end: null | 'reset'): void {
    this.queue.shift();
    if (end === 'reset') {
      this.stop();
      resetSocket(this.sink);
    } else {
      this.sink.end();
    }
  }

  private wakeAt(dueAt: number, now: number): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.pump();
      },
      Math.ceil(dueAt - now),
    );
  }
}

/** RST; only closed while a FIN is on its way, when libuv refuses to reset and Node would lose the handle. */
export function resetSocket(socket: net.Socket): void {
  // Of TLS the socket below: no close_notify goes out either.
  const below: unknown = Reflect.get(socket, '_parent');
  if (below instanceof net.Socket) resetSocket(below);
  else if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
