// What a session does with a read, with every default rule on: scan, judge, charge, count, and one write. No sockets:
// both ends are transports that take everything at once.

import { loadObject } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/types.ts';
import { policyOf } from '../../src/edge/session-policy.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { silentReader, type Transport, type TransportReader } from '../../src/net/transport.ts';
import { RouteMetrics } from '../../src/observe/metrics.ts';
import { Session } from '../../src/session/session.ts';
import { maskedFrame, payloadOf, plainFrame } from '../load/frames.ts';
import type { MicroCase } from './micro-case.ts';

const HEADROOM = 144;
const READS = 1_000;
/** More frames than any read here holds. */
const STEPS = 2_000;

/** Counts what is written to it. */
class Sink implements Transport {
  readonly stable = false;
  readonly headroom = HEADROOM;
  readonly pending = 0;
  isEndSure = true;
  readonly held = 0;
  readonly kept = 0;
  readonly remoteAddress = '';
  readonly remotePort = 0;
  reader: TransportReader = silentReader;
  stepsLeft = STEPS;
  paused = false;
  destroyed = false;
  written = 0;

  localEndpoint(): null {
    return null;
  }

  write(_bytes: Buffer, start: number, end: number): void {
    this.written += end - start;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  unread(): void {
    throw new Error('more frames than a turn has steps');
  }

  end(): void {}

  destroy(): void {
    this.destroyed = true;
  }

  reset(): void {
    this.destroy();
  }
}

export function cases(): readonly MicroCase[] {
  return [
    relayCase('64 B, one a read', { size: 64, frames: 1 }),
    relayCase('64 B, one a read, recorded', { size: 64, frames: 1, record: { frames: 32 } }),
    relayCase('64 B back, one a read', { size: 64, frames: 1, isClient: false }),
    relayCase('64 B, 16 a read', { size: 64, frames: 16 }),
    relayCase('64 B, 16 a read, recorded', { size: 64, frames: 16, record: { frames: 32 } }),
    relayCase('different sizes, 16 a read', { size: null, frames: 16 }),
    relayCase('16 KiB, one a read', { size: 16_384, frames: 1 }),
  ];
}

interface Read {
  /** Null: its frames differ in size, up to 125 bytes. */
  readonly size: number | null;
  readonly frames: number;
  readonly isClient?: boolean;
  readonly record?: ConfigInput['record'];
}

function relayCase(name: string, { size, frames, isClient = true, record = 'off' }: Read): MicroCase {
  const sizes = Array.from({ length: frames }, (_, i) => size ?? (i * 37) % 126);
  const read = Buffer.concat([Buffer.alloc(HEADROOM), ...sizes.map((bytes) => frameOf(bytes, isClient))]);
  const [client, backend] = [new Sink(), new Sink()];
  openSession(client, backend, record);
  const [source, sink] = isClient ? [client, backend] : [backend, client];
  const run = () => {
    const before = sink.written;
    for (let i = 0; i < READS; i++) {
      source.stepsLeft = STEPS;
      source.reader.onBytes(read, HEADROOM, read.length);
    }
    return sink.written - before;
  };
  const bytes = READS * (read.length - HEADROOM);
  return { name: `relay: ${name}`, unit: 'frame', operations: READS * frames, bytes, run, expected: bytes };
}

function frameOf(size: number, masked: boolean): Buffer {
  const payload = payloadOf(size, size);
  return masked ? maskedFrame(payload, 0x12345678) : plainFrame(payload);
}

function openSession(client: Transport, backend: Transport, record: Read['record']): void {
  const clock = { now: () => performance.now() };
  const [route] = loadObject({ record, routes: [{ upstream: 'builtin:echo' }] }, { baseDir: '.' }).config.routes;
  if (route === undefined) throw new Error('the config has no route');
  const session = new Session({
    clock,
    wheel: new TimerWheel(clock, 50),
    policy: policyOf(route),
    owner: { onSessionEnding() {}, onSessionEnd() {}, onSessionFault() {}, onLimitHit() {} },
    client,
    backend,
    deflate: false,
    metrics: new RouteMetrics('bench'),
  });
  session.start(null, null);
}
