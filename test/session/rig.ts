// A session between two peers that the test plays, on a clock that the test moves.

import { expect } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { RouteMetrics } from '../../src/observe/metrics.ts';
import type { EndCause } from '../../src/protocol/end-causes.ts';
import type { SessionPolicy, SidePolicy } from '../../src/session/policy.ts';
import { Session } from '../../src/session/session.ts';
import type { SessionTerm } from '../../src/session/term.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryTransport, makeReadBuffer } from '../support/memory-transport.ts';
import { describeFrame, type Frame, splitFrames } from '../support/wire.ts';

/** All different, so that a deadline is recognised by when it comes. */
export const TIMES = {
  idle: 3_600_000,
  messageStall: 61_000,
  writeStall: 53_000,
  close: 5_000,
  lastAnswers: 200,
  /** Off unless a test turns them on. */
  slowReader: 29_000,
  ping: 31_000,
  pong: 19_000,
  lifetime: 600_000,
} as const;

export const BUFFERED_MAX = 4096;
export const MESSAGE_MAX = 10_000;

/** Nothing costs anything, nobody is pinged. */
export const SIDE: SidePolicy = {
  rates: {
    messagesPerSecond: Infinity,
    messageBurst: Infinity,
    bytesPerSecond: Infinity,
    byteBurst: Infinity,
    controlFramesPerSecond: Infinity,
    controlFrameBurst: Infinity,
    onExceeded: 'close',
  },
  validateUtf8: false,
  pingIntervalMs: Infinity,
};

export const POLICY: SessionPolicy = {
  fromClient: { messageBytesMax: MESSAGE_MAX, frameBytesMax: 8_000, fragmentsMax: 8 },
  fromBackend: { messageBytesMax: 2 * MESSAGE_MAX, frameBytesMax: 16_000, fragmentsMax: 16 },
  client: SIDE,
  backend: SIDE,
  bufferedBytesMax: BUFFERED_MAX,
  idleMs: TIMES.idle,
  messageStallMs: TIMES.messageStall,
  writeStallMs: TIMES.writeStall,
  slowReaderMs: Infinity,
  closeMs: TIMES.close,
  pongMs: TIMES.pong,
  lifetimeMs: Infinity,
  recordedFrames: 0,
  closeCodes: {},
};

export interface RigOptions {
  readonly stable?: boolean;
  /** Frames that one read may hold before the rest of it waits for the next turn. */
  readonly stepsPerTurn?: number;
  readonly deflate?: boolean;
  readonly policy?: Partial<SessionPolicy>;
  /** False: the test calls `session.start` itself. */
  readonly start?: boolean;
  /** Shared with the sessions of other rigs. */
  readonly metrics?: RouteMetrics;
  readonly term?: SessionTerm;
  /** Told of its end besides the rig. */
  readonly onEnding?: () => void;
  readonly onEnd?: () => void;
}

export interface ExpectedEnd {
  readonly cause: EndCause;
  readonly limit?: string | null;
  readonly clean: boolean;
  readonly midFrame?: boolean;
}

export class Rig {
  readonly clock = new FakeClock();
  /** A tick of one millisecond: deadlines are exact. */
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly client: MemoryTransport;
  readonly backend: MemoryTransport;
  readonly session: Session;
  readonly metrics: RouteMetrics;
  readonly faults: unknown[] = [];
  readonly limitHits: { isClient: boolean; limit: string; value: number }[] = [];
  /** How often the owner was told of the end. */
  ends = 0;
  /** How often its end began. */
  endings = 0;
  /** What was written and done, in order: `client: text fin "a"`, `backend: FIN`, `client: destroyed`. */
  private readonly story: string[] = [];
  private readonly unwritten = new Map<string, Buffer>();

  constructor(options: RigOptions = {}) {
    const stable = options.stable ?? true;
    const readBuffer = makeReadBuffer();
    const journal = (name: string, what: string, bytes: Buffer) => this.note(name, what, bytes);
    const { stepsPerTurn = Number.MAX_SAFE_INTEGER } = options;
    this.client = new MemoryTransport({ name: 'client', stable, readBuffer, journal, stepsPerTurn });
    this.backend = new MemoryTransport({ name: 'backend', stable, readBuffer, journal, stepsPerTurn });
    this.metrics = options.metrics ?? new RouteMetrics('test');
    this.session = new Session({
      clock: this.clock,
      wheel: this.wheel,
      policy: { ...POLICY, ...options.policy },
      owner: {
        onSessionEnding: () => {
          this.endings += 1;
          options.onEnding?.();
        },
        onSessionEnd: () => {
          this.ends += 1;
          options.onEnd?.();
        },
        onSessionFault: (_, error) => this.faults.push(error),
        onLimitHit: (side, limit, value) => this.limitHits.push({ isClient: side === 'client', limit, value }),
      },
      client: this.client,
      backend: this.backend,
      deflate: options.deflate ?? false,
      metrics: this.metrics,
      term: options.term ?? null,
    });
    if (options.start !== false) this.session.start(null, null);
  }

  /** Deliver all that was sent and may be read. */
  pump(): void {
    for (let moved = true; moved; ) {
      moved = this.client.pump();
      moved = this.backend.pump() || moved;
    }
  }

  fromClient(...chunks: readonly Buffer[]): void {
    this.client.send(...chunks);
    this.pump();
  }

  fromBackend(...chunks: readonly Buffer[]): void {
    this.backend.send(...chunks);
    this.pump();
  }

  finFrom(transport: MemoryTransport): void {
    transport.fin();
    this.pump();
  }

  rstFrom(transport: MemoryTransport): void {
    transport.rst();
    this.pump();
  }

  takeFrom(transport: MemoryTransport, bytes: number = Number.POSITIVE_INFINITY): void {
    if (bytes === Number.POSITIVE_INFINITY) transport.takeAll();
    else transport.take(bytes);
    this.pump();
  }

  /** Let time pass, stopping wherever the session asked for it. */
  advance(ms: number): void {
    let left = ms;
    while (left > 0) {
      const untilDue = Math.max(1, Math.ceil(this.session.dueAt - this.clock.now()));
      const step = Math.min(left, untilDue);
      this.clock.advance(step);
      left -= step;
      this.wheel.advance();
      this.pump();
    }
  }

  /** The whole frames the client has been sent and has taken, in words. */
  get atClient(): string[] {
    return splitFrames(this.client.received).frames.map(describeFrame);
  }

  get atBackend(): string[] {
    return splitFrames(this.backend.received).frames.map(describeFrame);
  }

  framesAt(transport: MemoryTransport): Frame[] {
    return splitFrames(transport.received).frames;
  }

  /** What happened since the last call, in order. */
  told(): string[] {
    return this.story.splice(0);
  }

  /** It lives, and nothing has been done that a socket would punish. */
  expectAlive(): void {
    expect(this.session.cause).toBeNull();
    expect([this.ends, this.client.destroyed, this.backend.destroyed]).toEqual([0, false, false]);
    this.expectSound();
  }

  /** It has ended, once, for that reason, and holds nothing any more. */
  expectEnd(expected: ExpectedEnd): void {
    const { session } = this;
    const { cause, limit, isClean: clean, midFrame } = session;
    expect({ cause, limit, clean, midFrame }).toEqual({ limit: null, midFrame: false, ...expected });
    expect([this.endings, this.ends]).toEqual([1, 1]);
    expect([this.client.destroyed, this.backend.destroyed]).toEqual([true, true]);
    expect(this.wheel.size).toBe(0);
    const gauges = [this.metrics.fromClient, this.metrics.fromBackend].map(({ buffered, paused }) => [
      buffered,
      paused,
    ]);
    expect(gauges).toEqual([
      [0, 0],
      [0, 0],
    ]);
    this.expectSound();
    // Nothing wakes it up again.
    this.client.send(Buffer.from('8900', 'hex'));
    this.client.fin();
    this.backend.rst();
    this.pump();
    session.cut();
    session.end('drain');
    session.onTimer(this.clock.now());
    this.clock.advance(2 * TIMES.idle);
    this.wheel.advance();
    expect([this.ends, session.cause, this.wheel.size]).toEqual([1, expected.cause, 0]);
  }

  expectSound(): void {
    expect([...this.client.misuse, ...this.backend.misuse]).toEqual([]);
    expect(this.faults).toEqual([]);
  }

  private note(name: string, what: string, bytes: Buffer): void {
    if (what === 'fin') this.story.push(`${name}: FIN`);
    if (what === 'destroy') this.story.push(`${name}: destroyed`);
    if (what !== 'write') return;
    const { frames, rest } = splitFrames(Buffer.concat([this.unwritten.get(name) ?? Buffer.alloc(0), bytes]));
    this.unwritten.set(name, rest);
    for (const frame of frames) this.story.push(`${name}: ${describeFrame(frame)}`);
  }
}

/** Runs `body` once per kind of transport. */
export const MODES = [
  { mode: 'reads with memory of their own', stable: true },
  { mode: 'one read buffer for all', stable: false },
] as const;
