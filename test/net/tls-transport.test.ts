import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { HandleIo } from '../../src/net/handle-io.ts';
import { carriesTls } from '../../src/net/probe.ts';
import { findStreamBase, type SecureHandle, type StreamBase, type StreamHandle } from '../../src/net/stream-base.ts';
import { StreamTransport } from '../../src/net/stream-transport.ts';
import { TlsTransport } from '../../src/net/tls-transport.ts';
import type { Transport } from '../../src/net/transport.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { transportMode } from '../support/transport-mode.ts';
import { collect, connectOver, OVER, Recorder, turn, turns } from '../support/transport-pair.ts';

const RECORD = 16_384;
const overTls = OVER.filter((over) => over !== 'TCP');

/** A TLS layer that has decrypted all of these records and hands them over, whether it is read or not. */
class FakeSecureHandle implements SecureHandle {
  onread: (this: StreamHandle) => void = () => {};
  onerror = () => {};
  onnewsession = () => {};
  onhandshakestart = () => {};
  onhandshakedone = () => {};
  onkeylog = () => {};
  readonly _parentWrap = null;
  readonly _parent = this;
  writeQueueSize = 0;
  isReading = false;
  readonly written: string[] = [];
  private readonly base: StreamBase;

  constructor(base: StreamBase) {
    this.base = base;
  }

  deliver(...sizes: number[]): void {
    for (const size of sizes) {
      this.base.state[this.base.readIndex] = size;
      this.onread.call(this);
    }
  }

  readStart(): number {
    this.isReading = true;
    return 0;
  }

  readStop(): number {
    this.isReading = false;
    return 0;
  }

  writeBuffer(_request: object, bytes: Uint8Array): number {
    this.written.push(Buffer.from(bytes).toString());
    return 0;
  }

  receive(): void {}
  setALPNProtocols(): void {}
  getProtocol = () => 'TLSv1.3';
  isSessionReused = () => false;

  useUserBuffer(): void {}
  shutdown(): number {
    this.written.push('FIN');
    return 0;
  }
  close(): void {}
  destroySSL(): void {}
}

function fake() {
  const base = findStreamBase();
  if (base === null) throw new Error('this Node has the internals of streams in another form');
  const handle = new FakeSecureHandle(base);
  const transport = new TlsTransport(new HandleIo(base), handle, { address: '', port: 0 }, null);
  const reader = new Recorder();
  transport.reader = reader;
  return { handle, transport, reader };
}

describe('the turn of a TLS socket', () => {
  test('F24: 256 KiB, however many records that is; what is decrypted by then comes in the next one', async () => {
    const { handle, reader } = fake();
    handle.deliver(...Array<number>(20).fill(RECORD));
    expect([reader.bytes, handle.isReading]).toEqual([16 * RECORD, false]);
    await turn();
    expect([reader.bytes, handle.isReading]).toEqual([20 * RECORD, true]);
  });

  test('F24: small records share it, and a later turn has as much again', async () => {
    const { handle, reader } = fake();
    handle.deliver(...Array<number>(15).fill(RECORD), RECORD - 1);
    expect(handle.isReading).toBe(true);
    await turn();
    handle.deliver(...Array<number>(15).fill(RECORD), RECORD - 1);
    expect([reader.bytes, handle.isReading]).toEqual([32 * RECORD - 2, true]);
    handle.deliver(1);
    expect(handle.isReading).toBe(false);
  });

  test('L40: records of a turn share its steps, and the next turn has as many again', async () => {
    const { handle, transport, reader } = fake();
    const seen: number[] = [];
    reader.onChunk = () => {
      seen.push(transport.stepsLeft);
      transport.stepsLeft -= 1500;
    };
    handle.deliver(10, 10);
    await turn();
    handle.deliver(10);
    expect(seen).toEqual([2000, 500, 2000]);
  });
});

describe('one write at a time', () => {
  test('what is written meanwhile is joined, pending counts it, the FIN waits for it', () => {
    const { handle, transport, reader } = fake();
    const say = (text: string) => transport.write(Buffer.from(text), 0, text.length, true);
    say('one');
    expect(transport.pending).toBe(0);
    say('two');
    say('three');
    transport.end();
    say('four');
    expect([handle.written, transport.pending]).toEqual([['one'], 8]);
    transport.onWritten(0);
    expect([handle.written, reader.calls]).toEqual([['one', 'twothree'], ['taken']]);
    transport.onWritten(0);
    expect([handle.written, transport.pending, transport.held]).toEqual([['one', 'twothree', 'FIN'], 0, 0]);
  });

  test('what the kernel has not taken is pending until it has', () => {
    const { handle, transport, reader } = fake();
    handle.writeQueueSize = 100;
    transport.write(Buffer.alloc(200), 0, 200, false);
    expect(transport.pending).toBe(100);
    expect(transport.held).toBeGreaterThan(100);
    transport.onWritten(0);
    expect([transport.pending, transport.held, reader.calls]).toEqual([0, 0, ['taken']]);
  });

  test('one that fails is the end: told once, and nothing is written behind it', async () => {
    const { handle, transport, reader } = fake();
    transport.write(Buffer.from('x'), 0, 1, true);
    transport.write(Buffer.from('y'), 0, 1, true);
    transport.onWritten(-104);
    transport.write(Buffer.from('z'), 0, 1, true);
    await turn();
    expect([handle.written, reader.calls]).toEqual([['x'], ['lost ECONNRESET']]);
  });

  test('H32: where the end may be that of an answer, one that fails is told behind what came before', async () => {
    const { handle, transport, reader } = fake();
    transport.isEndSure = false;
    transport.write(Buffer.from('x'), 0, 1, true);
    transport.onWritten(-104);
    transport.write(Buffer.from('y'), 0, 1, true);
    handle.deliver(5);
    transport.pause();
    handle.deliver(7, -4095);
    await turn();
    expect([handle.written, transport.pending, reader.bytes, reader.count('lost')]).toEqual([['x'], 0, 5, 0]);
    transport.resume();
    await turns(2);
    expect([reader.bytes, reader.count('lost ECONNRESET'), reader.count('end')]).toEqual([12, 1, 0]);
  });
});

describe('what TLS says by itself', () => {
  const KEPT = 262_144;

  test('L44: what nobody reads of it ends the connection, once, above 256 KiB', async () => {
    const { handle, transport, reader } = fake();
    handle.writeQueueSize = KEPT;
    transport.endIfUnsent();
    await turn();
    expect(reader.calls).toEqual([]);
    handle.writeQueueSize = KEPT + 1;
    transport.endIfUnsent();
    transport.endIfUnsent();
    await turn();
    expect(reader.calls).toEqual(['lost ERR_TLS_UNREAD']);
  });

  test('L44: what is written here may wait, however much it is', async () => {
    const { handle, transport, reader } = fake();
    transport.write(Buffer.alloc(1_000_000), 0, 1_000_000, true);
    handle.writeQueueSize = 1_100_000;
    transport.endIfUnsent();
    await turn();
    expect(reader.calls).toEqual([]);
  });
});

describe.each(overTls)('%s', (over) => {
  test('a record that cannot be decrypted is a loss, once, and nothing else', async () => {
    const { transport, reader, peer, raw } = await connectOver(over);
    peer.write('x');
    await reader.until(() => reader.bytes === 1);
    raw.write(Buffer.from('1703030020'.padEnd(74, '0'), 'hex'));
    await reader.until(() => reader.count('lost') > 0);
    transport.write(Buffer.from('into nothing'), 0, 12, false);
    await turns(10);
    expect(reader.calls).toEqual(['bytes', expect.stringMatching(/^lost ERR_SSL_/)]);
  });

  test('a FIN and bytes that came with the last read wait behind a pause, too, for whoever reads then', async () => {
    const { transport, reader, peer } = await connectOver(over);
    reader.onChunk = () => transport.pause();
    peer.write('first');
    peer.end(Buffer.alloc(1000));
    await reader.until(() => reader.count('bytes') === 1);
    await turns(20);
    expect(reader.calls).toEqual(['bytes']);
    const next = new Recorder();
    transport.reader = next;
    transport.resume();
    await next.until(() => next.count('end') === 1);
    expect(reader.bytes + next.bytes).toBe(1005);
    transport.pause();
    transport.resume();
    await turns(5);
    expect([reader.calls, next.count('end'), next.count('lost')]).toEqual([['bytes'], 1, 0]);
  });

  test('thousands of small writes and reads at once, both ways, keep their order', async () => {
    const { transport, reader, peer } = await connectOver(over);
    const sent = Buffer.from(Array.from({ length: 60_000 }, (_, i) => i * 7));
    reader.onChunk = (chunk) => {
      for (let at = 0; at < chunk.length; at += 3) transport.write(chunk, at, Math.min(at + 3, chunk.length), false);
    };
    for (let at = 0; at < sent.length; at += 11) peer.write(sent.subarray(at, at + 11));
    expect((await collect(peer, sent.length)).equals(sent)).toBe(true);
  });

  test('destroyed in the middle of a read and a write it says nothing more', async () => {
    const { transport, reader, peer } = await connectOver(over);
    reader.onChunk = () => {
      transport.write(Buffer.alloc(500_000), 0, 500_000, false);
      transport.destroy();
    };
    peer.write(Buffer.alloc(300_000));
    peer.resume();
    await reader.until(() => reader.count('bytes') === 1);
    await turns(20);
    expect(reader.calls).toEqual(['bytes']);
  });
});

test.skipIf(transportMode === 'stream')(
  'L44: who is over TLS is looked at once a second, until it is destroyed',
  async () => {
    const { transport, carrier } = await connectOver('TLS 1.3, a server');
    if (!(transport instanceof TlsTransport)) throw new Error('TLS is not carried on handles');
    const clock = new FakeClock();
    const wheel = new TimerWheel(clock);
    let looks = 0;
    transport.endIfUnsent = () => {
      looks += 1;
    };
    const pass = (ms: number) => {
      clock.advance(ms);
      wheel.advance(clock.now());
    };
    carrier.watch(wheel, clock.now());
    pass(900);
    expect(looks).toBe(0);
    pass(200);
    pass(1_100);
    expect(looks).toBe(2);
    transport.destroy();
    pass(1_100);
    expect(looks).toBe(2);
  },
);

test.skipIf(transportMode === 'stream')('the probe finds out whether TLS works so', async () => {
  const carrier = new Carrier('auto');
  expect(await carriesTls(carrier)).toBe(true);
  const acceptSecure = () => () => {};
  const silent = { ...carrier, connect: () => () => {}, serve() {}, carrySecure: () => fake().transport, acceptSecure };
  expect(await carriesTls(silent)).toBe(false);
});

test.skipIf(transportMode === 'stream')('where the probe fails, connections go over streams, TLS or all', async () => {
  const deaf = (): Transport => fake().transport;
  for (const [method, isTlsOnly] of [
    ['carrySecure', true],
    ['connect', false],
  ] as const) {
    const carrier = new Carrier('auto');
    const own = carrier[method].bind(carrier);
    Object.assign(carrier, { [method]: method === 'connect' ? () => () => {} : deaf });
    await carrier.probe();
    Object.assign(carrier, { [method]: own });
    expect(carrier.kind).toBe(isTlsOnly ? 'handle' : 'stream');
    const socket = new TLSSocket(new Socket(), {});
    onTestFinished(() => void socket.destroy());
    expect(carrier.carrySecure(socket)).toBeInstanceOf(StreamTransport);
  }
});
